"""The parts of one speech as they arrive, and the next thing to make sound of."""

from collections import deque
from dataclasses import dataclass

from inference.errors import InvalidSpec
from inference.mouth.phrases import (
    LONGEST_PHRASE_CHARS,
    Phrase,
    count_words,
    find_phrase_end,
    is_sayable,
    last_word_break,
    pause_after,
)
from inference.protocol import Deliver, Pause, Song, SpeechPart, Words

PATIENCE_CALLS = 5
"""How many calls of `take` (one a tick, 40 ms) an unfinished clause may wait for its end."""

FIRST_PATIENCE_CALLS = 1
"""The same for the first words of a speech: nobody is talking yet, so someone is waiting."""

FEWEST_WORDS = 3
HESITATION_S = 0.06
"""Silence after words that had to be spoken before the next were known: the effects let go of their end."""

MOST_CHARS = 200_000
MOST_PARTS = 20_000
"""Of one speech: hours, more than any mind says at a time."""


@dataclass(frozen=True, slots=True)
class PlacedSong:
    """A song and where its lyrics begin in the speech's whole text."""

    song: Song
    char_start: int


@dataclass(slots=True)
class _Text:
    text: str
    char_start: int


Utterable = Phrase | Pause | PlacedSong | Deliver


class SpeechText:
    """`take` gives the pieces in order, each text cut at the earliest clause end."""

    def __init__(self) -> None:
        self._items: deque[_Text | Pause | PlacedSong | Deliver] = deque()
        self._chars = 0
        self._calls_waited = 0
        self._spoken = False
        self.ended = False

    def add(self, part: SpeechPart) -> None:
        """The next part. Raises `InvalidSpec` when the speech becomes too long."""
        added = len(part.text) if isinstance(part, Words) else len(part.lyrics) if isinstance(part, Song) else 0
        if self._chars + added > MOST_CHARS or len(self._items) >= MOST_PARTS:
            raise InvalidSpec(f"a speech has at most {MOST_CHARS} characters and {MOST_PARTS} parts waiting")
        match part:
            case Words(text):
                self._add_text(text)
            case Song():
                self._items.append(PlacedSong(part, self._chars))
                self._chars += len(part.lyrics)
            case Pause() | Deliver():
                self._items.append(part)

    def end(self) -> None:
        self.ended = True

    @property
    def is_over(self) -> bool:
        """Ended, and nothing left that makes a sound or a silence."""
        return self.ended and not any(_sounds(item) for item in self._items)

    @property
    def next_song(self) -> PlacedSong | None:
        """The song that comes next, None when something else does or it is not known yet."""
        for item in self._items:
            if not isinstance(item, _Text) or item.text.strip():
                return item if isinstance(item, PlacedSong) else None
        return None

    def take(self) -> Utterable | None:
        """The next piece, None when nothing is complete yet. An unfinished clause is cut when it kept us waiting."""
        while self._items:
            head = self._items[0]
            if not isinstance(head, _Text):
                self._items.popleft()
                return head
            length = self._phrase_length(head.text) if head.text.strip() else len(head.text)
            if length is None:
                self._calls_waited += 1
                return None
            phrase = self._cut(head, length)
            if phrase is not None:
                self._calls_waited, self._spoken = 0, True
                return phrase
        return None

    def _add_text(self, text: str) -> None:
        if not text:
            return
        if self._items and isinstance(last := self._items[-1], _Text):
            last.text += text
        else:
            self._items.append(_Text(text, self._chars))
        self._chars += len(text)

    def _phrase_length(self, text: str) -> int | None:
        is_whole = self.ended or len(self._items) > 1
        length = find_phrase_end(text[: 2 * LONGEST_PHRASE_CHARS])
        if length is None and is_whole:
            length = len(text)
        if length is None:
            length = self._impatient_length(text)
        if (len(text) if length is None else length) > LONGEST_PHRASE_CHARS:
            length = last_word_break(text, LONGEST_PHRASE_CHARS) or LONGEST_PHRASE_CHARS
        return length

    def _impatient_length(self, text: str) -> int | None:
        """All but the last word (its punctuation may be on the way), once the clause was waited for long enough."""
        patience = PATIENCE_CALLS if self._spoken else FIRST_PATIENCE_CALLS
        if self._calls_waited < patience:
            return None
        if pause_after(text):
            return len(text)
        stem = text.rstrip()
        cut = last_word_break(stem, len(stem) - 1)
        return cut if cut is not None and count_words(stem[:cut]) >= FEWEST_WORDS else None

    def _cut(self, head: _Text, length: int) -> Phrase | None:
        """Take `length` characters off the head; None when there was nothing to say in them."""
        text, start = head.text[:length], head.char_start
        head.text, head.char_start = head.text[length:], start + length
        if not head.text:
            self._items.popleft()
        if not is_sayable(text):
            return None
        pause_s = pause_after(text)
        if self._items and isinstance(self._items[0], Pause):
            pause_s = 0.0
        if self.is_over:
            # Nobody waits for the silence after the last word: the turn is over with it.
            return Phrase(text, start, pause_s=0.0, continues=False)
        is_hesitation = not pause_s and not self._items
        return Phrase(text, start, HESITATION_S if is_hesitation else pause_s, continues=True)


def _sounds(item: _Text | Pause | PlacedSong | Deliver) -> bool:
    match item:
        case _Text():
            return is_sayable(item.text)
        case Deliver():
            return False
    return True
