"""From an activity of the cast file to a run of it."""

from characters.cast_file import (
    Activity,
    ChatActivity,
    LessonActivity,
    SceneActivity,
    SongActivity,
    StoryActivity,
)
from characters.mind.activities.base import Run
from characters.mind.activities.chat import ChatRun
from characters.mind.activities.lesson import LessonRun
from characters.mind.activities.scene import SceneRun
from characters.mind.activities.song import SongRun
from characters.mind.activities.story import StoryRun
from characters.mind.built_in import Phrases


def run_of(activity: Activity, phrases: Phrases) -> Run:
    """A fresh run of this activity."""
    match activity:
        case StoryActivity():
            return StoryRun(activity, phrases)
        case SongActivity():
            return SongRun(activity, phrases)
        case LessonActivity():
            return LessonRun(activity, phrases)
        case SceneActivity():
            return SceneRun(activity, phrases)
        case ChatActivity():
            return ChatRun(activity, phrases)
