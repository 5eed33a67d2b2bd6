"""What happens in the live sessions of this process, counted for `/metrics`. No name, no word, no id of anybody."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

STAGES = ("turn_decided", "transcript_ready", "first_words", "first_audio", "sent")
"""Of an answer, each counted from the end of the listener's voice."""

STAGE_BUCKETS_S = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 8.0)
GAP_BUCKETS_S = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"troupe_{name}", text, labels, registry=REGISTRY)


_sockets = Gauge("troupe_sockets", "Sockets of clients that are attached or passed on here.", registry=REGISTRY)
_begun = _counter("sessions_begun", "Conversations that began in this process.")
_ended = _counter("sessions_ended", "Conversations that ended here or went on in another process.", "reason")
_resumes = _counter("resumes", "Sockets that came back to their conversation.", "where")
_takeovers = _counter("takeovers", "Conversations rebuilt here from what another process had stored.")
_moves = _counter("moves", "Streams that went on at another worker.", "reason")
_streams_lost = _counter("streams_lost", "Streams that ended with an error and went on nowhere.", "code")
_worker_faults = _counter("worker_faults", "Faults that workers reported.", "code")
_refusals = _counter("refusals", "Conversations and sockets that were refused.", "code")
_dropped_packets = _counter("dropped_uplink_packets", "Packets of listeners that a worker was too late for.")
_dropped_audio = _counter("dropped_audio_seconds", "Speech that never reached its listener.", "where")
_fenced = _counter("fenced_writes", "Writes refused because another process holds the conversation.")
_lost_turns = _counter("journal_lost", "Turns that the database refused for good.")
_stages = Histogram(
    "troupe_answer_stage_seconds",
    "From the end of the listener's voice to each stage of the answer.",
    ["stage"],
    buckets=STAGE_BUCKETS_S,
    registry=REGISTRY,
)
_gaps = Histogram("troupe_move_gap_seconds", "How long a call had no worker.", buckets=GAP_BUCKETS_S, registry=REGISTRY)


def session_begun() -> None:
    _begun.inc()


def session_taken_over() -> None:
    """Rebuilt here after its process had died or let go of it."""
    _takeovers.inc()


def session_ended(reason: str) -> None:
    """`reason` of `sessions.live.closing.Closing`; `suspended` or `fenced` when it goes on in another process."""
    _ended.labels(reason).inc()


def socket_opened() -> None:
    _sockets.inc()


def socket_closed() -> None:
    _sockets.dec()


def resumed(where: str) -> None:
    """`here`, or `relayed` to the process that holds the conversation."""
    _resumes.labels(where).inc()


def moved(reason: str, gap_ms: float) -> None:
    """`reason`: `lost` or `drained`. `gap_ms` without a worker, 0 where the new one was there first."""
    _moves.labels(reason).inc()
    if gap_ms > 0:
        _gaps.observe(gap_ms / 1000)


def stream_lost(code: str) -> None:
    """`code` of an `inference.errors.InferenceError`."""
    _streams_lost.labels(code).inc()


def worker_fault(code: str) -> None:
    _worker_faults.labels(code).inc()


def refused(code: str) -> None:
    """`code` of a `sessions.errors.Refusal`."""
    _refusals.labels(code).inc()


def packets_dropped(number: int) -> None:
    if number > 0:
        _dropped_packets.inc(number)


def audio_dropped(where: str, milliseconds: float) -> None:
    """At the `worker`, or at the `socket` of the client."""
    if milliseconds > 0:
        _dropped_audio.labels(where).inc(milliseconds / 1000)


def write_fenced() -> None:
    _fenced.inc()


def turn_lost() -> None:
    _lost_turns.inc()


def answered(stages_ms: Mapping[str, float]) -> None:
    """Once per answer, when its first audio has left. Stages it did not have are left out."""
    for stage in STAGES:
        value_ms = stages_ms.get(stage)
        if value_ms is not None:
            _stages.labels(stage).observe(max(value_ms, 0.0) / 1000)
