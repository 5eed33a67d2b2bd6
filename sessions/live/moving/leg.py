"""One worker's stretch of a moving stream, and how its numbers become those of the whole."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from inference.client import Ticket, VoiceStream
from inference.protocol import (
    AUDIO_RATE_HZ,
    AudioOut,
    CancelSpeech,
    Command,
    Dropped,
    Event,
    Heard,
    LatencyMarks,
    Overlap,
    PartialHeard,
    PlaybackAck,
    SessionSpec,
    SpeechFinished,
    SpeechStarted,
    TextWritten,
    VoiceStarted,
    VoiceStopped,
    WordSpoken,
)
from sessions.live.moving.script import Place
from sessions.realtime.responses import RESPONSE_PREFIX


@dataclass(frozen=True, slots=True)
class Continued:
    """The response that a leg takes over: what the whole had of it before, and where the rest begins in its text."""

    response_id: str
    place: Place
    first_char: int
    text_before: str
    was_started: bool

    @property
    def before_ms(self) -> int:
        return round(self.place.samples * 1000 / AUDIO_RATE_HZ)


@dataclass(slots=True)
class Leg:
    """`told` makes the worker's events the session's, `asked` the session's commands the worker's."""

    number: int
    ticket: Ticket
    stream: VoiceStream
    spec: SessionSpec
    """As it was opened."""

    events: AsyncIterator[Event]
    epoch_base: int = 0
    input_base_ms: int = 0
    drops_base: Dropped = field(default_factory=lambda: Dropped(0, 0))
    continued: Continued | None = None
    open_utterance: str | None = None
    """A turn of the user that had begun before: the first voice heard here is still it."""

    alive: bool = True
    _same_utterance: dict[str, str] = field(default_factory=dict)
    _mapping: dict[type[Any], Callable[[Any], Event | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.number:
            self._mapping = {
                AudioOut: self._audio,
                WordSpoken: self._word,
                SpeechStarted: self._started,
                SpeechFinished: self._finished,
                TextWritten: self._named,
                Overlap: self._named,
                LatencyMarks: self._marks,
                VoiceStarted: self._voice_started,
                VoiceStopped: self._voice_stopped,
                PartialHeard: lambda event: replace(event, utterance_id=self._utterance(event.utterance_id)),
                Heard: self._heard,
                Dropped: self._dropped,
            }

    def told(self, event: Event) -> Event | None:
        """The event as the session is to see it; None when it knows that already."""
        mapping = self._mapping.get(type(event))
        return event if mapping is None else mapping(event)

    def asked(self, command: Command) -> Command | None:
        """The command as this worker must get it; None when it has nothing to do with it."""
        if not self.number:
            return command
        match command:
            case PlaybackAck(response_id=response_id, played_samples=played):
                before = self._before(response_id)
                played -= before.place.samples if before else 0
                return PlaybackAck(self._own_id(response_id), played) if played > 0 else None
            case CancelSpeech(response_id=str(response_id)):
                return replace(command, response_id=self._own_id(response_id))
            case _:
                return command

    # --- responses ---

    def _before(self, response_id: str) -> Continued | None:
        continued = self.continued
        return continued if continued is not None and continued.response_id == response_id else None

    def _public_id(self, response_id: str) -> str:
        # A worker names what it begins by itself, and two workers may choose the same name.
        return response_id if response_id.startswith(RESPONSE_PREFIX) else f"{response_id}.{self.number}"

    def _own_id(self, response_id: str) -> str:
        return response_id if response_id.startswith(RESPONSE_PREFIX) else response_id.removesuffix(f".{self.number}")

    def _named(self, event: TextWritten | Overlap) -> Event:
        return replace(event, response_id=self._public_id(event.response_id))

    def _marks(self, event: LatencyMarks) -> Event | None:
        if self._before(event.response_id):
            return None
        return replace(event, response_id=self._public_id(event.response_id))

    def _audio(self, event: AudioOut) -> Event:
        before = self._before(event.response_id)
        return replace(
            event,
            response_id=self._public_id(event.response_id),
            epoch=event.epoch + self.epoch_base,
            position=event.position + (before.place.samples if before else 0),
        )

    def _word(self, event: WordSpoken) -> Event:
        before = self._before(event.response_id)
        ms, chars = (before.before_ms, before.first_char) if before else (0, 0)
        return replace(
            event,
            response_id=self._public_id(event.response_id),
            epoch=event.epoch + self.epoch_base,
            start_ms=event.start_ms + ms,
            end_ms=event.end_ms + ms,
            char_start=event.char_start + chars,
            char_end=event.char_end + chars,
        )

    def _started(self, event: SpeechStarted) -> Event | None:
        before = self._before(event.response_id)
        if before is not None and before.was_started:
            return None
        return SpeechStarted(self._public_id(event.response_id), event.epoch + self.epoch_base)

    def _finished(self, event: SpeechFinished) -> Event:
        before = self._before(event.response_id)
        named = replace(event, response_id=self._public_id(event.response_id), epoch=event.epoch + self.epoch_base)
        if before is None:
            return named
        return replace(
            named,
            sent_ms=event.sent_ms + before.before_ms,
            heard_ms=event.heard_ms + before.before_ms,
            heard_text=before.text_before + event.heard_text,
            heard_chars=event.heard_chars + before.first_char,
        )

    # --- the user ---

    def _utterance(self, utterance_id: str) -> str:
        return self._same_utterance.get(utterance_id, utterance_id)

    def _voice_started(self, event: VoiceStarted) -> Event | None:
        if self.open_utterance is not None:
            self._same_utterance[event.utterance_id], self.open_utterance = self.open_utterance, None
            return None
        return replace(event, at_ms=event.at_ms + self.input_base_ms)

    def _voice_stopped(self, event: VoiceStopped) -> Event:
        return VoiceStopped(self._utterance(event.utterance_id), event.at_ms + self.input_base_ms)

    def _heard(self, event: Heard) -> Event:
        shift = self.input_base_ms
        if self.open_utterance is not None:
            self._same_utterance[event.utterance_id], self.open_utterance = self.open_utterance, None
        replaces = event.replaces
        return replace(
            event,
            utterance_id=self._utterance(event.utterance_id),
            start_ms=event.start_ms + shift,
            end_ms=event.end_ms + shift,
            words=tuple((text, start + shift, end + shift) for text, start, end in event.words),
            replaces=None if replaces is None else self._utterance(replaces),
        )

    def _dropped(self, event: Dropped) -> Event:
        base = self.drops_base
        return Dropped(base.uplink_packets + event.uplink_packets, base.downlink_frames + event.downlink_frames)
