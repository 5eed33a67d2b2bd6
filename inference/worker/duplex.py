"""The duplex lane: a native full-duplex checkpoint hears the user and speaks, frame by frame, as it sees fit.

The turn rules do not decide here. They only guard: the user's turns are noted for the record, and a client's wish for
silence is obeyed at once, whatever the model goes on to say.
"""

import uuid
from collections.abc import Sequence

from inference.engine.plans import Limits, StreamOutput
from inference.protocol import (
    CancelSpeech,
    ClearInput,
    Command,
    CommitInput,
    Event,
    Heard,
    PlaybackAck,
    SessionSpec,
    SetStyle,
    SetTurnTaking,
    SetVoice,
    SpeechFinished,
    StartSpeech,
    UserText,
    VoiceStopped,
    Words,
)
from inference.worker.answer_marks import AnswerMarks
from inference.worker.lanes import LaneStream
from inference.worker.listening import Listening
from inference.worker.live_speech import LiveMouth, LiveSpeech
from inference.worker.model_lane import ModelLane
from inference.worker.model_sound import HeardFrames, ModelVoice, Said, WaitingFrames
from inference.worker.shared_engine import UNSUPPORTED, SharedEngine, plan_of
from inference.worker.speaking import Speaking
from inference.worker.user_turns import UserTurns

PAUSE_S = 0.32
"""A model that listens for less has only paused: the response goes on."""

LIMITS = Limits(max_new_positions=None)
"""A call lasts as long as it lasts."""

MUTED_S = 8.0
"""A model whose speech was cancelled is heard again once it has listened, or after so long."""


class DuplexStream:
    """One call. The model's speech becomes responses: one opens when it begins to speak and ends when it listens."""

    def __init__(
        self, spec: SessionSpec, shared: SharedEngine, turns: UserTurns, marks: AnswerMarks, now: float
    ) -> None:
        self._shared = shared
        self._character = spec.character
        self._turns = turns
        self._marks = marks
        self._mouth = LiveMouth()
        self._speaking = Speaking(self._mouth, spec)
        self._heard = HeardFrames(shared.codec)
        self._waiting = WaitingFrames()
        self._voice = ModelVoice(shared.codec)
        self._speech: LiveSpeech | None = None
        self._listened_s = 0.0
        self._muted_s: float | None = None
        self._events: list[Event] = []
        self._due: float | None = None
        self._number: int | None = shared.open(now, plan_of(spec, "duplex", LIMITS), self)

    # --- the worker's side ---

    def command(self, now: float, command: Command) -> None:
        match command:
            case CancelSpeech(response_id=response_id, reason=reason):
                if response_id in (None, self._speaking.response_id):
                    self._cancel(now, reason)
            case PlaybackAck(response_id=response_id, played_samples=played_samples):
                if response_id == self._speaking.response_id:
                    self._speaking.acknowledge(now, played_samples)
            case CommitInput():
                self._emit(now, self._turns.commit())
            case ClearInput():
                self._emit(now, self._turns.clear())
            case SetTurnTaking(profile=profile, detects_turns=detects_turns):
                self._turns.set_profile(profile, detects_turns)
            case SetStyle(style=style):
                self._speaking.set_style(style)
            case _:
                self._refuse(command)

    def _refuse(self, command: Command) -> None:
        match command:
            case StartSpeech(response_id=response_id) | UserText(response_id=response_id):
                # It says what it likes, and it hears sound only.
                self._events.append(SpeechFinished(response_id, 0, "failed", UNSUPPORTED))
            case SetVoice(voice=voice):
                self._events += self._shared.change_voice(self._number, self._character, voice)

    def audio(self, now: float, pcm: bytes) -> None:
        self._waiting.put(self._heard.cut(pcm))
        self._emit(now, self._turns.hear(pcm))

    def step(self, now: float) -> list[Event]:
        self._shared.check(self._number)
        for _pcm, events in self._speaking.frames(now, self._due):
            self._events += events
            marks = self._marks.first_audio()
            self._events += [marks] if marks else []
        self._events += self._speaking.finish_if_played(now)
        dues = [due for due in (self._shared.due, self._speaking.due_at(now)) if due is not None]
        self._due = min(dues, default=None)
        events, self._events = self._events, []
        return events

    def next_due(self, now: float) -> float | None:
        return self._due

    @property
    def late_frames(self) -> int:
        return self._speaking.late_frames

    @property
    def dropped_pieces(self) -> int:
        return self._waiting.dropped

    def close(self) -> None:
        number, self._number = self._number, None
        if number is not None:
            self._shared.close(number)
        self._turns.close()
        self._speaking.close()

    def _emit(self, now: float, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case VoiceStopped(at_ms=at_ms):
                    self._marks.turn_ended(now - (self._turns.heard_s - at_ms / 1000))
                case Heard():
                    self._marks.transcript_ready()
        self._events += events

    # --- the engine's side ---

    def contribute(self) -> None:
        if self._number is None:
            return
        if not self._shared.engine.stream(self._number).prompt_length:
            # The prompt is still being computed. What is said meanwhile would be delay for the whole call.
            self._waiting.clear()
        elif (frame := self._waiting.take()) is not None:
            self._shared.engine.push_pcm(self._number, frame)

    def take(self, now: float, output: StreamOutput) -> None:
        said = self._voice.take(output)
        if said is None:
            return
        self._listened_s = 0.0 if said.speaking else self._listened_s + self._shared.frame_s
        if self._is_muted(said):
            return
        if self._speech is None and said.speaking:
            self._begin(now)
        if self._speech is not None:
            self._say(now, self._speech, said)

    def _is_muted(self, said: Said) -> bool:
        if self._muted_s is None:
            return False
        self._muted_s += self._shared.frame_s
        if not said.speaking or self._muted_s > MUTED_S:
            self._muted_s = None
        return True

    def _begin(self, now: float) -> None:
        self._events += self._speaking.complete(now)
        response_id = f"live_{uuid.uuid4().hex[:20]}"
        self._events += self._speaking.start(response_id)
        self._speech = self._mouth.speech
        self._marks.answer_started(response_id)

    def _say(self, now: float, speech: LiveSpeech, said: Said) -> None:
        if said.text:
            self._events += self._speaking.add(now, Words(said.text))
            self._marks.first_words()
        ended = self._listened_s >= PAUSE_S
        speech.say(said.text, said.frames, lag_samples=self._voice.lag_samples, last=ended)
        self._speaking.ask(now)
        if ended:
            self._speech = None
            self._speaking.end(now)

    def _cancel(self, now: float, reason: str) -> None:
        if self._speaking.response_id is None:
            return
        self._events += self._speaking.cancel(now, reason)
        if self._speech is not None:
            # The model does not know: what it goes on to say stays unheard.
            self._speech, self._muted_s = None, 0.0


class DuplexLane(ModelLane):
    """Opens duplex streams over one shared engine. Ears only write down what the user said."""

    def open(self, spec: SessionSpec, now: float) -> LaneStream:
        listening = Listening(self._ears, spec.ears, self._new_detector())
        turns = UserTurns(listening, spec.turn_taking, spec.detects_turns)
        return DuplexStream(spec, self._shared, turns, AnswerMarks(self._clock), now)
