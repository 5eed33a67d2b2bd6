"""How much of a stream may wait anywhere between its two ends, and which audio counts as late."""

from dataclasses import dataclass

from inference.protocol import AUDIO_RATE_HZ, SAMPLE_BYTES

BYTES_PER_S = AUDIO_RATE_HZ * SAMPLE_BYTES


@dataclass(frozen=True, slots=True)
class StreamLimits:
    live_audio_s: float = 0.5
    """Audio that may wait while the caller sends in real time: 25 packets of 20 ms."""

    burst_audio_s: float = 30.0
    """Audio that may wait besides, as far as the caller sent it ahead of real time or before the slot was primed."""

    commands: int = 2_000
    events: int = 1_000
    """About half a minute of audio with its word events."""


class AudioAllowance:
    """How much uplink audio may wait: a leaky bucket. What a caller sent faster than real time is no delay of ours and
    may wait longer."""

    def __init__(self, limits: StreamLimits, now: float, *, leaks: bool) -> None:
        self._live_bytes = limits.live_audio_s * BYTES_PER_S
        self._burst_bytes = limits.burst_audio_s * BYTES_PER_S
        self._ahead_bytes = 0.0
        self._last_at = now
        self._leaks = leaks

    def leak(self, now: float) -> None:
        """From now on the other side reads: audio that waits is audio that is late."""
        self._leaks = True
        self._last_at = now

    def arrived(self, num_bytes: int, now: float) -> float:
        """Counts audio that just came; returns the bytes that may wait."""
        leaked = (now - self._last_at) * BYTES_PER_S if self._leaks else 0.0
        self._ahead_bytes = max(0.0, self._ahead_bytes - leaked) + num_bytes
        self._last_at = now
        return self._live_bytes + min(self._ahead_bytes, self._burst_bytes)
