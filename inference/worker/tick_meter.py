"""How long the loop's passes take, frame by frame, over the last ten seconds."""

import math
import threading
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass

from inference.protocol import FRAME_MS

FRAME_S = FRAME_MS / 1000
WINDOW_FRAMES = 250
"""Ten seconds."""

OUTAGE_S = 0.25
"""A pass this long is no work but a machine that stood still: its worker was stopped, or its memory fetched back."""

OUTAGE_FRAMES = 50
"""Frames for which an outage counts in all that it spoiled; after two seconds as one. One that comes back is counted
each time."""

BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.5, 1.0, 2.5)
"""Upper edges of the histogram that counts every pass with work in it."""


@dataclass(slots=True)
class _Frame:
    """Forty milliseconds of the loop's life."""

    number: int
    longest_s: float = 0.0
    shared_s: float = 0.0
    """Work done once for all streams, such as a model's tick."""

    slots_s: float = 0.0
    """Work done for one stream after another."""

    live: int = 0
    steps: int = 0
    late: int = 0
    outage: bool = False
    """Only a pass of `OUTAGE_S` or more reached into it, and ended in a later one."""


@dataclass(frozen=True, slots=True)
class TickFigures:
    """Of the last ten seconds."""

    p99_s: float = 0.0
    """In 99 of 100 frames no pass was longer than this."""

    shared_s: float = 0.0
    """Mean work of a frame that does not grow with the streams."""

    slots_s: float = 0.0
    """Mean work of a frame that does."""

    live: float = 0.0
    """Mean number of streams."""

    late_share: float = 0.0
    """Steps begun more than a frame late, of all steps."""

    frames: int = 0
    """In which the loop did any work for a stream."""


class TickMeter:
    """Written by the loop's thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: deque[_Frame] = deque(maxlen=WINDOW_FRAMES)
        self._bucket_counts = [0] * (len(BUCKETS_S) + 1)
        self._total_s = 0.0

    def note(self, began: float, ended: float, shared_s: float, live: int, steps: int, late: int) -> None:
        """A pass of the loop, in seconds of its clock; `shared_s` of it went into work for all."""
        if not steps and not shared_s:
            return
        took = ended - began
        with self._lock:
            self._bucket_counts[bisect_left(BUCKETS_S, took)] += 1
            self._total_s += took
            first, last = math.floor(began / FRAME_S), math.floor(ended / FRAME_S)
            # A pass longer than a frame spoils every frame it reaches into.
            for number in range(max(first, last - WINDOW_FRAMES), last + 1):
                frame = self._frame(number)
                frame.outage = took >= OUTAGE_S and number < last
                frame.longest_s = max(frame.longest_s, took)
                frame.live = max(frame.live, live)
            # The work itself is counted once, where it ends.
            if took < OUTAGE_S:
                frame.shared_s += shared_s
                frame.slots_s += max(0.0, took - shared_s)
            frame.steps += steps
            frame.late += late

    def _frame(self, number: int) -> _Frame:
        if not self._frames or self._frames[-1].number != number:
            self._frames.append(_Frame(number))
        return self._frames[-1]

    def figures(self, now: float) -> TickFigures:
        """`now` is the loop's clock."""
        oldest = math.floor(now / FRAME_S) - WINDOW_FRAMES
        with self._lock:
            frames = [frame for frame in self._frames if frame.number >= oldest]
        if not frames:
            return TickFigures()
        spans = WINDOW_FRAMES if len(frames) == WINDOW_FRAMES else math.floor(now / FRAME_S) - frames[0].number + 1
        forgiven = math.floor(now / FRAME_S) - OUTAGE_FRAMES
        longest = sorted(frame.longest_s for frame in frames if not frame.outage or frame.number >= forgiven)
        # Frames without work count as well: they are the shortest.
        rank = math.ceil(0.01 * min(spans, WINDOW_FRAMES))
        steps = sum(frame.steps for frame in frames)
        return TickFigures(
            p99_s=longest[-min(rank, len(longest))],
            shared_s=sum(frame.shared_s for frame in frames) / spans,
            slots_s=sum(frame.slots_s for frame in frames) / spans,
            live=sum(frame.live for frame in frames) / len(frames),
            late_share=sum(frame.late for frame in frames) / steps if steps else 0.0,
            frames=len(frames),
        )

    def histogram(self) -> tuple[list[tuple[str, float]], float]:
        """Passes with work since the start: cumulative counts by upper edge in seconds, and their total seconds."""
        with self._lock:
            counts, total_s = list(self._bucket_counts), self._total_s
        edges = [*map(str, BUCKETS_S), "+Inf"]
        return [(edge, float(sum(counts[: index + 1]))) for index, edge in enumerate(edges)], total_s
