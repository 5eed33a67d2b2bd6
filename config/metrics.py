"""What `/metrics` says: the figures of this process, and those that only the database knows."""

from collections.abc import Iterable, Iterator

from django.db.models import Count
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sessions import dispatch
from sessions.live.figures import REGISTRY
from sessions.live.registry import live_sessions
from sessions.live.stragglers import stragglers
from sessions.models import Lease, SessionJob, VoiceSession, WorkerNode
from voices.models import Clip

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Read(Collector):
    """Families that were read just now."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def process_text() -> bytes:
    """Of this process: calls, latency, memory, file descriptors."""
    process = CollectorRegistry()
    ProcessCollector(registry=process)
    GCCollector(registry=process)
    return generate_latest(REGISTRY) + _text(list(_held())) + generate_latest(process)


def database_text() -> bytes:
    """Of the whole deployment. Every web process says the same. Raises `DatabaseError`."""
    return _text([*_capacity(), *_rows(), _up(True)])


def no_database_text() -> bytes:
    """Instead of it, when the database does not answer."""
    return _text([_up(False)])


def _text(families: list[Metric]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Read(families))
    return generate_latest(registry)


def _held() -> Iterator[Metric]:
    """Read on the event loop of the server, where sessions live."""
    live = live_sessions.going_on()
    unstored = sum(session.num_unstored for session in live)
    yield GaugeMetricFamily("troupe_sessions_live", "Conversations held by this process.", value=len(live))
    yield GaugeMetricFamily("troupe_journal_backlog", "Turns of live conversations to be stored.", value=unstored)
    late = len(stragglers)
    yield GaugeMetricFamily("troupe_stragglers", "Ended conversations that wait for the database.", value=late)


def _up(is_up: bool) -> Metric:
    return GaugeMetricFamily("troupe_database_up", "Whether the database answered this scrape.", value=float(is_up))


def _capacity() -> Iterator[Metric]:
    capacity = dispatch.capacity()
    yield GaugeMetricFamily("troupe_slots", "Streams that all usable workers hold together.", value=capacity.slots)
    yield GaugeMetricFamily("troupe_slots_open", "Streams that could be opened now.", value=capacity.slots_open)
    yield GaugeMetricFamily("troupe_workers_usable", "Workers that take new streams.", value=capacity.workers)
    workers = WorkerNode.objects.all()
    told = GaugeMetricFamily("troupe_reported_in_use", "Streams a worker last said it holds.", labels=["worker"])
    tick = GaugeMetricFamily("troupe_reported_tick_p99_seconds", "Its slowest ticks as last told.", labels=["worker"])
    for worker in workers:
        told.add_metric([worker.pk], worker.in_use)
        tick.add_metric([worker.pk], worker.tick_p99_ms / 1000)
    yield from (told, tick)


def _rows() -> Iterator[Metric]:
    leases = GaugeMetricFamily("troupe_leases", "Leases that are not settled, by state.", labels=["state"])
    open_leases = Lease.objects.exclude(state=Lease.State.SETTLED).order_by()
    counted = dict(open_leases.values_list("state").annotate(Count("pk")))
    for state in (Lease.State.RESERVED, Lease.State.LIVE):
        leases.add_metric([state], counted.get(state, 0))
    yield leases
    live = VoiceSession.objects.filter(state=VoiceSession.State.LIVE).count()
    yield GaugeMetricFamily("troupe_conversations_live", "Rows of conversations that are live.", value=live)
    jobs = GaugeMetricFamily("troupe_jobs", "Jobs that are not done, by kind and state.", labels=["kind", "state"])
    not_done = SessionJob.objects.exclude(state=SessionJob.State.DONE).order_by()
    for kind, state, number in not_done.values_list("kind", "state").annotate(Count("pk")):
        jobs.add_metric([kind, state], number)
    clips = Clip.objects.exclude(state=Clip.State.READY).order_by().values_list("state").annotate(Count("pk"))
    for state, number in clips:
        jobs.add_metric(["clip", state], number)
    yield jobs
