"""The turn lane: an end-to-end checkpoint hears a turn and answers it, words and sound together.

It is the composed lane with mind and mouth inside the model: the turn rules say when the user's turn is over and what
interrupts, the model does the rest. Ears only write down what the user said.
"""

import uuid
from dataclasses import replace

from torch import Tensor

from inference.engine.plans import Limits, StreamOutput
from inference.errors import InvalidSpec
from inference.models.prompts import Task
from inference.protocol import (
    CancelSpeech,
    ClearInput,
    Command,
    EndSpeech,
    Event,
    Heard,
    SessionSpec,
    SetOutput,
    SetVoice,
    SpeakPart,
    SpeechFinished,
    StartSpeech,
    TextWritten,
    UserText,
    VoiceChanged,
    VoiceRefused,
    VoiceSpec,
    VoiceStarted,
    Words,
)
from inference.turns.floor import Floor
from inference.worker.answer_marks import AnswerMarks
from inference.worker.composed import ComposedStream
from inference.worker.lanes import LaneStream
from inference.worker.listening import Listening
from inference.worker.live_speech import LiveMouth
from inference.worker.model_lane import ModelLane
from inference.worker.model_sound import ModelVoice, Said
from inference.worker.shared_engine import SharedEngine, needed_speaker_of, plan_of, prefix_key
from inference.worker.speaking import Speaking
from inference.worker.turn_input import TurnInput
from inference.worker.turn_memory import TurnMemory


class TurnStream:
    """One conversation. The composed stream inside knows who has the floor; the engine's stream answers.

    The engine's stream runs the audio chat task, or, while answers are text only, the text chat task, to which the
    user's turns go as the words that the ears made of them.
    """

    def __init__(
        self, spec: SessionSpec, shared: SharedEngine, composed: ComposedStream, mouth: LiveMouth, speaking: Speaking
    ) -> None:
        self._spec = spec
        self._shared = shared
        self._composed = composed
        self._mouth = mouth
        self._speaking = speaking
        self._memory = TurnMemory()
        self._memory.recall(spec.history)
        self._input = TurnInput(shared.codec, shared.device)
        self._speaks = spec.speaks
        """Whether spoken turns are answered in speech."""

        self._in_speech = spec.speaks
        """Whether the engine's stream runs the audio chat task."""

        self._in_turn = False
        self._typed: UserText | None = None
        """What was typed while the user speaks: it is part of that turn."""

        self._voice: ModelVoice | None = None
        """Of the answer that is being made."""

        self._response_id = ""
        self._number: int | None = None
        self._events: list[Event] = []
        self._due: float | None = None

    def join(self, now: float) -> None:
        """Takes a slot of the engine. Raises `InvalidSpec`, `AtCapacity`, `ModelFault`."""
        self._open(now, in_speech=self._speaks)

    def _open(self, now: float, *, in_speech: bool) -> None:
        plan = plan_of(self._spec, "turn", Limits())
        if not in_speech:
            key = (prefix_key(self._spec.character, self._spec.voice), Task.TEXT_CHAT)
            # Here what was said before is turns of its own.
            instruction = self._spec.instructions
            plan = replace(plan, task=Task.TEXT_CHAT, instruction=instruction, speaker=None, prefix_key=key)
        plan = replace(plan, history=self._memory.turns(speech=in_speech))
        number, self._number = self._number, None
        if number is not None:
            self._shared.close(number)
        self._number = self._shared.open(now, plan, self)
        self._in_speech = in_speech

    def _use(self, now: float, in_speech: bool) -> None:
        """Goes on in the task that answers in speech, or the one that answers in text."""
        if in_speech != self._in_speech:
            self._open(now, in_speech=in_speech)

    # --- the worker's side ---

    def command(self, now: float, command: Command) -> None:
        match command:
            case StartSpeech(response_id=response_id):
                # Nobody outside decides what is said.
                self._composed.command(now, command)
                self._composed.command(now, EndSpeech(response_id))
            case SpeakPart():
                pass
            case SetVoice(voice=voice):
                self._change_voice(voice)
            case ClearInput():
                self._composed.command(now, command)
                self._clear_turn(now)
            case CancelSpeech(response_id=response_id, reason=reason):
                if self._typed is not None and response_id in (None, self._typed.response_id):
                    self._decline(now, reason)
                self._composed.command(now, command)
            case UserText():
                self._take_typed(now, command)
            case SetOutput(speaks=speaks):
                self._speaks = speaks
            case _:
                self._composed.command(now, command)

    def audio(self, now: float, pcm: bytes) -> None:
        self._input.hear(pcm)
        self._composed.audio(now, pcm)

    def step(self, now: float) -> list[Event]:
        self._shared.check(self._number)
        before = self._response_id
        events = self._advance(now)
        if self._response_id != before:
            # What the answer begun just now has cut short is told before anything of that answer is.
            events += self._advance(now)
        told, self._events = self._events, []
        dues = [due for due in (self._shared.due, self._composed.next_due(now)) if due is not None]
        self._due = min(dues, default=None)
        return [*told, *events]

    def _advance(self, now: float) -> list[Event]:
        events = self._composed.step(now)
        for event in events:
            self._react(now, event)
        return events

    def _react(self, now: float, event: Event) -> None:
        match event:
            case VoiceStarted(at_ms=at_ms):
                self._begin_turn(now, at_ms)
            case Heard():
                self._end_turn(now, event)
            case SpeechFinished(response_id=response_id) if response_id == self._response_id:
                self._interrupt()

    def _change_voice(self, voice: VoiceSpec) -> None:
        if self._in_speech:
            events = self._shared.change_voice(self._number, self._spec.character, voice)
        else:
            events = [_judge_voice(voice)]
        if any(isinstance(event, VoiceChanged) for event in events):
            self._spec = replace(self._spec, voice=voice)
        self._events += events

    # --- the user's turns ---

    def _begin_turn(self, now: float, at_ms: int) -> None:
        self._interrupt()
        self._use(now, self._speaks)
        self._in_turn = True
        self._input.begin_turn(at_ms)

    def _end_turn(self, now: float, heard: Heard) -> None:
        """The user's voice has ended, or the client says so."""
        typed, self._typed = self._typed, None
        announced, self._in_turn = self._in_turn, False
        if heard.replaces is not None:
            self._memory.continued()
        if not announced and heard.end_ms > heard.start_ms:
            self._input.begin_turn(heard.start_ms)
        self._interrupt()
        self._use(now, self._speaks if typed is None else typed.speaks)
        if self._in_speech:
            self._give_heard(ends=True)
            self._answer(now, heard.text, self._input.end_turn(), typed)
        else:
            self._input.clear()
            self._answer(now, heard.text, None, typed)

    def _clear_turn(self, now: float) -> None:
        """The client takes the user's voice back; what was typed meanwhile is answered all the same."""
        typed, self._typed, self._in_turn = self._typed, None, False
        self._input.clear()
        if typed is not None:
            self._take_typed(now, typed)

    def _take_typed(self, now: float, typed: UserText) -> None:
        if not self._in_turn:
            self._interrupt()
            self._use(now, typed.speaks)
            self._answer(now, "", None, typed)
            return
        if self._typed is not None:
            self._decline(now, "client_cancelled")
            typed = replace(typed, text=f"{self._typed.text}\n{typed.text}")
        self._typed = typed

    def _decline(self, now: float, reason: str) -> None:
        """The response that was asked for is not given; the words stay in the turn."""
        assert self._typed is not None
        if self._typed.response_id:
            self._events += self._speaking.start(self._typed.response_id)
            self._events += self._speaking.cancel(now, reason)
            self._typed = replace(self._typed, response_id="")

    # --- answers ---

    def _answer(self, now: float, heard_text: str, codes: Tensor | None, typed: UserText | None) -> None:
        """Answers the user's turn: its `codes`, or raw audio given before, or where it was not heard its words, and
        what was typed.
        """
        number = self._number
        if number is None:
            return
        typed_text = "" if typed is None else typed.text
        spoken = codes is not None or (self._in_speech and self._shared.hears_raw_audio)
        text = "\n".join(filter(None, ("" if spoken else heard_text, typed_text)))
        if text:
            self._shared.engine.push_text(number, text)
        elif not spoken:
            # The ears caught no word, and the text task hears nothing else. The floor is told not to wait.
            nothing = f"live_{uuid.uuid4().hex[:20]}"
            self._composed.command(now, StartSpeech(nothing))
            self._composed.command(now, EndSpeech(nothing))
            return
        whole = "\n".join(filter(None, (heard_text, typed_text)))
        self._memory.begin(whole, None if typed_text else codes)
        self._shared.engine.begin_answer(number)
        self._voice = ModelVoice(self._shared.codec)
        self._response_id = typed.response_id if typed and typed.response_id else f"live_{uuid.uuid4().hex[:20]}"
        self._composed.command(now, StartSpeech(self._response_id))

    def _interrupt(self) -> None:
        """What the model was going to say is not wanted any more; what it has said stays in its context."""
        if self._voice is not None and self._number is not None:
            self._voice = None
            self._shared.engine.interrupt(self._number)

    def next_due(self, now: float) -> float | None:
        return self._due

    @property
    def late_frames(self) -> int:
        return self._composed.late_frames

    @property
    def dropped_pieces(self) -> int:
        return 0

    def close(self) -> None:
        number, self._number = self._number, None
        if number is not None:
            self._shared.close(number)
        self._composed.close()

    # --- the engine's side ---

    def contribute(self) -> None:
        if self._in_turn and self._in_speech:
            self._give_heard()

    def _give_heard(self, *, ends: bool = False) -> None:
        number, engine = self._number, self._shared.engine
        if number is not None and self._shared.hears_raw_audio:
            for frame in self._input.take_frames():
                engine.push_pcm(number, frame)
            return
        codes = self._input.take(ends=ends)
        if codes is not None and number is not None:
            engine.push_codes(number, codes)

    def take(self, now: float, output: StreamOutput) -> None:
        voice = self._voice
        if voice is None:
            return
        if output.codes is not None:
            self._memory.spoken(output.codes)
        said = voice.take(output)
        if not self._in_speech:
            self._write(now, voice.take_text())
        elif said is not None:
            self._say(now, voice, said)
        if not self._is_answering():
            self._end_answer(now, voice)

    def _is_answering(self) -> bool:
        return self._number is not None and self._shared.engine.stream(self._number).answer is not None

    def _end_answer(self, now: float, voice: ModelVoice) -> None:
        if voice.owes_sound:
            return  # The codec still gives sound of its last frames.
        self._voice = None
        if self._in_speech:
            self._say(now, voice, voice.finish(), last=True)
        self._composed.command(now, EndSpeech(self._response_id))

    def _say(self, now: float, voice: ModelVoice, said: Said, *, last: bool = False) -> None:
        self._note_words(now, said.text)
        self._mouth.speech.say(said.text, said.frames, lag_samples=voice.lag_samples, last=last)
        self._speaking.ask(now)

    def _write(self, now: float, text: str) -> None:
        self._note_words(now, text)
        if text:
            self._events.append(TextWritten(self._response_id, text))

    def _note_words(self, now: float, text: str) -> None:
        if text:
            self._memory.written(text)
            self._composed.command(now, SpeakPart(self._response_id, Words(text)))


def _judge_voice(voice: VoiceSpec) -> Event:
    """What becomes of a wish for this voice while there is nothing to hear of it."""
    try:
        needed_speaker_of(voice)
    except InvalidSpec as error:
        return VoiceRefused(voice.slug, str(error))
    return VoiceChanged(voice.slug)


class TurnLane(ModelLane):
    """Opens turn streams over one shared engine."""

    def open(self, spec: SessionSpec, now: float) -> LaneStream:
        mouth = LiveMouth()
        speaking = Speaking(mouth, spec)
        composed = ComposedStream(
            spec,
            Listening(self._ears, spec.ears, self._new_detector()),
            speaking,
            Floor(spec.turn_taking, now, spec.ears.phrases, spec.detects_turns),
            AnswerMarks(self._clock),
        )
        stream = TurnStream(spec, self._shared, composed, mouth, speaking)
        stream.join(now)
        return stream
