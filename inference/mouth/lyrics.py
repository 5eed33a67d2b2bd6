"""The words of a song: which notes sing which syllable of which word."""

from dataclasses import dataclass, field

from inference.protocol import Song

OPEN_VOWEL = "ah"
"""Sung where a note holds a syllable that is not there."""


@dataclass(frozen=True, slots=True)
class TimedNote:
    """A note at its place in the performance; seconds from the song's first beat."""

    start_s: float
    end_s: float
    midi: float | None
    lyric: str


@dataclass(slots=True)
class Syllable:
    """One vowel to sing, from its beat to the end of the last note that holds it; seconds from the song's start."""

    start_s: float
    end_s: float


@dataclass(slots=True)
class LyricWord:
    """A word as written in `Song.lyrics` from `char_start`, as pronounced, and its syllables."""

    text: str
    char_start: int
    pronounced: str
    syllables: list[Syllable] = field(default_factory=list)


def perform(song: Song, rate: float, transpose: float) -> list[TimedNote]:
    """The song's notes at another tempo (`rate` 2 is twice as fast) and pitch (semitones)."""
    notes = []
    at_s = 0.0
    for note in song.notes:
        end_s = at_s + note.seconds / rate
        midi = None if note.midi is None else note.midi + transpose
        notes.append(TimedNote(at_s, end_s, midi, note.lyric))
        at_s = end_s
    return notes


def read_lyrics(notes: list[TimedNote]) -> list[LyricWord]:
    """Words in order. A hold without a syllable before it sings an open vowel that no caption shows (empty `text`)."""
    words: list[LyricWord] = []
    for word, note in _written(notes):
        if note.midi is None:
            continue
        last = words[-1].syllables[-1] if words else None
        if word is not None:
            if not words or words[-1] is not word:
                words.append(word)
            word.syllables.append(Syllable(note.start_s, note.end_s))
        elif last is not None and abs(last.end_s - note.start_s) < 1e-6:
            last.end_s = note.end_s
        else:
            words.append(LyricWord("", 0, OPEN_VOWEL, [Syllable(note.start_s, note.end_s)]))
    for word in words:
        word.pronounced = word.pronounced or _pronounced(word.text)
    return [word for word in words if word.pronounced]


def _written(notes: list[TimedNote]) -> list[tuple[LyricWord | None, TimedNote]]:
    """Each note with the word it sings a syllable of, placed as `Song.lyrics` writes them; None for holds and rests."""
    paired: list[tuple[LyricWord | None, TimedNote]] = []
    lyrics_left = sum(1 for note in notes if note.lyric)
    word: LyricWord | None = None
    char = 0
    for note in notes:
        if not note.lyric:
            paired.append((None, note))
            continue
        lyrics_left -= 1
        goes_on = note.lyric.endswith("-") and lyrics_left > 0
        written = note.lyric[:-1] if goes_on else note.lyric
        if word is None:
            word = LyricWord("", char, "")
        word.text += written
        paired.append((word, note))
        char += len(written) + (0 if goes_on else 1)
        if not goes_on:
            word = None
    return paired


def _pronounced(text: str) -> str:
    """Letters, digits and apostrophes: punctuation would make the reader pause."""
    return "".join(char if char.isalnum() or char in "'’" else " " for char in text).strip()
