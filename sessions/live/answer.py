"""One answer of the character: the mind's thoughts on their way to the worker, or to the page as text."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from characters.mind.base import ActivityChanged, ChangeStyle, HangUp, Mind, Occasion
from inference.client import VoiceStream
from inference.protocol import EndSpeech, LatencyMarks, SpeakPart, SpeechPart, StartSpeech
from sessions.live.pace import Pace, spoken_text
from sessions.realtime.responses import Ending, Response, ResponsePlan, num_words

THOUGHT_LIMIT_S = 20.0
"""A mind that is silent for so long has failed."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be answered, and how."""

    occasion: Callable[[], Awaitable[Occasion]]
    """Awaited when the answer begins: a transcript may still be on its way."""

    plan: ResponsePlan
    ends_session: bool = False
    typed: str | None = None
    """What the user wrote, where the model behind the stream answers it; the mind is not asked."""


@dataclass(slots=True)
class Answer:
    """What has become of one request. `response` makes its events; times are in ms since the session began."""

    request: Request
    response: Response
    ordinal: int
    turn_index: int
    pace: Pace = field(default_factory=Pace)
    full_text: str = ""
    adopted: bool = False
    """The worker decides what is said: the words are known as they are spoken or written."""

    opened: bool = False
    """The worker was told to start speaking."""

    closed: bool = False
    """The worker was told that there is no more."""

    ending: Ending | None = None
    """Set once it is being cut short."""

    hangs_up: bool = False
    epoch: int = 0
    started_ms: int = 0
    char_end: int = 0
    num_captions: int = 0
    words: list[tuple[str, int, int]] = field(default_factory=list)
    word_ends: list[int] = field(default_factory=list)
    """Where each of the words ends in the whole text."""

    played_ms: float | None = None
    """What the player said last of how far it is, at `played_at`."""

    played_at: float = 0.0
    marks: LatencyMarks | None = None
    first_audio_at: float | None = None
    sent_at: float | None = None
    flushed: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        return self.response.id

    @property
    def latency(self) -> dict[str, float]:
        """Stages in ms after the end of the user's voice; `sent` once its first audio was written to the socket."""
        if self.marks is None:
            return {}
        stages = dict(self.marks.stages)
        if "first_audio" in stages and self.first_audio_at is not None and self.sent_at is not None:
            stages["sent"] = stages["first_audio"] + (self.sent_at - self.first_audio_at) * 1000
        return {name: round(value, 1) for name, value in stages.items()}


@dataclass(frozen=True, slots=True)
class Effects:
    """What an answer does besides speaking."""

    change_style: Callable[[ChangeStyle], None]
    show_activity: Callable[[ActivityChanged], None]
    write: Callable[[Answer, str], None]
    """Text of an answer that is not spoken."""


class MindSilent(Exception):
    """The mind gave nothing for `THOUGHT_LIMIT_S`."""


async def think(answer: Answer, mind: Mind, stream: VoiceStream, effects: Effects) -> None:
    """Lets the mind answer and passes on what it thinks, never far ahead of what is spoken.

    Returns when the mind is done, or when `max_output_tokens` is used up. Raises `MindSilent`, `StreamClosed` and
    whatever a broken mind raises.
    """
    async with asyncio.timeout(THOUGHT_LIMIT_S):
        occasion = await answer.request.occasion()
    async with aclosing(mind.answer(occasion, answer.id)) as thoughts:  # type: ignore[type-var]
        while True:
            try:
                async with asyncio.timeout(THOUGHT_LIMIT_S):
                    thought = await anext(thoughts, None)
            except TimeoutError:
                raise MindSilent from None
            match thought:
                case None:
                    break
                case ChangeStyle():
                    effects.change_style(thought)
                case ActivityChanged():
                    effects.show_activity(thought)
                case HangUp():
                    answer.hangs_up = True
                case _:
                    await _say(answer, thought, stream, effects)
                    if _is_full(answer):
                        answer.ending = Ending("incomplete", "max_output_tokens")
                        break
    if answer.opened:
        answer.closed = True
        stream.send(EndSpeech(answer.id))


async def _say(answer: Answer, part: SpeechPart, stream: VoiceStream, effects: Effects) -> None:
    answer.full_text += spoken_text(part)
    if not answer.response.plan.speaks:
        effects.write(answer, spoken_text(part))
        return
    await answer.pace.room()
    if not answer.opened:
        answer.opened = True
        stream.send(StartSpeech(answer.id))
    stream.send(SpeakPart(answer.id, part))
    answer.pace.handed(part)


def _is_full(answer: Answer) -> bool:
    limit = answer.response.plan.max_output_tokens
    return isinstance(limit, int) and num_words(answer.full_text) >= limit
