"""The voice-language model as a mouth: words are forced into it as text while it makes the sound.

Songs are spoken, for the model has no score. Of a style, whisper and level are heard; the rest is the checkpoint's own.
"""

import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.engine.plans import Limits, StreamOutput, StreamPlan, WordStart
from inference.mouth.base import SpokenFrame, SpokenWord
from inference.protocol import (
    AUDIO_RATE_HZ,
    FRAME_MS,
    FRAME_SAMPLES,
    Deliver,
    Pause,
    Song,
    SpeechPart,
    StyleSpec,
    VoiceSpec,
    Words,
)
from inference.worker.model_sound import ModelVoice
from inference.worker.shared_engine import SharedEngine, prefix_key, speaker_of
from inference.worker.styled_sound import StyledSound

_PIECE = re.compile(r"\s*\S+")
"""A word as it is to be read, with the white space before it."""

LIMITS = Limits(max_new_positions=4096)


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    char_start: int
    char_end: int


class ModelSpeech:
    """One response on a stream of the engine. Words between two pauses, voices or styles are one answer of it."""

    def __init__(self, shared: SharedEngine, voice: VoiceSpec, style: StyleSpec, clock: Callable[[], float]) -> None:
        self._shared = shared
        self._clock = clock
        self._sound = StyledSound(style)
        self._delivers_style = False
        self._todo: deque[_Piece | Pause | VoiceSpec | StyleSpec] = deque()
        self._pieces: list[_Piece] = []
        """Given to the answer in the making."""

        self._answer: ModelVoice | None = None
        self._chars = 0
        self._ended = False
        self._frames: deque[SpokenFrame] = deque()
        self._made_samples = 0
        self._answer_sample = 0
        self._word: SpokenWord | None = None
        """The one being said: its end is known when the next begins."""

        self._known: list[SpokenWord] = []
        self._number: int | None = self._open(voice)

    def _open(self, voice: VoiceSpec) -> int:
        plan = StreamPlan(mode="mouth", speaker=speaker_of(voice), limits=LIMITS, prefix_key=prefix_key("mouth", voice))
        return self._shared.open(self._clock(), plan, self)

    # --- the worker's side ---

    def add(self, part: SpeechPart) -> None:
        """The next part. Raises `InvalidSpec` for a voice that is no speaker embedding."""
        match part:
            case Words(text=text):
                self._add_words(text)
            case Song():
                self._add_words(part.lyrics)
            case Pause():
                self._todo.append(part)
            case Deliver(style=style, voice=voice):
                if voice is not None:
                    speaker_of(voice)
                self._todo.extend(change for change in (voice, style) if change is not None)
        self._go_on()

    def _add_words(self, text: str) -> None:
        for found in _PIECE.finditer(text):
            start = self._chars + found.end() - len(found.group().lstrip())
            self._todo.append(_Piece(found.group(), start, self._chars + found.end()))
        self._chars += len(text)

    def end(self) -> None:
        self._ended = True
        self._go_on()

    def set_style(self, style: StyleSpec) -> None:
        if not self._delivers_style:
            self._sound.set_style(style)

    def frame(self) -> SpokenFrame | None:
        self._shared.check(self._number)
        return self._frames.popleft() if self._frames else None

    @property
    def finished(self) -> bool:
        return self._ended and not self._todo and self._answer is None and not self._frames

    def close(self) -> None:
        number, self._number = self._number, None
        if number is not None:
            self._shared.close(number)
        self._todo.clear()
        self._frames.clear()

    # --- the engine's side ---

    def contribute(self) -> None:
        """Nothing: words are given as they come."""

    def take(self, now: float, output: StreamOutput) -> None:
        if self._answer is None or self._number is None:
            return
        for word in output.words:
            self._begin_word(word, self._answer)
        said = self._answer.take(output)
        if said is not None:
            self._push(said.frames)
        if self._shared.engine.stream(self._number).answer is None and not self._answer.owes_sound:
            voice, self._answer = self._answer, None
            self._push(voice.finish().frames, last=True)
            self._go_on()

    def _begin_word(self, word: WordStart, answer: ModelVoice) -> None:
        ahead = round(word.frame * self._shared.frame_s * AUDIO_RATE_HZ)
        start = self._answer_sample + ahead + answer.lag_samples
        self._end_word(start)
        piece = self._pieces[word.index]
        self._word = SpokenWord(piece.text.strip(), start, start, piece.char_start, piece.char_end)

    def _end_word(self, sample: int) -> None:
        word, self._word = self._word, None
        if word is not None:
            end = max(sample, word.start_sample)
            self._known.append(SpokenWord(word.text, word.start_sample, end, word.char_start, word.char_end))

    def _push(self, frames: list[NDArray[np.float32]], *, last: bool = False) -> None:
        made = self._sound.frames(frames, last=last)
        self._made_samples += len(made) * FRAME_SAMPLES
        if last:
            self._end_word(self._made_samples)
        for pcm in made:
            words, self._known = tuple(self._known), []
            self._frames.append(SpokenFrame(pcm, words))

    # --- what comes next ---

    def _go_on(self) -> None:
        """Gives the engine what it can take now; pauses and other voices wait for the end of the answer."""
        engine = self._shared.engine
        while self._todo and self._number is not None:
            step = self._todo[0]
            if isinstance(step, _Piece):
                self._give(self._number, step)
            elif self._answer is not None:
                break
            elif isinstance(step, Pause):
                count = round(step.seconds * 1000 / FRAME_MS)
                self._push([np.zeros(FRAME_SAMPLES, dtype=np.float32) for _ in range(count)])
            elif isinstance(step, StyleSpec):
                self._sound.set_style(step)
                self._delivers_style = True
            else:
                self._shared.close(self._number)
                self._number = self._open(step)
            self._todo.popleft()
        if self._answer is None or self._number is None or not (self._todo or self._ended):
            return
        if engine.stream(self._number).words is not None:
            engine.end_words(self._number)

    def _give(self, number: int, piece: _Piece) -> None:
        engine = self._shared.engine
        if self._answer is None:
            engine.begin_answer(number)
            self._answer = ModelVoice(self._shared.codec)
            self._answer_sample, self._pieces = self._made_samples, []
        self._pieces.append(piece)
        engine.push_words(number, [piece.text])


class ModelMouth:
    """A `mouth.base.Mouth` over a shared engine. A speech holds one of its slots until it is closed."""

    def __init__(self, shared: SharedEngine, clock: Callable[[], float] = time.monotonic) -> None:
        self._shared = shared
        self._clock = clock

    def prepare(self, voice: VoiceSpec) -> None:
        """Raises `InvalidSpec` for a voice that is no speaker embedding."""
        speaker_of(voice)

    def begin(self, voice: VoiceSpec, style: StyleSpec) -> ModelSpeech:
        """A new speech. Raises `InvalidSpec`, `AtCapacity`, `ModelFault`."""
        return ModelSpeech(self._shared, voice, style, self._clock)
