"""One slot: the stream that holds it, its mailbox and its lane."""

from dataclasses import dataclass, field

from inference.client.limits import BYTES_PER_S
from inference.errors import ModelFault
from inference.protocol import FRAME_MS, Dropped, Fault, Ready, SessionSpec
from inference.worker.lanes import LaneOpener, LaneStream
from inference.worker.mailbox import Mailbox

AUDIO_PER_STEP_S = 0.16
"""Input taken in one step: a caller's burst is worked off in pieces, so that the others get their turn."""

LATE_S = FRAME_MS / 1000
PREPARE_LIMIT_S = 60.0
"""A caller whose ears and mouth are not loaded by then is told so."""

REST_S = 0.02
"""After which a stream that waits for its reader, or for calls to end, looks again."""

DROPS_EVERY_S = 1.0
"""Losses are reported at most so often."""


@dataclass(slots=True)
class SlotCounts:
    steps: int = 0
    late: int = 0
    """Steps begun more than one frame after they were due."""


@dataclass(slots=True)
class Slot:
    """Used by the loop's thread; `prepared` and `fault` are set from the thread that prepares."""

    index: int
    stream_id: str
    spec: SessionSpec
    mailbox: Mailbox
    opener: LaneOpener
    admitted_at: float
    fence: int = 0
    """Of the session's streams the one with the highest number lives."""

    prepared: bool = False
    fault: Fault | None = None
    lane: LaneStream | None = None
    due: float | None = None
    counts: SlotCounts = field(default_factory=SlotCounts)
    reported: Dropped = field(default_factory=lambda: Dropped(0, 0))
    reported_at: float = float("-inf")

    def is_older(self, session_id: str, fence: int) -> bool:
        """Whether a stream of this session with this number ends this one."""
        return 0 < self.fence <= fence and self.spec.session_id == session_id

    def serve(self, now: float, *, calls: bool = False) -> None:
        """Opens the lane once it is prepared, then steps it if something arrived or is due. While there are `calls`,
        who need not keep time waits. Raises what the lane raises."""
        if self.lane is None:
            if not self.prepared:
                self._check_preparing(now)
                return
            self.lane = self.opener.open(self.spec, now)
            self.mailbox.set_primed()
            self.mailbox.put_events([Ready(self.index)])
            self.due = now
        if not self.spec.paced and (calls or self.mailbox.is_crowded):
            self.due = now + REST_S
        elif self.mailbox.has_input() or (self.due is not None and self.due <= now):
            self._step(self.lane, now)

    def _check_preparing(self, now: float) -> None:
        if now - self.admitted_at > PREPARE_LIMIT_S:
            raise ModelFault(f"{self.spec.character} could not be prepared within {PREPARE_LIMIT_S:g} s")

    def _step(self, lane: LaneStream, now: float) -> None:
        self.counts.steps += 1
        if self.due is not None and now - self.due > LATE_S:
            self.counts.late += 1
        for command in self.mailbox.take_commands():
            lane.command(now, command)
        pcm = self.mailbox.take_audio(int(AUDIO_PER_STEP_S * BYTES_PER_S))
        if pcm:
            lane.audio(now, pcm)
        self.mailbox.put_events([*lane.step(now), *self._new_drops(lane, now)])
        self.due = now if self.mailbox.has_input() else lane.next_due(now)

    def _new_drops(self, lane: LaneStream, now: float) -> list[Dropped]:
        dropped = Dropped(self.mailbox.dropped_packets + lane.dropped_pieces, lane.late_frames)
        if dropped == self.reported or now - self.reported_at < DROPS_EVERY_S:
            return []
        self.reported, self.reported_at = dropped, now
        return [dropped]

    @property
    def late_frames(self) -> int:
        """Of the lane, since the stream began."""
        lane = self.lane
        return 0 if lane is None else lane.late_frames

    def close(self) -> None:
        """Closes the lane."""
        lane, self.lane, self.due = self.lane, None, None
        if lane is not None:
            lane.close()

    def tell_end(self) -> None:
        """Lets the caller know that the stream has ended, and why if it failed."""
        self.mailbox.end(self.fault)
        self.mailbox.set_released()
