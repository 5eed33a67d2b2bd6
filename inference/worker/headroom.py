"""How many more streams the loop could carry, judged by its own ticks.

A tick is short of time in one of two ways: one pass takes so long that the others come late, or all passes together
fill the frame. Work done once for all streams stays as it is when one more comes; the rest is shared out per stream,
and that share is what the next one is expected to cost.
"""

import math
from dataclasses import dataclass

from inference.protocol import FRAME_MS
from inference.worker.tick_meter import TickFigures

P99_LIMIT_MS = 0.9 * FRAME_MS
"""The longest pass of a frame, in 99 of 100 frames."""

WORK_LIMIT_MS = 0.75 * FRAME_MS
"""All passes of a frame, on average: the rest is for what comes in bursts."""

LATE_LIMIT = 0.05
"""Share of steps begun a frame late; beyond it nobody is admitted."""

LEAST_COST_MS = 0.02
FRAMES_TO_JUDGE = 25
"""A second of work; until then the cost learned before is believed."""

STEADY_SHARE = 0.1
"""Weight of a reading below the learned cost; one above it is believed at once."""


@dataclass(slots=True)
class Headroom:
    """Learns what a stream costs. Used by one thread."""

    cost_ms: float = LEAST_COST_MS
    """Of one more stream, per frame."""

    def learn(self, figures: TickFigures) -> None:
        """Takes in what the meter says; call it now and then."""
        if figures.frames < FRAMES_TO_JUDGE or figures.live < 1:
            return
        reading_ms = max(LEAST_COST_MS, 1000 * figures.slots_s / figures.live)
        falls = reading_ms < self.cost_ms
        self.cost_ms += (STEADY_SHARE if falls else 1.0) * (reading_ms - self.cost_ms)

    def streams(self, figures: TickFigures, live: int) -> int:
        """How many more could be admitted now, `live` being open or about to open."""
        if live and figures.late_share > LATE_LIMIT:
            return 0
        if not live:
            # One caller is always tried: nobody else suffers, and how would the worker learn that it can?
            return max(1, int(WORK_LIMIT_MS / self.cost_ms))
        p99_ms, work_ms = 1000 * figures.p99_s, 1000 * (figures.shared_s + figures.slots_s)
        # Those who came within the window are not in its means yet, or only in part.
        unmeasured = max(0.0, live - figures.live) if figures.frames >= FRAMES_TO_JUDGE else live
        room_ms = min(P99_LIMIT_MS - p99_ms, WORK_LIMIT_MS - work_ms) - unmeasured * self.cost_ms
        return max(0, math.floor(room_ms / self.cost_ms))
