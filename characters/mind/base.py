"""The mind's interface: an occasion to speak in, parts of speech out, and news of what was heard."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from inference.protocol import SpeechPart, StyleSpec, VoiceSpec


@dataclass(frozen=True, slots=True)
class Opening:
    """The call begins: greet. `returning` when this listener has talked with the character before."""

    returning: bool = False
    listener_name: str = ""


@dataclass(frozen=True, slots=True)
class UserTurn:
    """The listener said or typed something. Empty text: a voice, but no words that can be trusted."""

    text: str
    typed: bool = False
    confidence: float = 1.0
    alternatives: tuple[str, ...] = ()
    instructions: str = ""
    """Extra instructions of an API client for this answer only."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody has spoken for a while; `count` from 1."""

    count: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """The call is about to end: say farewell."""


@dataclass(frozen=True, slots=True)
class StartActivity:
    """The listener chose an activity on the page."""

    slug: str


@dataclass(frozen=True, slots=True)
class GoOn:
    """The character was cut off by a fault of ours, and the mind has been told what of it was heard: it goes on."""

    rest: str
    """What it had decided to say and was not heard."""


Occasion = Opening | UserTurn | Silence | Leaving | StartActivity | GoOn


@dataclass(frozen=True, slots=True)
class ChangeStyle:
    """The listener asked for another delivery ("whisper, please"): the session's style changes to this preset."""

    preset: str


@dataclass(frozen=True, slots=True)
class ActivityChanged:
    """A story, song, lesson or scene started, paused, went on or ended; shown on the page."""

    slug: str
    title: str
    state: Literal["started", "paused", "resumed", "finished"]


@dataclass(frozen=True, slots=True)
class HangUp:
    """The call should end after this speech."""


Thought = SpeechPart | ChangeStyle | ActivityChanged | HangUp


@dataclass(frozen=True, slots=True)
class HeardSpeech:
    """How a response of this mind ended: what of its text the listener heard."""

    response_id: str
    text: str
    """What was heard."""

    full_text: str
    """What had been said by the mind in all; longer than `text` when cut short."""

    interrupted: bool


@dataclass(frozen=True, slots=True)
class Said:
    """One stretch of a conversation, as far as it was heard."""

    by_listener: bool
    text: str


class Mind(Protocol):
    """What decides the words of one session. One task uses it at a time; a cancelled answer is simply closed."""

    def answer(self, occasion: Occasion, response_id: str) -> AsyncIterator[Thought]:
        """What to say now. The first part comes as early as it can. Never raises for what a listener said."""

    def heard(self, speech: HeardSpeech) -> None:
        """Called once per response, before the next `answer`: a story goes on from what was heard."""

    def delivery_changed(self, style: StyleSpec, voice: VoiceSpec) -> None:
        """The session's style or voice is now this, by `ChangeStyle` or on the page: marks in a line return to it."""

    def snapshot(self) -> dict[str, Any]:
        """Where the conversation stands, as JSON-ready data; may be taken in the middle of an answer."""

    def restore(self, data: dict[str, Any]) -> None:
        """Goes on from a snapshot of a mind of the same kind and character. An answer that it was taken in the middle
        of may then be told to `heard`. Raises `ValueError` for data that is none."""

    def recall(self, said: Sequence[Said]) -> None:
        """Goes on from the transcript alone, where there is no snapshot."""
