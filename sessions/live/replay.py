"""What a session has sent lately, for a client that comes back."""

import heapq
from collections import deque

from sessions.live.outbox import Entry


class Replay:
    """The last of what a session sent, for a client that comes back."""

    AUDIO_MS = 10_000
    TEXTS = 4_000

    def __init__(self) -> None:
        self._texts: deque[Entry] = deque(maxlen=self.TEXTS)
        self._audio: deque[Entry] = deque()
        self._audio_ms = 0.0

    def keep(self, entry: Entry) -> float:
        """Remembers a message; returns the milliseconds of audio that are forgotten for it."""
        if not entry.audio_ms:
            self._texts.append(entry)
            return 0.0
        self._audio.append(entry)
        self._audio_ms += entry.audio_ms
        forgotten_ms = 0.0
        while self._audio_ms > self.AUDIO_MS:
            oldest = self._audio.popleft()
            self._audio_ms -= oldest.audio_ms
            forgotten_ms += oldest.audio_ms
        return forgotten_ms

    def after(self, sequence: int) -> list[Entry]:
        """What came after this number, in order."""
        merged = heapq.merge(self._texts, self._audio, key=lambda entry: entry.sequence)
        return [entry for entry in merged if entry.sequence > sequence]

    def covers(self, sequence: int) -> bool:
        """Whether no text after this number has been forgotten."""
        return len(self._texts) < self.TEXTS or self._texts[0].sequence <= sequence + 1
