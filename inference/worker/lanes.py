"""What a slot runs: the interface between the loop and the ways to answer."""

from typing import Protocol

from inference.protocol import Command, Event, SessionSpec


class LaneStream(Protocol):
    """One caller's conversation on one slot. Used by the loop's thread only; `now` is the loop's clock in seconds."""

    def command(self, now: float, command: Command) -> None:
        """Takes a command. Its events come with the next `step`. Unknown or stale commands are ignored."""

    def audio(self, now: float, pcm: bytes) -> None:
        """Takes PCM16 at `AUDIO_RATE_HZ`, any length."""

    def step(self, now: float) -> list[Event]:
        """Does what is due at `now` and returns what happened since the last step. Takes a few ms."""

    def next_due(self, now: float) -> float | None:
        """When `step` is wanted although nothing arrives; None: not before something arrives."""

    @property
    def late_frames(self) -> int:
        """Frames' worth of output that came too late to be heard without a gap, since the stream began."""

    @property
    def dropped_pieces(self) -> int:
        """Pieces of input that the lane itself had to drop, since the stream began."""

    def close(self) -> None:
        """Gives back what it holds. Idempotent."""


class Pulse(Protocol):
    """Something that several streams share and that has a time of its own, such as a model with many callers."""

    def tick(self, now: float) -> float | None:
        """Does what is due at `now`, once for all; returns when it is wanted again, or None. Raises nothing: what fails
        is told to the streams at their next step."""


class LaneOpener(Protocol):
    """Makes the streams of one lane. Shared by all slots."""

    @property
    def pulse(self) -> Pulse | None:
        """What the loop ticks before it steps the streams."""

    @property
    def most_streams(self) -> int | None:
        """Streams that may be open at once, where that is fewer than the worker has slots."""

    def prepare(self, spec: SessionSpec) -> None:
        """Loads what `spec` needs: slow, called off the loop, thread-safe. Raises `InvalidSpec`."""

    def open(self, spec: SessionSpec, now: float) -> LaneStream:
        """A stream for `spec`, already prepared. Quick; called on the loop."""
