"""Leaving a dead endpoint alone for a while, so that it does not cost a timeout at every turn."""

import time
from collections.abc import Callable

FAILURES_BEFORE_OPEN = 2
FIRST_REST_S = 15.0
LONGEST_REST_S = 300.0


class Breaker:
    """Closed: calls go through. Open: they do not, until the rest is over; then one call tries."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._open_until: float | None = None

    def allows(self) -> bool:
        """Whether to call now. After a rest the first caller is let through and the others wait for its result."""
        if self._open_until is None:
            return True
        if self._clock() < self._open_until:
            return False
        self._open_until = self._clock() + self._rest_s
        return True

    def succeeded(self) -> None:
        self._failures, self._rest_s, self._open_until = 0, FIRST_REST_S, None

    def failed(self, hopeless: bool = False) -> None:
        """`hopeless`: trying again soon cannot help (a wrong key, no such model)."""
        self._failures += 1
        if not hopeless and self._failures < FAILURES_BEFORE_OPEN:
            return
        if self._open_until is not None:
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
        self._open_until = self._clock() + self._rest_s
