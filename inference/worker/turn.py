"""The turn lane: an end-to-end checkpoint hears a turn and answers it, words and sound together.

It is the composed lane with mind and mouth inside the model: the turn rules say when the user's turn is over and what
interrupts, the model does the rest. Ears only write down what the user said.
"""

import time
import uuid
from collections import deque
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from inference.ears.base import Ears
from inference.engine.plans import Limits, StreamOutput, StreamPlan
from inference.protocol import (
    ClearInput,
    Command,
    EndSpeech,
    Event,
    Heard,
    SessionSpec,
    SetVoice,
    SpeakPart,
    SpeechFinished,
    StartSpeech,
    VoiceStarted,
    Words,
)
from inference.turns.floor import Floor
from inference.worker.answer_marks import AnswerMarks
from inference.worker.composed import ComposedStream
from inference.worker.lanes import LaneStream
from inference.worker.listening import CHUNK_SAMPLES, Detector, Listening
from inference.worker.live_speech import LiveMouth
from inference.worker.model_sound import HeardFrames, ModelVoice, Said
from inference.worker.shared_engine import SharedEngine, plan_of, speaker_of
from inference.worker.speaking import Speaking

PREROLL_S = 0.5
"""Heard before a voice was believed to be a turn, and part of it."""

LONGEST_TURN_S = 30.0
"""Of a turn that only the client ends."""


class TurnStream:
    """One conversation. The composed stream inside knows who has the floor; the engine's stream answers."""

    def __init__(
        self, spec: SessionSpec, shared: SharedEngine, composed: ComposedStream, mouth: LiveMouth, speaking: Speaking
    ) -> None:
        self._shared = shared
        self._character = spec.character
        self._composed = composed
        self._mouth = mouth
        self._speaking = speaking
        self._heard = HeardFrames(shared.codec)
        kept_s = PREROLL_S if spec.detects_turns else LONGEST_TURN_S
        self._recent: deque[Tensor] = deque(maxlen=round(kept_s / shared.frame_s) + 1)
        """Frames that the model has not been given."""

        self._in_turn = False
        self._encoder = shared.codec.encoder_state(1)
        self._voice: ModelVoice | None = None
        """Of the answer that is being made."""

        self._response_id = ""
        self._number: int | None = None
        self._events: list[Event] = []
        self._due: float | None = None

    def join(self, now: float, plan: StreamPlan) -> None:
        """Takes a slot of the engine. Raises `InvalidSpec`, `AtCapacity`, `ModelFault`."""
        self._number = self._shared.open(now, plan, self)

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
                self._events += self._shared.change_voice(self._number, self._character, voice)
            case ClearInput():
                self._recent.clear()
                self._in_turn = False
                self._composed.command(now, command)
            case _:
                self._composed.command(now, command)

    def audio(self, now: float, pcm: bytes) -> None:
        self._recent.extend(self._heard.cut(pcm))
        self._composed.audio(now, pcm)

    def step(self, now: float) -> list[Event]:
        self._shared.check(self._number)
        events = self._composed.step(now)
        for event in events:
            self._react(now, event)
        told, self._events = self._events, []
        dues = [due for due in (self._shared.due, self._composed.next_due(now)) if due is not None]
        self._due = min(dues, default=None)
        return [*told, *events]

    def _react(self, now: float, event: Event) -> None:
        match event:
            case VoiceStarted():
                self._interrupt()
                self._in_turn = True
                self._encoder = self._shared.codec.encoder_state(1)
            case Heard():
                self._answer(now)
            case SpeechFinished(response_id=response_id) if response_id == self._response_id:
                self._interrupt()

    def _answer(self, now: float) -> None:
        if self._number is None:
            return
        self._interrupt()
        self._in_turn = True
        self._give_heard(ends=True)
        self._in_turn = False
        self._shared.engine.begin_answer(self._number)
        self._voice = ModelVoice(self._shared.codec)
        self._response_id = f"live_{uuid.uuid4().hex[:20]}"
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
        if self._in_turn:
            self._give_heard()

    def _give_heard(self, *, ends: bool = False) -> None:
        """All that was heard since the last time, as codes; where the turn `ends`, what a codec looks ahead for too."""
        codec = self._shared.codec
        frames = list(self._recent)
        self._recent.clear()
        if ends:
            frames += [torch.zeros(codec.samples_per_frame)] * codec.encoder_delay_frames
        if frames and self._number is not None:
            with torch.inference_mode():
                codes = codec.encode(torch.cat(frames)[None].to(self._shared.device), self._encoder)[0]
            self._shared.engine.push_codes(self._number, codes)

    def take(self, now: float, output: StreamOutput) -> None:
        if self._voice is None:
            return
        said = self._voice.take(output)
        if said is not None:
            self._say(now, self._voice, said)
        if not self._is_answering():
            self._end_answer(now, self._voice)

    def _is_answering(self) -> bool:
        return self._number is not None and self._shared.engine.stream(self._number).answer is not None

    def _end_answer(self, now: float, voice: ModelVoice) -> None:
        if voice.owes_sound:
            return  # The codec still gives sound of its last frames.
        self._voice = None
        self._say(now, voice, voice.finish(), last=True)
        self._composed.command(now, EndSpeech(self._response_id))

    def _say(self, now: float, voice: ModelVoice, said: Said, *, last: bool = False) -> None:
        if said.text:
            self._composed.command(now, SpeakPart(self._response_id, Words(said.text)))
        self._mouth.speech.say(said.text, said.frames, lag_samples=voice.lag_samples, last=last)
        self._speaking.ask(now)


class TurnLane:
    """Opens turn streams over one shared engine."""

    def __init__(
        self,
        shared: SharedEngine,
        ears: Ears,
        new_detector: Callable[[], Detector],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pulse = shared
        self.most_streams = shared.slots
        self._shared = shared
        self._ears = ears
        self._new_detector = new_detector
        self._clock = clock

    def prepare(self, spec: SessionSpec) -> None:
        """Loads ears and voice detector. Raises `InvalidSpec` for a voice that is no speaker embedding."""
        speaker_of(spec.voice)
        self._ears.prepare(spec.ears)
        self._new_detector().detect(np.zeros(CHUNK_SAMPLES, dtype=np.float32))

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
        stream.join(now, plan_of(spec, "turn", Limits()))
        return stream
