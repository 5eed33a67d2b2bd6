"""How long a session may go on."""

import time
from dataclasses import dataclass

from sessions.live.closing import GUEST_LIMIT, IDLE, LENGTH_LIMIT, Closing


@dataclass(frozen=True, slots=True)
class Limits:
    max_s: float
    """Longest length of one session."""

    idle_s: float
    """Nobody says anything for so long."""

    resume_s: float
    """A session without a socket is kept for so long."""


class Allowance:
    """Watches the clock of one session."""

    def __init__(self, limits: Limits, remaining_s: float | None, *, elapsed_s: float = 0.0) -> None:
        """`elapsed_s`: how long the session has lived elsewhere."""
        self._limits = limits
        self._active_at = time.monotonic()
        self._began_at = self._active_at - elapsed_s
        self._ends_at = None if remaining_s is None else self._active_at + remaining_s

    @property
    def remaining_s(self) -> float | None:
        """Until the listener's own allowance is used up; None: no limit."""
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_at

    def renew(self, remaining_s: float | None) -> None:
        """What a fresh look at the books says."""
        self._ends_at = None if remaining_s is None else time.monotonic() + remaining_s

    def active(self) -> None:
        """Somebody said something."""
        self._active_at = time.monotonic()

    def exceeded(self) -> Closing | None:
        """Why the session must end now, if it must."""
        now = time.monotonic()
        if self._ends_at is not None and now >= self._ends_at:
            return GUEST_LIMIT
        if now - self._began_at >= self._limits.max_s:
            return LENGTH_LIMIT
        if now - self._active_at >= self._limits.idle_s:
            return IDLE
        return None


class TokenBucket:
    """Lets `capacity` through at once and `per_s` a second on average."""

    def __init__(self, capacity: float, per_s: float) -> None:
        self._capacity = capacity
        self._per_s = per_s
        self._level = capacity
        self._at = time.monotonic()

    def take(self) -> bool:
        """Whether one more is allowed."""
        self._fill()
        if self._level < 1:
            return False
        self._level -= 1
        return True

    def wait_s(self) -> float:
        """Takes one in any case, and says how long to wait before acting on it."""
        self._fill()
        self._level -= 1
        return max(0.0, -self._level / self._per_s)

    def _fill(self) -> None:
        now = time.monotonic()
        self._level = min(self._capacity, self._level + (now - self._at) * self._per_s)
        self._at = now
