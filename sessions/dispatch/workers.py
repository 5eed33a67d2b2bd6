"""What workers announce, and what they are told in return."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from sessions.dispatch import pulse
from sessions.dispatch.report import WorkerReport
from sessions.dispatch.settling import OPEN, locked_ids, settle
from sessions.dispatch.terms import UNSEEN_S
from sessions.models import Lease, WorkerNode

__all__ = ["Orders", "WorkerReport", "drain", "worker_heartbeat"]

OUT_OF_ORDER_S = 5.0
"""A report that is older than the last one by less than this was overtaken on its way; by more, a clock was set."""


@dataclass(frozen=True, slots=True)
class Orders:
    """The answer to an announcement."""

    drain: bool = False
    drop: tuple[str, ...] = ()
    """Leases it holds that are no longer its own."""


def worker_heartbeat(report: WorkerReport) -> Orders:
    """Writes down what a worker says of itself and settles what it has ended."""
    pulse.beat()
    with transaction.atomic():
        now = pulse.database_time()
        node = WorkerNode.objects.select_for_update().filter(pk=report.id).first()
        if node is not None and _was_overtaken(node, report):
            return Orders(drain=node.drain_requested)
        restarted = node is not None and node.incarnation != report.incarnation
        _write(report, now, is_new=node is None, restarted=restarted)
        mine = Lease.objects.filter(worker_id=report.id)
        if restarted:
            settle(mine, reason="worker_restarted")
        if report.leases is None:
            mine.filter(OPEN, reported=False).update(reported=True)
            return Orders(drain=_drains(report.id))
        return Orders(_drains(report.id), _compare(report.id, [UUID(each) for each in report.leases]))


def drain(*, worker_id: str, wanted: bool = True) -> bool:
    """The worker takes no new calls from now on and is told to give its own away. False: there is none of this id."""
    return bool(WorkerNode.objects.filter(pk=worker_id).update(drain_requested=wanted))


def _drains(worker_id: str) -> bool:
    return WorkerNode.objects.filter(pk=worker_id, drain_requested=True).exists()


def _was_overtaken(node: WorkerNode, report: WorkerReport) -> bool:
    """An announcement may take another way than the one after it, also one of a process that is gone by now."""
    last_clock = node.heartbeat_at.timestamp() + node.clock_offset_s
    # The row keeps milliseconds on some databases.
    return 0.002 < last_clock - report.clock < OUT_OF_ORDER_S


def _write(report: WorkerReport, now: datetime, *, is_new: bool, restarted: bool) -> None:
    values = report.model_dump(mode="json", exclude={"id", "clock", "leases"})
    values |= {"clock_offset_s": report.clock - now.timestamp(), "heartbeat_at": now}
    if restarted:
        values |= {"drain_requested": False, "started_at": now}
    if is_new:
        row = WorkerNode(pk=report.id, started_at=now, **values)
        WorkerNode.objects.bulk_create([row], ignore_conflicts=True)
    else:
        WorkerNode.objects.filter(pk=report.id).update(**values)


def _compare(worker_id: str, announced: Sequence[UUID]) -> tuple[str, ...]:
    """Makes the rows agree with the streams the worker has; returns those that are not its own."""
    mine = Lease.objects.filter(worker_id=worker_id)
    unseen = Q(state=Lease.State.LIVE, reserved_at__lt=Now() - timedelta(seconds=UNSEEN_S))
    settle(mine.exclude(pk__in=announced).filter(Q(reported=True) | unseen), reason="ended_at_worker")
    known = locked_ids(mine.filter(pk__in=announced))
    Lease.objects.filter(pk__in=known, reported=False).update(reported=True)
    return tuple(each.hex for each in sorted(set(announced) - set(known)))
