"""Keeps the mind from running ahead of what is spoken."""

import asyncio
from collections import deque

from inference.protocol import Deliver, Pause, Song, SpeechPart, Words
from sessions.realtime.responses import num_words

MAX_AHEAD_S = 30.0
WORDS_PER_S = 2.5
GRACE_S = 5.0


class Pace:
    """How many seconds of speech have been handed to the worker and not been spoken yet, about."""

    def __init__(self, max_ahead_s: float = MAX_AHEAD_S) -> None:
        self._max_ahead_s = max_ahead_s
        self._parts: deque[tuple[int, float]] = deque()
        self._done_chars = 0
        self._waiting_s = 0.0
        self._share_s = 0.0
        self._moved = asyncio.Event()

    @property
    def ahead_s(self) -> float:
        return self._waiting_s - self._share_s

    def handed(self, part: SpeechPart) -> None:
        """This part went to the worker."""
        seconds = seconds_of(part)
        self._parts.append((len(spoken_text(part)), seconds))
        self._waiting_s += seconds

    def spoken(self, char_end: int) -> None:
        """The response's text has been spoken up to here. A pause counts as over with the words before it."""
        while self._parts and self._done_chars + self._parts[0][0] <= char_end:
            chars, seconds = self._parts.popleft()
            self._done_chars += chars
            self._waiting_s -= seconds
        self._share_s = 0.0
        if self._parts:
            # Within a part, time is taken to run evenly over its letters.
            chars, seconds = self._parts[0]
            self._share_s = seconds * max(char_end - self._done_chars, 0) / chars if chars else 0.0
        self._moved.set()

    async def room(self) -> None:
        """Returns once no more than the limit is ahead; at the latest when all of it must have been heard."""
        try:
            async with asyncio.timeout(self.ahead_s + GRACE_S):
                while self.ahead_s > self._max_ahead_s:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            # Humming and pauses have no words to tell how far they are.
            self._parts.clear()
            self._waiting_s = self._share_s = 0.0


def spoken_text(part: SpeechPart) -> str:
    """What a part adds to the response's whole text."""
    match part:
        case Words(text=text):
            return text
        case Song():
            return part.lyrics
        case _:
            return ""


def seconds_of(part: SpeechPart) -> float:
    """About how long it takes to say."""
    match part:
        case Words(text=text):
            return num_words(text) / WORDS_PER_S
        case Pause(seconds=seconds):
            return seconds
        case Song(notes=notes):
            return sum(note.seconds for note in notes)
        case Deliver():
            return 0.0
