"""How much of a response has been sent, and how much of that has been heard."""

from inference.protocol import AUDIO_RATE_HZ

TRUSTED_AFTER_ACK_S = 0.25
"""Players acknowledge about five times a second: between two of them the clock goes on for so long."""

MISSING_ACKS_S = 1.0
"""A player that does not acknowledge the end is waited for so long after the clock says it was played."""


class Playhead:
    """Positions in samples of the response. Playing starts with the first audio and stalls when it runs out."""

    def __init__(self, paced: bool, acknowledges: bool) -> None:
        self._paced = paced
        self._acknowledges = acknowledges
        self.sent = 0
        self._ends_at = 0.0
        self._acked = 0
        self._acked_at = 0.0

    def send(self, now: float, samples: int) -> None:
        """`samples` more leave now."""
        if not self.sent:
            self._acked_at = now
        self._ends_at = max(now, self._ends_at) + samples / AUDIO_RATE_HZ
        self.sent += samples

    def acknowledge(self, now: float, played_samples: int) -> None:
        """The player has played so many in all. It cannot have played what was not sent, nor take anything back."""
        self._acked = max(self._acked, min(played_samples, self.sent))
        self._acked_at = now

    def ahead_s(self, now: float) -> float:
        """Audio sent and, by the clock, not yet played."""
        return max(0.0, self._ends_at - now)

    def dry_s(self, now: float) -> float:
        """How long ago, by the clock, the player ran out of audio."""
        return max(0.0, now - self._ends_at) if self.sent else 0.0

    def heard(self, now: float) -> int:
        """Samples heard, by acknowledgement or else by the clock. Unpaced audio counts as heard when sent."""
        by_clock = self.sent - round(self.ahead_s(now) * AUDIO_RATE_HZ)
        if self._acknowledges:
            since_ack_s = min(now - self._acked_at, TRUSTED_AFTER_ACK_S)
            return min(by_clock, self._acked + round(since_ack_s * AUDIO_RATE_HZ), self.sent)
        return by_clock if self._paced else self.sent

    def drained_at(self, now: float) -> float:
        """When all that was sent will count as played; not later than `now` if it does already."""
        if self._acknowledges:
            return now if self._acked >= self.sent else self._ends_at + MISSING_ACKS_S
        return self._ends_at if self._paced else now
