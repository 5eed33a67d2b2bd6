"""What stories and songs share: pieces told in order, and a bookmark."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from characters.cast_file import SongActivity, StoryActivity
from characters.mind.activities.base import Marks, Run, last_mark
from characters.mind.base import Thought
from characters.mind.built_in import Phrases
from characters.mind.telling import Telling


class ToldRun(Run):
    """Told piece by piece; piece number `length` stands for the outro."""

    FIELDS = ("piece", "sentence")

    def __init__(self, activity: StoryActivity | SongActivity, phrases: Phrases, length: int) -> None:
        super().__init__(activity, phrases)
        self.piece = 0
        self.sentence = 0
        self._length = length
        self._intro, self._resume, self._outro = activity.intro, activity.resume, activity.outro

    @property
    def waits(self) -> bool:
        return False

    def begin(self, telling: Telling) -> Iterator[Thought]:
        self.piece = self.sentence = 0
        self.finished = self.cut = False
        yield from telling.say_one(f"{self.slug}.intro", self._intro)
        yield from self._tell(telling)

    def resume(self, telling: Telling) -> Iterator[Thought]:
        if self.finished:
            yield from self.begin(telling)
            return
        lines = self._resume or self.phrases.lines("resume")
        yield from telling.say_one(f"{self.slug}.resume", lines)
        yield from self._tell(telling)

    def again(self, telling: Telling) -> Iterator[Thought]:
        """From the beginning of the piece that was being told."""
        self.sentence = 0
        self.piece = min(self.piece, self._length - 1)
        self.finished = False
        yield from self._tell(telling)

    def skip(self, telling: Telling) -> Iterator[Thought]:
        self.piece, self.sentence = min(self.piece + 1, self._length), 0
        yield from self._tell(telling)

    def heard(self, marks: Marks, heard_chars: int, interrupted: bool) -> None:
        stopped_at = last_mark(marks, heard_chars)
        if not interrupted or stopped_at is None:
            return
        self.piece, self.sentence = stopped_at
        self.finished = self.piece >= self._length
        self.cut = not self.finished

    def restore(self, data: dict[str, Any]) -> None:
        super().restore(data)
        # The script may have become shorter since the snapshot was taken.
        self.piece = min(self.piece, self._length)

    def _tell(self, telling: Telling) -> Iterator[Thought]:
        self.cut = False
        while self.piece < self._length:
            yield from self._say_piece(telling, self.piece, self.sentence)
            self.piece, self.sentence = self.piece + 1, 0
        telling.mark(self._length)
        yield from telling.say_one(f"{self.slug}.outro", self._outro)
        self.finished = True

    @abstractmethod
    def _say_piece(self, telling: Telling, piece: int, sentence: int) -> Iterator[Thought]:
        """This paragraph or phrase, from this sentence on."""
