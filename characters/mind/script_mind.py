"""The mind that lives by the character's own script and activities: the embedded default, and everybody's fallback."""

import logging
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

from characters.cast_file import CastFile, Role
from characters.mind.base import (
    ChangeStyle,
    GoOn,
    HeardSpeech,
    Leaving,
    Occasion,
    Opening,
    Said,
    Silence,
    StartActivity,
    Thought,
    UserTurn,
)
from characters.mind.built_in import phrases_for
from characters.mind.matching import Hearing
from characters.mind.programme import Programme
from characters.mind.repertoire import Repertoire
from characters.mind.responder import Responder
from characters.mind.stage import Stage
from characters.mind.talk import Talk
from characters.mind.telling import Telling
from characters.mind.variants import VariantPicker
from inference.protocol import SpeechPart, StyleSpec, VoiceSpec, Words

log = logging.getLogger(__name__)

SNAPSHOT_VERSION = 2


class ScriptMind:
    """One session's mind. One task uses it at a time."""

    def __init__(self, stage: Stage, *, seed: int = 0, repertoire: Repertoire | None = None) -> None:
        """`repertoire` may be shared by all sessions with the same cast file; it costs tens of ms to build."""
        self._stage = stage
        self._repertoire = repertoire or Repertoire(stage.cast)
        self._phrases = phrases_for(stage.cast.language)
        self._picker = VariantPicker(seed)
        self._talk = Talk()
        self._programme = Programme(self._repertoire, self._phrases)
        self._style: StyleSpec | None = stage.styles.get(stage.cast.style)
        self._voice: VoiceSpec | None = stage.voices.get(stage.cast.voice)
        self._telling: Telling | None = None
        self._response_id = ""

    async def answer(self, occasion: Occasion, response_id: str) -> AsyncGenerator[Thought, None]:
        """See `Mind.answer`. Parts are made as they are read, so a long story waits for its reader."""
        for thought in self.thoughts(occasion, response_id):
            yield thought

    def thoughts(self, occasion: Occasion, response_id: str) -> Iterator[Thought]:
        """What `answer` yields, without waiting for anything."""
        telling = self._new_telling()
        self._telling, self._response_id = telling, response_id
        said_anything = False
        try:
            for thought in self._respond(occasion, telling):
                said_anything = said_anything or isinstance(thought, Words)
                if isinstance(thought, ChangeStyle):
                    self._style = self._stage.styles.get(thought.preset, self._style)
                yield thought
        except Exception:
            # A slip in a script must not end a call; its text stays out of the log.
            log.exception("the script mind failed on an occasion of kind %s", type(occasion).__name__)
            if not said_anything:
                yield from self._new_telling().say_one("fallback", self._stage.cast.script.fallback)
        finally:
            if not self._talk.in_crisis:
                self._talk.remember_said(telling.text)

    def heard(self, speech: HeardSpeech) -> None:
        """See `Mind.heard`."""
        telling = self._telling
        if telling is None or speech.response_id != self._response_id:
            return
        heard_chars = _place_of(speech.text, telling.text) if speech.interrupted else len(telling.text)
        self._programme.heard(telling.marks, heard_chars, speech.interrupted)

    def delivery_changed(self, style: StyleSpec, voice: VoiceSpec) -> None:
        """The session's style or voice is now this; marks in lines return to it."""
        if self._style is not None and style.slug != self._style.slug:
            self._talk.style = style.slug
        self._style, self._voice = style, voice

    def claims(self, turn: UserTurn) -> bool:
        """Whether the script has something of its own to do here, so that no other mind need think about it."""
        return self._responder(self._new_telling()).claims(_hearing(turn), turn.text)

    def note_said(self, text: str) -> None:
        """Another mind spoke for the character: "say that again" means this."""
        self._talk.remember_said(text)
        self._talk.follow, self._talk.offer = [], ""

    def opening(self) -> Iterator[SpeechPart]:
        """What must come before words of another mind: the delivery of the role that is played."""
        return self._new_telling().open()

    @property
    def cast(self) -> CastFile:
        return self._stage.cast

    @property
    def role(self) -> Role | None:
        return self._repertoire.role(self._talk.role)

    @property
    def style_instruction(self) -> str:
        return self._style.instruction if self._style else ""

    @property
    def listener_name(self) -> str:
        return self._talk.name

    def snapshot(self) -> dict[str, Any]:
        """See `Mind.snapshot`."""
        telling = self._telling
        return {
            "version": SNAPSHOT_VERSION,
            "talk": self._talk.snapshot(),
            "programme": self._programme.snapshot(),
            "picker": self._picker.snapshot(),
            "telling": None if telling is None else {"response_id": self._response_id, **telling.snapshot()},
        }

    def restore(self, data: dict[str, Any]) -> None:
        """See `Mind.restore`. Raises `ValueError` for another version's."""
        if data.get("version") != SNAPSHOT_VERSION:
            raise ValueError(f"a snapshot of version {data.get('version')!r} cannot be restored")
        try:
            self._talk.restore(data["talk"])
            self._programme.restore(data["programme"])
            self._picker.restore(data["picker"])
            told = data["telling"]
            if told is not None:
                self._telling, self._response_id = self._new_telling(), str(told["response_id"])
                self._telling.restore(told)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("the snapshot is incomplete") from error

    def recall(self, said: Sequence[Said]) -> None:
        """See `Mind.recall`: only what was said last is of use."""
        for each in reversed(said):
            if not each.by_listener:
                self.note_said(each.text)
                return

    def _respond(self, occasion: Occasion, telling: Telling) -> Iterator[Thought]:
        script = self._stage.cast.script
        if isinstance(occasion, Opening):
            yield from self._open(occasion)
            return
        responder = self._responder(telling)
        yield from telling.open()
        match occasion:
            case UserTurn():
                yield from responder.turn(_hearing(occasion), occasion.text, occasion.confidence)
            case Silence(count):
                yield from responder.silence(count)
            case Leaving():
                yield from telling.say_one("farewell", script.farewell)
            case StartActivity(slug):
                yield from responder.start(slug)
            case GoOn(rest):
                yield from self._go_on(rest, telling)

    def _open(self, opening: Opening) -> Iterator[Thought]:
        script = self._stage.cast.script
        self._talk.name = opening.listener_name or self._talk.name
        telling = self._telling = self._new_telling()
        lines = script.returning if opening.returning and script.returning else script.greeting
        yield from telling.open()
        yield from telling.say_one("greeting", lines)
        self._talk.remember_said(telling.text)

    def _go_on(self, rest: str, telling: Telling) -> Iterator[Thought]:
        """An activity that was being told finds its own way back; anything else is said to its end."""
        run = self._programme.current
        if run is not None and run.cut and not run.waits:
            yield from self._programme.resume(telling)
        elif rest.strip():
            yield from telling.say_plain(rest)

    def _responder(self, telling: Telling) -> Responder:
        return Responder(self._stage, self._repertoire, self._phrases, self._talk, self._programme, telling)

    def _new_telling(self) -> Telling:
        """Delivery: a style asked for by the listener wins over the role's, the role's over the session's."""
        role = self._repertoire.role(self._talk.role)
        session = (self._style, self._voice)
        played = None
        if role is not None:
            own_style = self._stage.styles.get(role.style or "") if not self._talk.style else None
            played = (own_style or self._style, self._stage.voices.get(role.voice, self._voice))
        return Telling(self._stage, self._picker, name=self._talk.name, session=session, role=played)


def _hearing(turn: UserTurn) -> Hearing:
    return Hearing.of(turn.text, turn.alternatives, turn.confidence)


def _place_of(heard: str, text: str) -> int:
    """Where in `text` its beginning `heard` ends, whatever became of the white space."""
    left = sum(not char.isspace() for char in heard)
    for place, char in enumerate(text):
        if not char.isspace():
            if left == 0:
                return place
            left -= 1
    return len(text)
