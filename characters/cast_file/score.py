"""A song's score: `A- G3 1 | ma- C4 2 | zing E4 .5 | _ C4 .5 | grace, E4 2 | - 1`, one phrase to a line."""

import re

from inference.protocol import Note, Song
from inference.protocol.speech import LONGEST_NOTE_S

_PITCH = re.compile(r"([A-Ga-g])([#b]?)(-?\d)")
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
LOWEST_MIDI, HIGHEST_MIDI = 24, 96


class ScoreError(ValueError):
    """A note that cannot be read or sung; `remedy` says how to write it."""

    def __init__(
        self, what: str, remedy: str = "Write `syllable pitch beats`, such as `ma- C4 2`, or `- 1` to rest."
    ) -> None:
        super().__init__(what)
        self.remedy = remedy


def midi_of(pitch: str) -> int:
    """`C4` (middle C) is 60, `F#3` 54, `Bb4` 70. Raises `ScoreError`."""
    found = _PITCH.fullmatch(pitch)
    if not found:
        raise ScoreError(f"{pitch!r} is no pitch.", "Pitches are written C4, F#3 or Bb4; C4 is middle C.")
    step, sign, octave = found.groups()
    return 12 * (int(octave) + 1) + _STEPS[step.lower()] + {"#": 1, "b": -1, "": 0}[sign]


def parse_phrase(phrase: str, tempo_bpm: float, transpose: int = 0) -> Song:
    """The phrase as notes with seconds at this tempo (quarter notes a minute). Raises `ScoreError`."""
    notes = tuple(_note(text.strip(), tempo_bpm, transpose) for text in phrase.split("|"))
    if not any(note.midi is not None for note in notes):
        raise ScoreError("The phrase has no sung note.")
    if notes[0].midi is not None and not notes[0].lyric:
        raise ScoreError("The phrase begins with `_`, which holds the syllable before it.", "Begin with a syllable.")
    if next(note.lyric for note in reversed(notes) if note.lyric).endswith("-"):
        raise ScoreError("The last syllable ends in `-`, but its word does not go on.", "Finish the word or drop `-`.")
    return Song(notes)


def _note(text: str, tempo_bpm: float, transpose: int) -> Note:
    words = text.split()
    if len(words) == 2 and words[0] == "-":
        return Note(_seconds(words[1], tempo_bpm, text), None)
    if len(words) != 3:
        raise ScoreError(f"{text!r} is no note.")
    syllable, pitch, beats = words
    if syllable == "-":
        raise ScoreError(f"{text!r} is a rest with a pitch.", "A rest is `-` and its beats.")
    midi = midi_of(pitch) + transpose
    if not LOWEST_MIDI <= midi <= HIGHEST_MIDI:
        raise ScoreError(f"{text!r} lies outside C1..C7 after transposing.", "Choose another octave or `transpose`.")
    return Note(_seconds(beats, tempo_bpm, text), midi, "" if syllable == "_" else syllable)


def _seconds(beats: str, tempo_bpm: float, text: str) -> float:
    above, slash, below = beats.partition("/")
    try:
        count = float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        raise ScoreError(f"{text!r} has no length in beats.") from None
    seconds = count * 60.0 / tempo_bpm
    if not 0 < seconds <= LONGEST_NOTE_S:
        raise ScoreError(f"{text!r} lasts {seconds:g} s.", f"A note lasts up to {LONGEST_NOTE_S:g} s.")
    return round(seconds, 4)
