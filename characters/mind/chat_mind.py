"""The mind that asks a language model, with the script mind beside it.

The script keeps what it does better or more safely: greetings, silences, farewells, activities, styles, roles,
honesty and crises. Everything else goes to the endpoint; if that fails before its first word, the script answers.
"""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from characters.mind.base import HeardSpeech, Occasion, Said, Thought, UserTurn
from characters.mind.chat_endpoint import RESTING, ChatEndpoint, EndpointFailed
from characters.mind.history import History
from characters.mind.prompt import Moment, compile_prompt
from characters.mind.script_mind import ScriptMind
from characters.mind.spoken_text import SpokenText
from inference.protocol import Song, StyleSpec, VoiceSpec, Words

log = logging.getLogger(__name__)


class ChatMind:
    """One session's mind. One task uses it at a time."""

    def __init__(self, script: ScriptMind, endpoint: ChatEndpoint) -> None:
        self._script = script
        self._endpoint = endpoint
        self._history = History()

    async def answer(self, occasion: Occasion, response_id: str) -> AsyncGenerator[Thought, None]:
        """See `Mind.answer`."""
        if isinstance(occasion, UserTurn):
            self._history.listener_said(occasion.text)
            if occasion.text.strip() and not self._script.claims(occasion):
                async with aclosing(self._by_model(occasion, response_id)) as thoughts:
                    async for thought in thoughts:
                        yield thought
                return
        async with aclosing(self._by_script(occasion, response_id)) as thoughts:
            async for thought in thoughts:
                yield thought

    def heard(self, speech: HeardSpeech) -> None:
        """See `Mind.heard`."""
        self._history.heard(speech.response_id, speech.text, speech.interrupted)
        self._script.heard(speech)

    def delivery_changed(self, style: StyleSpec, voice: VoiceSpec) -> None:
        """See `Mind.delivery_changed`."""
        self._script.delivery_changed(style, voice)

    def snapshot(self) -> dict[str, Any]:
        """See `Mind.snapshot`."""
        return {"script": self._script.snapshot(), "history": self._history.snapshot()}

    def restore(self, data: dict[str, Any]) -> None:
        """See `Mind.restore`."""
        try:
            self._script.restore(data["script"])
            self._history.restore(data["history"])
        except (KeyError, TypeError) as error:
            raise ValueError("the snapshot is incomplete") from error

    def recall(self, said: Sequence[Said]) -> None:
        """See `Mind.recall`."""
        for each in said:
            if each.by_listener:
                self._history.listener_said(each.text)
            else:
                self._history.character_said(each.text, "")
        self._script.recall(said)

    async def _by_script(self, occasion: Occasion, response_id: str) -> AsyncGenerator[Thought, None]:
        said = ""
        try:
            for thought in self._script.thoughts(occasion, response_id):
                said += thought.text if isinstance(thought, Words) else ""
                said += thought.lyrics if isinstance(thought, Song) else ""
                yield thought
        finally:
            self._history.character_said(said, response_id)

    async def _by_model(self, turn: UserTurn, response_id: str) -> AsyncGenerator[Thought, None]:
        """The model's words; the script's, if the model has none."""
        said = ""
        try:
            async with aclosing(self._spoken(turn)) as pieces:
                async for piece in pieces:
                    for part in () if said else self._script.opening():
                        yield part
                    said += piece
                    yield Words(piece)
        except EndpointFailed as error:
            level = logging.DEBUG if error.reason == RESTING else logging.WARNING
            log.log(level, "the mind's endpoint failed: %s", error.reason)
        finally:
            if said:
                self._history.character_said(said, response_id)
                self._script.note_said(said)
        if not said.strip():
            async with aclosing(self._by_script(turn, response_id)) as thoughts:
                async for thought in thoughts:
                    yield thought

    async def _spoken(self, turn: UserTurn) -> AsyncGenerator[str, None]:
        """What the model says, as words that can be spoken. Raises `EndpointFailed`."""
        prompt = compile_prompt(self._script.cast, self._history, self._moment(turn))
        spoken = SpokenText(self._script.cast.name.en)
        async with aclosing(self._endpoint.words(prompt)) as pieces:
            async for piece in pieces:
                words = spoken.feed(piece)
                if words:
                    yield words
                if spoken.full:
                    return
        rest = spoken.close()
        if rest:
            yield rest

    def _moment(self, turn: UserTurn) -> Moment:
        return Moment(
            listener_name=self._script.listener_name,
            style_instruction=self._script.style_instruction,
            role=self._script.role,
            instructions=turn.instructions,
        )
