"""What a moving stream knows of its call: enough to set it up again on another worker."""

import time
from collections import deque
from dataclasses import dataclass, replace

from inference.protocol import (
    AudioOut,
    CancelSpeech,
    ClearInput,
    Command,
    CommitInput,
    Deliver,
    Dropped,
    EndSpeech,
    Event,
    Heard,
    InputCleared,
    OutputGain,
    PlaybackAck,
    SessionSpec,
    SetOutput,
    SetStyle,
    SetTurnTaking,
    SetVoice,
    SpeakPart,
    SpeechFinished,
    SpeechStarted,
    StartSpeech,
    TextWritten,
    UserText,
    VoiceChanged,
    VoiceRefused,
    VoiceSpec,
    VoiceStarted,
    WordSpoken,
)
from sessions.live.moving.script import Script
from sessions.live.moving.uplink import Uplink

MOST_SCRIPTS = 4
MOST_UNANSWERED = 64
STALE_S = 15.0
"""A request that a worker left unanswered for so long is not made again."""

MOST_HISTORY = 64
MOST_HISTORY_CHARS = 8_000


@dataclass(frozen=True, slots=True)
class Utterance:
    id: str
    began_ms: int


class Ledger:
    """Told of every command and of every event as the session sees it."""

    def __init__(self, spec: SessionSpec) -> None:
        self.spec = spec
        """Brought up to date."""

        self.uplink = Uplink()
        self.epoch = 0
        self.drops = Dropped(0, 0)
        self.utterance: Utterance | None = None
        self.is_ducked = False
        self.voice_wishes: deque[VoiceSpec] = deque()
        self._scripts: dict[str, Script] = {}
        self._unanswered: deque[tuple[float, Command]] = deque(maxlen=MOST_UNANSWERED)
        self._history: deque[tuple[str, str]] = deque(spec.history, maxlen=MOST_HISTORY)

    # --- what there is ---

    @property
    def script(self) -> Script | None:
        """What is being said."""
        return next(reversed(self._scripts.values()), None)

    @property
    def scripts(self) -> list[Script]:
        """Responses that were begun and not finished, in order."""
        return list(self._scripts.values())

    @property
    def is_quiet(self) -> bool:
        """Nobody speaks, and nothing is waited for."""
        return not self._scripts and self.utterance is None and not self._unanswered

    @property
    def unanswered(self) -> list[Command]:
        """What was asked about the user's input lately and is not done, in order."""
        since = time.monotonic() - STALE_S
        return [command for at, command in self._unanswered if at > since]

    def spec_now(self) -> SessionSpec:
        """To open a stream with that goes on."""
        return replace(self.spec, history=self._recent())

    # --- commands ---

    def asked(self, command: Command) -> None:
        match command:
            case StartSpeech():
                self._open(Script(command.response_id, self.epoch, interruptible=command.interruptible))
            case SpeakPart() | EndSpeech() | PlaybackAck() | CancelSpeech():
                self._asked_of_script(command)
            case SetStyle(style=style):
                self.spec = replace(self.spec, style=style)
            case SetTurnTaking(profile=profile, detects_turns=detects):
                self.spec = replace(self.spec, turn_taking=profile, detects_turns=detects)
            case SetOutput(speaks=speaks):
                self.spec = replace(self.spec, speaks=speaks)
            case SetVoice(voice=voice):
                self.voice_wishes.append(voice)
            case CommitInput() | ClearInput() | UserText():
                self._unanswered.append((time.monotonic(), command))

    def _asked_of_script(self, command: SpeakPart | EndSpeech | PlaybackAck | CancelSpeech) -> None:
        script = self.script if command.response_id is None else self._scripts.get(command.response_id)
        if script is None:
            return
        match command:
            case SpeakPart(part=part):
                script.parts.append(part)
            case EndSpeech():
                script.ended = True
            case PlaybackAck(played_samples=played):
                script.acknowledged(played)
            case CancelSpeech(reason=reason):
                script.cancelled = reason

    def _open(self, script: Script) -> Script:
        self._scripts[script.response_id] = script
        while len(self._scripts) > MOST_SCRIPTS:
            self._scripts.pop(next(iter(self._scripts)))
        return script

    # --- events ---

    def told(self, event: Event) -> bool:
        """Notes it. False: the session knows this already (a word that had to be said again)."""
        match event:
            case AudioOut():
                self._script_of(event.response_id).sent(event)
            case WordSpoken():
                return self._word(event)
            case SpeechStarted():
                self._script_of(event.response_id).started = True
                self._script_of(event.response_id).epoch = self.epoch = max(self.epoch, event.epoch)
            case TextWritten():
                self._script_of(event.response_id).text_written += event.text
            case SpeechFinished():
                self._finished(event)
            case VoiceChanged() if self.voice_wishes:
                self._voice_changed()
            case VoiceRefused() if self.voice_wishes:
                self.voice_wishes.popleft()
            case _:
                self._told_of_user(event)
        return True

    def _told_of_user(self, event: Event) -> None:
        match event:
            case VoiceStarted():
                self.utterance = Utterance(event.utterance_id, event.at_ms)
            case Heard():
                self.utterance = None
                self.uplink.heard_to(event.end_ms)
                self._answered(CommitInput)
                self._said("user", event.text)
            case InputCleared():
                self.utterance = None
                self.uplink.forget()
                self._answered(ClearInput)
            case OutputGain(gain_db=gain_db):
                self.is_ducked = gain_db != 0
            case Dropped():
                self.drops = event

    def _script_of(self, response_id: str) -> Script:
        script = self._scripts.get(response_id)
        if script is None:
            self._answer_to(response_id)
            script = self._open(Script(response_id, self.epoch, written=False))
        return script

    def _answer_to(self, response_id: str) -> None:
        """A model has begun to answer what was written to it."""
        for entry in self._unanswered:
            if isinstance(entry[1], UserText) and entry[1].response_id == response_id:
                self._said("user", entry[1].text)
                self._unanswered.remove(entry)
                return

    def _word(self, event: WordSpoken) -> bool:
        words = self._script_of(event.response_id).words
        if words and event.char_end <= words[-1].char_end:
            words[-1] = event
            return False
        words.append(event)
        return True

    def _finished(self, event: SpeechFinished) -> None:
        self._scripts.pop(event.response_id, None)
        self._answer_to(event.response_id)
        self.epoch = max(self.epoch, event.epoch + (event.status != "completed"))
        self._said("character", event.heard_text)

    def _voice_changed(self) -> None:
        voice = self.voice_wishes.popleft()
        self.spec = replace(self.spec, voice=voice)
        script = self.script
        if script is not None and script.written and not script.ended:
            script.parts.append(Deliver(voice=voice))

    def _answered(self, kind: type[Command]) -> None:
        for entry in self._unanswered:
            if isinstance(entry[1], kind):
                self._unanswered.remove(entry)
                return

    def _said(self, speaker: str, text: str) -> None:
        if text.strip():
            self._history.append((speaker, text.strip()))

    def _recent(self) -> tuple[tuple[str, str], ...]:
        kept: list[tuple[str, str]] = []
        chars = 0
        for entry in reversed(self._history):
            chars += len(entry[1])
            if kept and chars > MOST_HISTORY_CHARS:
                break
            kept.append(entry)
        return tuple(reversed(kept))
