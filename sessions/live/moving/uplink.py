"""The last of what the user said, kept for the ears of another worker."""

from collections import deque

from inference.protocol import AUDIO_RATE_HZ, SAMPLE_BYTES

BYTES_PER_MS = AUDIO_RATE_HZ * SAMPLE_BYTES // 1000
KEPT_MS = 3_000
MOST_WHILE_MOVING_MS = 12_000
BEFORE_VOICE_MS = 300
"""A voice is announced a little after it began."""


class Uplink:
    """The session's input since its start, of which the last seconds are kept. Times in ms of that input."""

    def __init__(self) -> None:
        self._packets: deque[bytes] = deque()
        self._kept_bytes = 0
        self._bytes = 0
        self._heard_to_ms = 0
        self._sign_ms = 0
        self.waits = False
        """No worker takes it at the moment: more is kept."""

    @property
    def total_ms(self) -> int:
        return self._bytes // BYTES_PER_MS

    def add(self, pcm: bytes) -> None:
        self._packets.append(pcm)
        self._kept_bytes += len(pcm)
        self._bytes += len(pcm)
        most = (MOST_WHILE_MOVING_MS if self.waits else KEPT_MS) * BYTES_PER_MS
        while self._kept_bytes > most and len(self._packets) > 1:
            self._kept_bytes -= len(self._packets.popleft())

    def heard_to(self, at_ms: int) -> None:
        """What came before has become words."""
        self._heard_to_ms = max(self._heard_to_ms, at_ms)

    def sign_of_life(self) -> None:
        """The worker reported something: about all that was sent it has had."""
        self._sign_ms = self.total_ms

    def forget(self) -> None:
        """The client cleared it."""
        self.heard_to(self.total_ms)

    def since(self, voice_began_ms: int | None) -> tuple[int, list[bytes]]:
        """What to send again: from just before the voice began, or else from the last sign of life.

        Returns where in the input it begins, and the packets.
        """
        wanted_ms = self._sign_ms if voice_began_ms is None else min(self._sign_ms, voice_began_ms - BEFORE_VOICE_MS)
        wanted = max(wanted_ms, self._heard_to_ms) * BYTES_PER_MS
        at = self._bytes - self._kept_bytes
        packets: list[bytes] = []
        for packet in self._packets:
            if at >= wanted:
                packets.append(packet)
            at += len(packet)
        return (self._bytes - sum(map(len, packets))) // BYTES_PER_MS, packets
