"""The words a mouth is given: a bounded stream of pieces, each several tokens, with where each began."""

from collections import deque

from inference.engine.plans import WordStart
from inference.errors import SlowConsumer
from inference.models.tokenizer import VoilaTokenizer


class ForcedWords:
    """Pieces go in as they are to be read, white space included; tokens come out one by one."""

    def __init__(self, tokenizer: VoilaTokenizer, max_queued: int) -> None:
        self._tokenizer = tokenizer
        self._max_queued = max_queued
        self._waiting: deque[str] = deque()
        self._tokens: deque[int] = deque()
        self._num_started = 0
        self.ended = False

    def push(self, words: tuple[str, ...]) -> None:
        """Raises `SlowConsumer` when more words wait than may, and takes none of these."""
        if len(self._waiting) + len(words) > self._max_queued:
            raise SlowConsumer(f"{self._max_queued} words may wait, no more")
        self._waiting.extend(words)

    @property
    def inside_word(self) -> bool:
        return bool(self._tokens)

    @property
    def waiting(self) -> bool:
        """Whether a word could begin."""
        self._skip_silent()
        return bool(self._waiting)

    def start(self, frame: int) -> WordStart:
        """The next word begins, at this frame."""
        word = self._waiting.popleft()
        self._tokens.extend(self._tokenizer.encode(word))
        self._num_started += 1
        return WordStart(self._num_started - 1, word, frame)

    def next_token(self) -> int:
        return self._tokens.popleft()

    def _skip_silent(self) -> None:
        """Pieces without a token would start a word that says nothing."""
        while self._waiting and not self._tokenizer.encode(self._waiting[0]):
            self._waiting.popleft()
