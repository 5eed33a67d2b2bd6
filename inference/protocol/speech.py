"""What a mind wants said, as a stream of parts: words, pauses, songs, and changes of delivery."""

import math
from dataclasses import dataclass

from inference.errors import InvalidSpec
from inference.protocol.specs import StyleSpec, VoiceSpec

LONGEST_PAUSE_S = 20.0
LONGEST_NOTE_S = 20.0


@dataclass(frozen=True, slots=True)
class Words:
    """Text to speak. Parts join as written, so a part may end in the middle of a sentence but not of a word."""

    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence that belongs to the telling."""

    seconds: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and 0 <= self.seconds <= LONGEST_PAUSE_S):
            raise InvalidSpec(f"a pause lasts 0..{LONGEST_PAUSE_S:g} s, not {self.seconds!r}")


@dataclass(frozen=True, slots=True)
class Note:
    """One syllable of a song, or a rest."""

    seconds: float
    midi: float | None
    """Pitch as a MIDI note number (69 is 440 Hz); None is a rest."""

    lyric: str = ""
    """The syllable as written, "gra-" when its word goes on in the next note; empty holds the vowel before it."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and 0 < self.seconds <= LONGEST_NOTE_S):
            raise InvalidSpec(f"a note lasts up to {LONGEST_NOTE_S:g} s, not {self.seconds!r}")
        if self.midi is not None and not 24 <= self.midi <= 96:
            raise InvalidSpec(f"a note's pitch is a MIDI number in 24..96 or None, not {self.midi!r}")


@dataclass(frozen=True, slots=True)
class Song:
    """A phrase to sing, note by note."""

    notes: tuple[Note, ...]

    @property
    def lyrics(self) -> str:
        """The words as one would write them: syllables joined, holds and rests left out."""
        words = " ".join(note.lyric for note in self.notes if note.lyric)
        return words.replace("- ", "")


@dataclass(frozen=True, slots=True)
class Deliver:
    """From here to the end of this speech: this voice, this style. None keeps what was."""

    style: StyleSpec | None = None
    voice: VoiceSpec | None = None


SpeechPart = Words | Pause | Song | Deliver
