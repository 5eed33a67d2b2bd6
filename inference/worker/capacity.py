"""How many streams a worker would take now: its free slots, and no more than its ticks have room for."""

import time
from collections.abc import Callable

from inference.worker.headroom import Headroom
from inference.worker.loop import Worker
from inference.worker.tick_meter import TickFigures

EXPECTED_S = 2.0
"""A stream that was let in and has not opened by then will not open."""


class Capacity:
    """Used by one thread."""

    def __init__(self, worker: Worker, clock: Callable[[], float] = time.monotonic) -> None:
        self._worker = worker
        self._clock = clock
        self._headroom = Headroom()
        self._expected: dict[str, float] = {}

    @property
    def worker(self) -> Worker:
        return self._worker

    @property
    def figures(self) -> TickFigures:
        return self._worker.meter.figures(self._worker.clock())

    @property
    def cost_ms(self) -> float:
        """What one more stream is expected to take of a frame."""
        return self._headroom.cost_ms

    def learn(self) -> None:
        """To be called every second or so."""
        self._headroom.learn(self.figures)

    def slots_open(self) -> int:
        """New calls that would be admitted now."""
        free = self.slots_free()
        return max(0, min(free, self._headroom.streams(self.figures, self._worker.slots - free))) if free else 0

    def slots_free(self) -> int:
        """Calls that are live already, and lost their worker, would be admitted up to here: they suffer less from a
        busy worker than from none."""
        if not self._worker.is_alive or self._worker.is_draining:
            return 0
        now = self._clock()
        self._expected = {lease: until for lease, until in self._expected.items() if until > now}
        return max(0, self._worker.slots_free - len(self._expected))

    def expect(self, lease: str) -> None:
        """A stream was let in and will open soon: its place is kept."""
        self._expected[lease] = self._clock() + EXPECTED_S

    def arrived(self, lease: str) -> None:
        """It has opened, or will not."""
        self._expected.pop(lease, None)
