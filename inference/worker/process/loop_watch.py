"""Whether the worker's loop goes round, seen from outside it."""

import time
from collections.abc import Callable

from inference.worker.loop import Worker

STALL_S = 1.0
"""A loop that has not gone round for so long serves nobody."""


class LoopWatch:
    """Looks at the loop's count of passes. `look` is called a few times a second."""

    def __init__(self, worker: Worker, clock: Callable[[], float] = time.monotonic) -> None:
        self._worker = worker
        self._clock = clock
        self._passes = -1
        self._moved_at = self._looked_at = clock()

    def look(self) -> None:
        now = self._clock()
        if now - self._looked_at > STALL_S:
            # Whoever looks was away; the loop is judged from now on.
            self._moved_at = now
        self._looked_at = now
        if self._worker.passes != self._passes:
            self._passes, self._moved_at = self._worker.passes, now

    @property
    def passes(self) -> int:
        """As last seen."""
        return self._passes

    @property
    def stalled_s(self) -> float:
        """How long the loop had not moved when it was last looked at."""
        return self._looked_at - self._moved_at

    @property
    def is_stalled(self) -> bool:
        return self.stalled_s > STALL_S
