"""The mouth's interface: words in as they are decided, audio frames out with word times."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.protocol import SpeechPart, StyleSpec, VoiceSpec


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word in the speech's audio and text."""

    text: str
    start_sample: int
    end_sample: int
    """At `AUDIO_RATE_HZ`, from the first sample of the speech."""

    char_start: int
    char_end: int
    """In the speech's whole text: `Words` parts and song lyrics joined as written."""


@dataclass(frozen=True, slots=True)
class SpokenFrame:
    """One frame of speech, and the words that begin in it."""

    pcm: NDArray[np.float32]
    """[FRAME_SAMPLES] at `AUDIO_RATE_HZ`, in -1..1. The last frame of a speech is padded with silence."""

    words: tuple[SpokenWord, ...] = ()


class Speech(Protocol):
    """One response being spoken, effects included. Used by the tick loop's thread only."""

    def add(self, part: SpeechPart) -> None:
        """The next part. Words are spoken as soon as a whole phrase of them is known."""

    def end(self) -> None:
        """No more parts."""

    def set_style(self, style: StyleSpec) -> None:
        """The session's style changed; it applies to the next frame (`Deliver` in the speech overrides it)."""

    def frame(self) -> SpokenFrame | None:
        """The next frame, or None when none is ready yet. Takes at most a few ms on average."""

    @property
    def finished(self) -> bool:
        """True once `end` was called and every frame was taken."""

    def close(self) -> None:
        """No more frames are wanted: gives back what it holds. Idempotent."""


class Mouth(Protocol):
    """What speaks; many streams share it."""

    def prepare(self, voice: VoiceSpec) -> None:
        """Load what `voice` needs; slow the first time. Raises `InvalidSpec` for a voice it cannot speak."""

    def begin(self, voice: VoiceSpec, style: StyleSpec) -> Speech:
        """A new speech in this voice and style."""
