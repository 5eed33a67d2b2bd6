"""The worker's figures in Prometheus form, read from the worker when somebody asks."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from inference.worker.capacity import Capacity
from inference.worker.process.announce import Announcer
from inference.worker.process.gate import Gate
from inference.worker.process.loop_watch import LoopWatch


class WorkerCollector(Collector):
    """Everything named `troupe_worker_*`."""

    def __init__(self, capacity: Capacity, watch: LoopWatch, gate: Gate, announcer: Announcer) -> None:
        self._capacity = capacity
        self._worker = capacity.worker
        self._watch = watch
        self._gate = gate
        self._announcer = announcer

    def register(self) -> CollectorRegistry:
        """A registry of its own."""
        registry = CollectorRegistry()
        registry.register(self)
        return registry

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield from self._gauges()
        buckets, total_s = self._worker.meter.histogram()
        yield HistogramMetricFamily(
            "troupe_worker_tick_seconds", "Passes of the loop that had work to do.", buckets=buckets, sum_value=total_s
        )

    def _counters(self) -> Iterator[Metric]:
        counts = self._worker.counts
        for name, text, value in (
            ("steps", "Steps of streams.", counts.steps),
            ("late_steps", "Steps begun more than one frame late.", counts.late),
            (
                "dropped_packets",
                "Packets of callers' audio dropped because the loop was behind.",
                counts.dropped_packets,
            ),
            ("late_frames", "Frames of speech made too late to be heard without a gap.", counts.late_frames),
            ("faults", "Streams ended by a failure of ears, mouth or model.", counts.faults),
        ):
            yield CounterMetricFamily(f"troupe_worker_{name}", text, value=value)
        refusals = CounterMetricFamily("troupe_worker_refusals", "Streams refused, by reason.", labels=["reason"])
        for code, count in sorted(self._gate.refusals.items()):
            refusals.add_metric([code], count)
        yield refusals
        heartbeats = CounterMetricFamily("troupe_worker_heartbeats", "Heartbeats, by outcome.", labels=["outcome"])
        for outcome, count in sorted(self._announcer.outcomes.items()):
            heartbeats.add_metric([outcome], count)
        yield heartbeats

    def _gauges(self) -> Iterator[Metric]:
        worker, figures = self._worker, self._capacity.figures
        for name, text, value in (
            ("live_streams", "Streams that hold a slot.", worker.slots - worker.slots_free),
            ("slots", "Slots there are.", worker.slots),
            ("slots_open", "Streams that would be admitted now, by the measured ticks.", self._capacity.slots_open()),
            (
                "stream_cost_seconds",
                "What one more stream is expected to take of a frame.",
                self._capacity.cost_ms / 1000,
            ),
            ("tick_p99_seconds", "Longest pass in 99 of 100 frames of the last ten seconds.", figures.p99_s),
            (
                "work_seconds",
                "Mean work of a frame of 40 ms in the last ten seconds.",
                figures.shared_s + figures.slots_s,
            ),
            ("late_share", "Share of late steps in the last ten seconds.", figures.late_share),
            ("draining", "1 while nobody is admitted any more.", float(worker.is_draining)),
            ("stalled_seconds", "How long the loop has not been seen to move.", self._watch.stalled_s),
        ):
            yield GaugeMetricFamily(f"troupe_worker_{name}", text, value=value)
