"""Activities as small state machines, one file per kind."""

from characters.mind.activities.base import Run
from characters.mind.activities.chat import ChatRun
from characters.mind.activities.lesson import LessonRun
from characters.mind.activities.scene import SceneRun
from characters.mind.activities.song import SongRun
from characters.mind.activities.start import run_of
from characters.mind.activities.story import StoryRun

__all__ = ["ChatRun", "LessonRun", "Run", "SceneRun", "SongRun", "StoryRun", "run_of"]
