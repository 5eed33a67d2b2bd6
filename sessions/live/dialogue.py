"""One conversation: what the client asks, what the worker reports, and what the mind is asked to answer."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from characters.mind.base import (
    ActivityChanged,
    ChangeStyle,
    Leaving,
    Occasion,
    Silence,
    StartActivity,
    UserTurn,
)
from inference.protocol import (
    Heard,
    Lane,
    OutputGain,
    Overlap,
    SetOutput,
    SetStyle,
    SetTurnTaking,
    SetVoice,
    SilenceElapsed,
    TurnTaking,
    UserActive,
    VoiceChanged,
    VoiceRefused,
    VoiceStarted,
)
from sessions.live.answer import Request
from sessions.live.answers import Answers, nothing_asked
from sessions.live.cast import LiveCast
from sessions.live.stage import Notices, Stage
from sessions.live.user_input import UserInput
from sessions.realtime import troupe
from sessions.realtime.client_events import MAX_TEXT_CHARS, ResponseRequest
from sessions.realtime.conversation import Item
from sessions.realtime.errors import ClientError, error_event
from sessions.realtime.responses import ResponsePlan, num_words
from sessions.realtime.session_config import SessionConfig, merged, speaks, styled, turn_taking

TRANSCRIPT_LIMIT_S = 10.0
"""Committed audio without words after this time is answered as unheard."""

HEARD_AGAIN_LIMIT_S = 4.0


@dataclass(frozen=True, slots=True)
class _VoiceWish:
    event_id: str | None
    by_update: bool
    """Part of a `session.update`, whose `session.updated` is due when it is judged."""


class Dialogue:
    """The one writer of a conversation. Methods are called on the session's event loop; none waits."""

    def __init__(
        self,
        stage: Stage,
        cast: LiveCast,
        config: SessionConfig,
        hang_up: Callable[[int], None],
        tell_settings: Callable[[], None],
    ) -> None:
        self._stage = stage
        self._cast = cast
        self.config = config
        self.style = cast.spec.style
        self.user = UserInput(stage)
        notices = Notices(self._change_style, self._show_activity, hang_up)
        self.answers = Answers(stage, notices, lambda: ResponsePlan(voice=self.config.voice))
        self._lane = cast.spec.lane
        self._answers_itself = cast.spec.lane.answers_itself
        self._tell_settings = tell_settings
        self._voice_wishes: deque[_VoiceWish] = deque()
        """Asked of the worker, which answers each in order; bounded by the commands that may wait for it."""

        self.on_turn: Callable[[], None] = lambda: None
        """Called at each turn of the user: the session is not idle."""

    # --- what is asked of the mind ---

    def open(self) -> None:
        """The character speaks first, unless a model decides that."""
        self.take_up(self._cast.opening)

    def take_up(self, occasion: Occasion) -> None:
        """The character speaks without having been asked, unless a model decides that."""
        if not self._answers_itself:
            self._ask(occasion)

    def start_activity(self, slug: str, *, event_id: str | None) -> None:
        self._check_is_asked(event_id)
        if slug not in {choice.slug for choice in self._cast.menu.activities}:
            raise ClientError("invalid_value", "there is no such activity", param="activity", event_id=event_id)
        self._stage.stream.send(UserActive())
        self._ask(StartActivity(slug), reason="client_cancelled")

    def create_response(self, wanted: ResponseRequest, *, event_id: str | None) -> None:
        """A client asks for an answer. Raises `ClientError`."""
        if self._lane is not Lane.TURN:
            self._check_is_asked(event_id)
        if self.answers.is_busy:
            active = self.answers.active
            message = f"the response {active.id if active else ''} is still in progress"
            raise ClientError("conversation_already_has_active_response", message, event_id=event_id)
        if wanted.conversation == "none":
            message = "a character has one conversation; leave `conversation` out"
            raise ClientError("unsupported_value", message, param="response.conversation", event_id=event_id)
        plan = self._plan(wanted, event_id)
        extra = _texts_of(wanted)
        if self._lane is Lane.TURN:
            typed = self._take_written(extra, event_id)
            self.answers.ask(Request(nothing_asked, plan, typed=typed), reason="client_cancelled")
            return

        async def occasion() -> Occasion:
            await self._wait_for_transcripts()
            return self._occasion(extra, plan.instructions)

        self.answers.ask(Request(occasion, plan), reason="client_cancelled")

    def _check_is_asked(self, event_id: str | None) -> None:
        if self._answers_itself:
            message = "this character's voice model decides itself when it speaks; talk to it"
            raise ClientError("unsupported_value", message, event_id=event_id)

    def check_hears_text(self, event_id: str | None) -> None:
        """Raises `ClientError` where nobody could take a message of the user that is not spoken."""
        if self._lane is Lane.DUPLEX:
            message = "this character's voice model hears speech only; say it instead"
            raise ClientError("text_unsupported", message, param="item", event_id=event_id)

    def _take_written(self, extra: str, event_id: str | None) -> str:
        """What the user wrote since the last answer, which is answered now. Raises `ClientError`."""
        items = [item for item in self._stage.conversation.unanswered() if item.typed]
        text = "\n".join(filter(None, (words.strip() for words in (*(item.text for item in items), extra))))
        if not text:
            message = "this character's voice model answers by itself what it hears, and nothing is written to answer"
            raise ClientError("unsupported_value", message, event_id=event_id)
        _mark_answered(items)
        return text

    def _occasion(self, extra: str, instructions: str) -> Occasion:
        """What there is to answer: the user's turns since the last answer; else the opening, else a silence."""
        items = self._stage.conversation.unanswered()
        _mark_answered(items)
        texts = [item.text for item in items] + ([extra] if extra else [])
        if texts:
            typed = all(item.typed for item in items)
            return UserTurn(" ".join(filter(None, texts)), typed=typed, instructions=instructions)
        if len(self._stage.conversation) == 0:
            return self._cast.opening
        return Silence(1)

    async def _wait_for_transcripts(self) -> None:
        try:
            async with asyncio.timeout(TRANSCRIPT_LIMIT_S):
                await self.user.transcripts()
        except TimeoutError:
            self.user.give_up_transcripts()

    def _ask(self, occasion: Occasion, *, reason: str = "turn_detected", ends_session: bool = False) -> None:
        self.answers.ask(self._request(occasion, ends_session=ends_session), reason=reason)

    def _request(self, occasion: Occasion, *, ends_session: bool = False) -> Request:
        async def now() -> Occasion:
            return occasion

        return Request(now, self._plan(ResponseRequest(), None), ends_session)

    def _turn_request(self, turn: UserTurn, item: Item, input_audio_ms: int) -> Request:
        async def now() -> Occasion:
            # Turns whose own answer was overtaken before it began belong to this one.
            waiting = self._stage.conversation.unanswered()
            _mark_answered([*waiting, item])
            texts = [each.text for each in waiting if each is not item and each.text]
            return replace(turn, text=" ".join([*texts, turn.text]).strip()) if texts else turn

        plan = replace(self._plan(ResponseRequest(), None), input_audio_ms=input_audio_ms)
        return Request(now, plan)

    def _plan(self, wanted: ResponseRequest, event_id: str | None) -> ResponsePlan:
        modalities, config = wanted.output_modalities, self.config
        spoken = config.speaks
        if modalities is not None:
            spoken = speaks(modalities, param="response.output_modalities", event_id=event_id)
        limit = wanted.max_output_tokens
        unanswered = self._stage.conversation.unanswered()
        return ResponsePlan(
            speaks=spoken,
            voice=config.voice,
            instructions="\n".join(filter(None, (config.instructions, wanted.instructions))),
            metadata=wanted.metadata,
            max_output_tokens=config.max_output_tokens if limit is None else limit,
            input_words=sum(num_words(item.text) for item in unanswered),
        )

    # --- what the worker reports ---

    def voice_started(self, event: VoiceStarted) -> None:
        self.user.voice_started(event)
        self.on_turn()

    def expect_again(self, utterance_id: str, still_unheard: Callable[[], bool]) -> None:
        """Other ears were given what was kept of a turn that had begun. If they find no voice in it, it is over."""

        async def give_up() -> None:
            await asyncio.sleep(HEARD_AGAIN_LIMIT_S)
            if still_unheard() and self.user.is_speaking:
                now_ms = self._stage.now_ms()
                self.heard(Heard(utterance_id, "", now_ms, now_ms))

        self._stage.tasks.start("expect-again", give_up())

    def overlap(self, event: Overlap) -> None:
        if self._stage.downlink.tier:
            self._stage.downlink.emit(troupe.turn_overlap(event))
        if event.decision == "cancel":
            self.answers.cut_by_user(event.response_id)

    def gain(self, event: OutputGain) -> None:
        if self._stage.downlink.tier:
            self._stage.downlink.emit(troupe.output_gain(gain_db=event.gain_db, ramp_ms=event.ramp_ms))

    def heard(self, event: Heard) -> None:
        """A turn of the user: it is answered, unless the client keeps that to itself."""
        self.on_turn()
        item = self.user.heard(event)
        item.answered = item.answered or self._answers_itself
        rules = self.config.turn_detection
        if self._answers_itself or rules is None or not rules.answers:
            return
        turn = UserTurn(
            event.text,
            confidence=event.confidence,
            alternatives=event.alternatives,
            instructions=self.config.instructions,
        )
        request = self._turn_request(turn, item, max(event.end_ms - event.start_ms, 0))
        if rules.interrupts or event.interrupted_response_id is not None:
            self.answers.ask(request)
        else:
            self.answers.ask_after(request)

    def silence(self, event: SilenceElapsed) -> None:
        if self._answers_itself or self.answers.active is not None or not self._stage.downlink.attached:
            return
        if event.kind == "farewell":
            self._ask(Leaving(), ends_session=True)
        else:
            self._ask(Silence(event.count))

    # --- what the client changes ---

    def update(self, changes: Mapping[str, object], *, event_id: str | None) -> bool:
        """`session.update`. False: the settings are told once the worker has judged the voice asked for.

        Raises `ClientError`, and then nothing has changed.
        """
        before = self.config
        wanted = merged(
            before,
            changes,
            voices=frozenset(self._cast.voices),
            has_spoken=self.answers.has_spoken,
            event_id=event_id,
        )
        if self._lane is Lane.DUPLEX and not wanted.speaks:
            message = "this character's voice model cannot but speak"
            raise ClientError("unsupported_value", message, param="session.output_modalities", event_id=event_id)
        self.config = replace(wanted, voice=before.voice)
        self.user.transcribes = self.config.transcription is not None
        self.user.detects_turns = self.config.turn_detection is not None
        stream = self._stage.stream
        if self.config.turn_detection != before.turn_detection:
            stream.send(SetTurnTaking(self.profile(), detects_turns=self.user.detects_turns))
        if self.config.speed != before.speed:
            stream.send(SetStyle(styled(self.config, self.style)))
        if self.config.speaks != before.speaks and self._lane is Lane.TURN:
            stream.send(SetOutput(self.config.speaks))
        if wanted.voice == before.voice:
            return True
        self._wish_voice(wanted.voice, event_id, by_update=True)
        return False

    def profile(self) -> TurnTaking:
        """The character's manners as this client wants them."""
        return turn_taking(self.config, self._cast.spec.turn_taking, prompts_by_itself=self._stage.downlink.tier)

    def set_style(self, slug: str) -> bool:
        """Whether there is such a preset; from the next frame on it is used."""
        style = self._cast.styles.get(slug)
        if style is None:
            return False
        self.style = style
        self._stage.stream.send(SetStyle(styled(self.config, style)))
        self._tell_mind()
        if self._stage.downlink.tier:
            self._stage.downlink.emit(troupe.style_updated(slug))
        return True

    def set_voice(self, slug: str, *, event_id: str | None) -> None:
        """Asks for another voice from the next words on. Raises `ClientError` when there is none of this name."""
        if slug not in self._cast.voices:
            raise ClientError("invalid_value", "there is no such voice", param="voice", event_id=event_id)
        self._wish_voice(slug, event_id, by_update=False)

    def _wish_voice(self, slug: str, event_id: str | None, *, by_update: bool) -> None:
        voice = self._cast.voices.get(slug, self._cast.spec.voice)
        self._voice_wishes.append(_VoiceWish(event_id, by_update))
        self._stage.stream.send(SetVoice(voice))

    def voice_changed(self, event: VoiceChanged) -> None:
        """The worker speaks with it from now on."""
        self.config = replace(self.config, voice=event.voice)
        self._tell_mind()
        if self._voice_wishes.popleft().by_update:
            self._tell_settings()
        else:
            self._stage.downlink.emit(troupe.voice_updated(event.voice))

    def voice_refused(self, event: VoiceRefused) -> None:
        """The voice stays as it was, and so do the settings."""
        wish = self._voice_wishes.popleft()
        param = "session.audio.output.voice" if wish.by_update else "voice"
        refusal = error_event("voice_unsupported", event.message, param=param, event_id=wish.event_id)
        self._stage.downlink.emit(refusal)
        if wish.by_update:
            self._tell_settings()

    def _tell_mind(self) -> None:
        voice = self._cast.voices.get(self.config.voice, self._cast.spec.voice)
        self._stage.mind.delivery_changed(self.style, voice)

    def typed(self, item: Item) -> None:
        """The user wrote something. In the tier that interrupts, as a voice would."""
        self.on_turn()
        self.user.typed(item)
        self._stage.stream.send(UserActive())
        if self._stage.downlink.tier:
            self.answers.cancel("client_cancelled")

    # --- what the mind does besides speaking ---

    def _change_style(self, change: ChangeStyle) -> None:
        self.set_style(change.preset)

    def _show_activity(self, change: ActivityChanged) -> None:
        if self._stage.downlink.tier:
            self._stage.downlink.emit(troupe.activity_changed(slug=change.slug, title=change.title, state=change.state))


def _mark_answered(items: Sequence[Item]) -> None:
    for item in items:
        item.answered = True


def _texts_of(wanted: ResponseRequest) -> str:
    """The words of the user's messages in `response.input`."""
    texts: list[str] = []
    for entry in wanted.input or ():
        content = entry.get("content")
        if entry.get("role") != "user" or not isinstance(content, list):
            continue
        for part in content:
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str):
                texts.append(text)
    return " ".join(texts)[:MAX_TEXT_CHARS]
