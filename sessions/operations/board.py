"""Workers, capacity and live calls as an operator sees them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from sessions.dispatch import Capacity, capacity, pulse
from sessions.dispatch.load import loaded, slots_open, with_load
from sessions.dispatch.terms import SILENT_S
from sessions.jobs.models import SessionJob
from sessions.models import Lease, VoiceSession, WorkerNode

MOST_CALLS = 200


@dataclass(frozen=True, slots=True)
class WorkerLine:
    node: WorkerNode
    slots_open: int
    silent_s: float
    """Since it was last heard of."""

    @property
    def is_silent(self) -> bool:
        return self.silent_s > SILENT_S

    @property
    def state(self) -> str:
        if self.is_silent:
            return _("silent")
        if self.node.draining:
            return _("draining")
        return _("asked to drain") if self.node.drain_requested else _("ready")

    @property
    def variant(self) -> str:
        """Of its label's colour."""
        if self.is_silent:
            return "danger"
        return "warning" if self.node.draining or self.node.drain_requested else "success"


@dataclass(frozen=True, slots=True)
class CallLine:
    session: VoiceSession
    worker: str
    age: timedelta

    @property
    def id(self) -> UUID:
        return self.session.pk


@dataclass(frozen=True, slots=True)
class Board:
    at: datetime
    """By the database's clock."""

    capacity: Capacity
    workers: list[WorkerLine]
    calls: list[CallLine]
    num_calls: int
    """Of which `calls` shows the first."""

    failed_jobs: int
    waiting_jobs: int


def board() -> Board:
    nodes = list(with_load(WorkerNode.objects.order_by("purpose", "pk")))
    live = _live()
    pulse.beat()
    at = pulse.database_time()
    jobs = dict(SessionJob.objects.order_by().values_list("state").annotate(Count("pk")))
    return Board(
        at=at,
        capacity=capacity(),
        workers=[_worker_line(node, at) for node in nodes],
        calls=[_call_line(session, at) for session in live[:MOST_CALLS]],
        num_calls=live.count(),
        failed_jobs=jobs.get(SessionJob.State.FAILED, 0),
        waiting_jobs=jobs.get(SessionJob.State.PENDING, 0) + jobs.get(SessionJob.State.RUNNING, 0),
    )


def live_call(*, session_id: UUID) -> VoiceSession | None:
    return _live().filter(pk=session_id).first()


def worker_node(*, worker_id: str) -> WorkerNode | None:
    return WorkerNode.objects.filter(pk=worker_id).first()


def _live() -> QuerySet[VoiceSession]:
    newest = Lease.objects.filter(session=OuterRef("pk")).exclude(state=Lease.State.SETTLED).order_by("-fence")
    rows = VoiceSession.objects.filter(state=VoiceSession.State.LIVE).annotate(
        worker_id=Subquery(newest.values("worker_id")[:1])
    )
    # Neither words nor what a mind remembers are read.
    return rows.select_related("character").defer("summary", "mind_state").order_by("started_at")


def _worker_line(node: WorkerNode, at: datetime) -> WorkerLine:
    silent_s = max(0.0, (at - node.heartbeat_at).total_seconds())
    usable = silent_s <= SILENT_S and not node.draining and not node.drain_requested
    return WorkerLine(node, slots_open(node, loaded(node)) if usable else 0, silent_s)


def _call_line(session: VoiceSession, at: datetime) -> CallLine:
    since = at - (session.started_at or session.created_at)
    return CallLine(session, getattr(session, "worker_id", None) or "", timedelta(seconds=round(since.total_seconds())))
