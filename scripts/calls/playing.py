"""What a listener hears: audio played by the clock from the moment it arrives, and where it stops."""

from dataclasses import dataclass, field

from inference.protocol import AUDIO_RATE_HZ

GAP_MS = 100.0
"""A pause that a listener notices."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing was left to play."""

    at: float
    """When it fell silent, on the client's clock in seconds."""

    ms: float
    within: bool
    """In the middle of a response."""


@dataclass(slots=True)
class Player:
    """Plays one response after another as it arrives, without a buffer that would hide anything."""

    ordinal: int = 0
    """Of the response that plays; 0 before the first."""

    pauses: list[Pause] = field(default_factory=list)
    lost_s: float = 0.0
    """Sound that was left out: positions that were skipped."""

    repeated_s: float = 0.0
    """Sound that came twice."""

    _ends_at: float | None = None
    """When what has arrived will have been played."""

    _received: int = 0
    _complete: bool = False

    @property
    def gaps(self) -> list[Pause]:
        """Pauses in the middle of a response, long enough to be noticed."""
        return [pause for pause in self.pauses if pause.within and pause.ms > GAP_MS]

    def arrived(self, now: float, ordinal: int, position: int, num_samples: int) -> None:
        """A packet of response `ordinal`."""
        same = ordinal == self.ordinal
        if self._ends_at is None or now > self._ends_at:
            if self._ends_at is not None and now - self._ends_at > GAP_MS / 1000:
                self.pauses.append(Pause(self._ends_at, (now - self._ends_at) * 1000, same and not self._complete))
            self._ends_at = now
        if not same:
            self.ordinal, self._received, self._complete = ordinal, position, False
        skipped = position - self._received
        self.lost_s += max(0, skipped) / AUDIO_RATE_HZ
        self.repeated_s += max(0, -skipped) / AUDIO_RATE_HZ
        self._received = position + num_samples
        self._ends_at += num_samples / AUDIO_RATE_HZ

    def played_ms(self, now: float) -> float:
        """How far into the response that plays the listener is."""
        left_s = 0.0 if self._ends_at is None else max(0.0, self._ends_at - now)
        return max(0.0, (self._received / AUDIO_RATE_HZ - left_s) * 1000)

    def silent_ms(self, now: float) -> float:
        """How long nothing has been left to play; 0 before the first sound."""
        return 0.0 if self._ends_at is None else max(0.0, now - self._ends_at) * 1000

    def complete(self) -> None:
        """No more of the response comes: silence after it is no gap."""
        self._complete = True

    def flush(self, now: float) -> None:
        """What has not been played is thrown away."""
        if self._ends_at is not None:
            self._ends_at = min(self._ends_at, now)

    def longest_pause_ms(self, since: float, now: float, *, within: bool = False) -> float:
        """The longest silence that ended, or still lasts, after `since`."""
        heard = [each.ms for each in self.pauses if each.at + each.ms / 1000 > since and (each.within or not within)]
        running = 0.0 if within and self._complete else self.silent_ms(now)
        return max([*heard, running])
