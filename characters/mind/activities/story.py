"""A story: paragraph by paragraph; interrupted, it goes on with the sentence that was cut."""

from collections.abc import Iterator

from characters.cast_file import StoryActivity
from characters.mind.activities.told import ToldRun
from characters.mind.base import Thought
from characters.mind.built_in import Phrases
from characters.mind.telling import Telling
from inference.protocol import Pause

PARAGRAPH_PAUSE_S = 0.5


class StoryRun(ToldRun):
    def __init__(self, story: StoryActivity, phrases: Phrases) -> None:
        super().__init__(story, phrases, len(story.paragraphs))
        self._story = story

    def _say_piece(self, telling: Telling, piece: int, sentence: int) -> Iterator[Thought]:
        yield from telling.tell(self._story.paragraphs[piece], piece, sentence)
        yield Pause(PARAGRAPH_PAUSE_S)
