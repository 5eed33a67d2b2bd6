"""Which workers can be used now, and how many streams each would take."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from inference.client import EMBEDDED_URL
from sessions.dispatch.embedded import announce_embedded
from sessions.dispatch.identity import this_process
from sessions.dispatch.settling import OPEN
from sessions.dispatch.terms import SILENT_S
from sessions.models import Lease, WorkerNode


@dataclass(frozen=True, slots=True)
class Capacity:
    """Of all usable workers for live calls together."""

    slots_open: int
    """Streams that could be opened now."""

    slots: int
    workers: int


class Load(NamedTuple):
    """One worker's open leases: all, those its last announcement does not count yet, and those it still counts."""

    held: int
    unreported: int
    gone: int


def usable_workers() -> QuerySet[WorkerNode]:
    """For live calls, heard of lately, not draining, and within this process's reach."""
    heard = Q(heartbeat_at__gt=Now() - timedelta(seconds=SILENT_S))
    in_reach = ~Q(url=EMBEDDED_URL) | Q(pk=this_process().embedded_worker)
    return WorkerNode.objects.filter(
        heard, in_reach, purpose=WorkerNode.Purpose.LIVE, draining=False, drain_requested=False
    )


def with_load(workers: QuerySet[WorkerNode]) -> QuerySet[WorkerNode]:
    """With `held`, `unreported` and `gone` (see `Load`)."""
    mine = Lease.objects.filter(worker=OuterRef("pk")).order_by()
    return workers.annotate(
        held=_count(mine.filter(OPEN)),
        unreported=_count(mine.filter(OPEN, reported=False)),
        gone=_count(mine.filter(state=Lease.State.SETTLED, reported=True, settled_at__gt=OuterRef("heartbeat_at"))),
    )


def load_of(worker: WorkerNode) -> Load:
    """Counted anew. Exact while the worker's row is locked."""
    return loaded(with_load(WorkerNode.objects.filter(pk=worker.pk)).get())


def slots_open(worker: WorkerNode, load: Load) -> int:
    """What the worker said it would take, less what was promised since, plus what has ended since; within its slots."""
    said = worker.slots_open - load.unreported + load.gone
    return max(0, min(said, slots_free(worker, load)))


def slots_free(worker: WorkerNode, load: Load) -> int:
    """Slots that nobody holds, whatever its ticks have time for."""
    return max(0, worker.slots - load.held)


def loaded(worker: Any) -> Load:
    """Of a worker read through `with_load`."""
    return Load(worker.held, worker.unreported, worker.gone)


def serves(worker: WorkerNode, *, lane: str, language: str) -> bool:
    spoken = worker.languages
    return lane in worker.lanes and ("*" in spoken or language in spoken or language.partition("-")[0] in spoken)


def capacity() -> Capacity:
    announce_embedded()
    workers = list(with_load(usable_workers()))
    return Capacity(
        slots_open=sum(slots_open(each, loaded(each)) for each in workers),
        slots=sum(each.slots for each in workers),
        workers=len(workers),
    )


def lanes_served() -> frozenset[str]:
    """By any usable worker. Empty: no worker has been heard of."""
    return frozenset(lane for lanes in usable_workers().values_list("lanes", flat=True) for lane in lanes)


def _count(leases: QuerySet[Lease]) -> Coalesce:
    counted = leases.values("worker").annotate(num=Count("pk")).values("num")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
