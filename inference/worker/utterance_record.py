"""The user's turn in the making, and the one before it in case the user goes on with it."""

import uuid

from inference.protocol import Heard
from inference.worker.listening import Reading


class UtteranceRecord:
    """Names turns, joins a continued one to what came before, and reports it."""

    def __init__(self) -> None:
        self.utterance_id = ""
        self.is_open = False
        """The turn was announced and is not finished."""

        self.interrupted_response_id: str | None = None
        self._start_ms = 0
        self._told = ""
        self._earlier = Reading()
        self._replaces: str | None = None
        self._last = Reading()

    def begin(self, start_ms: int) -> str:
        """A new turn; returns its id."""
        self._open(start_ms)
        self._earlier, self._replaces = Reading(), None
        return self.utterance_id

    def go_on(self) -> str:
        """The turn before goes on, under a new id that stands for the old one too."""
        self._earlier, self._replaces = self._last, self.utterance_id
        self._open(self._start_ms)
        return self.utterance_id

    def _open(self, start_ms: int) -> None:
        self.utterance_id = f"utt_{uuid.uuid4().hex[:16]}"
        self.is_open = True
        self._start_ms = start_ms
        self._told = ""

    def joined(self, partial: str) -> str:
        """The whole turn's words, given those since it went on."""
        if not self.is_open or not self._earlier.text:
            return partial
        return f"{self._earlier.text} {partial}".rstrip()

    def should_tell(self, text: str) -> bool:
        """Whether these words are news about an announced turn."""
        if not self.is_open or not text or text == self._told:
            return False
        self._told = text
        return True

    def finish(self, reading: Reading, end_ms: int) -> Heard:
        """The turn as it was heard."""
        self._last = self._earlier.then(reading)
        self.is_open = False
        interrupted, self.interrupted_response_id = self.interrupted_response_id, None
        return Heard(
            utterance_id=self.utterance_id,
            text=self._last.text,
            start_ms=self._start_ms,
            end_ms=end_ms,
            words=self._last.words,
            confidence=self._last.confidence,
            alternatives=self._last.alternatives,
            interrupted_response_id=interrupted,
            replaces=self._replaces,
        )

    def drop(self) -> None:
        """The turn is forgotten."""
        self.is_open = False
        self.interrupted_response_id = None
