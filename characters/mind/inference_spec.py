"""What the ears should expect of a call with a character: built from its cast file."""

import re
from collections.abc import Iterator

from characters.cast_file import (
    CastFile,
    ChatActivity,
    LessonActivity,
    Reply,
    SceneActivity,
    SongActivity,
    plain_text,
)
from characters.cast_file.review import spoken_lines
from characters.mind.commands import CUES
from characters.mind.matching import is_chinese
from characters.mind.style_requests import style_cues
from inference.protocol import EarsSpec

_SLOT = re.compile(r"\{\w+\}")
MOST_PHRASES = 4000
MOST_SCRIPT_LINES = 4000
_LEAD_INS = ("tell me about {}", "i would like {}", "let's do {}")
_SMALL_TALK = (
    "my name is",
    "call me",
    "i don't understand",
    "can you say that again",
    "what do you mean",
    "that was nice",
    "that was funny",
    "i like that",
    "i don't like that",
    "tell me more",
    "why",
    "why not",
    "how come",
    "really",
    "maybe",
    "i think so",
    "i don't think so",
    "me too",
    "of course not",
    "sorry",
    "excuse me",
    "what did you say",
    "what time is it",
    "where are you from",
    "what do you like",
    "i am tired",
    "i am fine",
    "i am fine thank you",
    "and you",
    "i am sad",
    "i am happy",
    "i need help",
    "i want to talk",
    "let's talk",
    "let's begin",
    "i am ready",
    "not yet",
    "i changed my mind",
    "tell me something",
    "i want to kill myself",
    "i want to die",
    "i want to hurt myself",
)
"""What people say to anybody. The last lines are here so that the worst is never misheard."""


def ears_spec(cast: CastFile) -> EarsSpec:
    """Phrases listeners are likely to say, and what the character itself says.

    A character that speaks English is given no Chinese phrase: those are for typed input.
    """
    chinese = cast.language.startswith(("zh", "cmn"))
    phrases = dict.fromkeys(plain_text(each).lower() for each in _phrases(cast) if chinese or not is_chinese(each))
    script = dict.fromkeys(plain_text(_SLOT.sub("", line)) for line in _script(cast))
    return EarsSpec(
        language=cast.language,
        phrases=tuple(phrase for phrase in phrases if phrase)[:MOST_PHRASES],
        script=tuple(line for line in script if line)[:MOST_SCRIPT_LINES],
    )


def _phrases(cast: CastFile) -> Iterator[str]:
    yield from _of_replies(cast.script.replies)
    for activity in cast.activities:
        yield from activity.cues
        yield activity.title.en
        for lead_in in _LEAD_INS:
            yield lead_in.format(activity.title.en)
        match activity:
            case LessonActivity():
                yield from _of_lesson(activity)
            case SceneActivity():
                yield from (cue for beat in activity.beats for answer in beat.answers for cue in answer.cues)
            case ChatActivity():
                for question in activity.questions:
                    yield from _of_replies(question.replies)
    for role in cast.roles:
        yield from role.cues
        yield role.name
        yield from _of_replies(role.replies)
    for cues in CUES.values():
        yield from cues
    yield from (cue for _, cue in style_cues(cast))
    yield from _SMALL_TALK
    yield cast.name.en


def _of_replies(replies: tuple[Reply, ...]) -> Iterator[str]:
    for reply in replies:
        yield from reply.cues
        yield from _of_replies(reply.follow)


def _of_lesson(lesson: LessonActivity) -> Iterator[str]:
    for step in lesson.steps:
        yield from step.expect
        for slip in step.mistakes:
            yield from slip.heard


def _script(cast: CastFile) -> Iterator[str]:
    yield from (line for _, line in spoken_lines(cast))
    for activity in cast.activities:
        if isinstance(activity, SongActivity):
            yield from (phrase.lyrics for phrase in activity.score())
