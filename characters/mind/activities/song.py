"""A song: phrase by phrase; interrupted, it goes on with the phrase that was cut."""

from collections.abc import Iterator

from characters.cast_file import SongActivity
from characters.mind.activities.told import ToldRun
from characters.mind.base import Thought
from characters.mind.built_in import Phrases
from characters.mind.telling import Telling


class SongRun(ToldRun):
    def __init__(self, song: SongActivity, phrases: Phrases) -> None:
        self._phrases = song.score()
        super().__init__(song, phrases, len(self._phrases))

    def again(self, telling: Telling) -> Iterator[Thought]:
        """The whole song: nobody asks for one line again."""
        self.piece = self.sentence = 0
        self.finished = False
        yield from self._tell(telling)

    def skip(self, telling: Telling) -> Iterator[Thought]:
        self.piece, self.sentence = self._length, 0
        yield from self._tell(telling)

    def _say_piece(self, telling: Telling, piece: int, sentence: int) -> Iterator[Thought]:
        yield from telling.sing(self._phrases[piece], piece)
