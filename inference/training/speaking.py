"""Sentences spoken by a checkpoint through the mouth that serves listeners, many at once."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import soxr
from numpy.typing import NDArray

from inference.codec.source_filter.grid import SAMPLE_RATE_HZ
from inference.mouth.base import Speech, SpokenWord
from inference.protocol import AUDIO_RATE_HZ, SpeechPart, StyleSpec, VoiceSpec, Words
from inference.worker.phone_mouth import PhoneMouth

LONGEST_S = 60.0
"""Of one sentence: beyond it the mouth has run on."""


@dataclass(slots=True, eq=False)
class Spoken:
    """One sentence as it was heard."""

    text: str
    pcm: NDArray[np.float32]
    """[S] at 16 kHz."""

    words: list[SpokenWord]
    run_on: bool = False


@dataclass(slots=True)
class _Saying:
    text: str
    speech: Speech
    frames: list[NDArray[np.float32]] = field(default_factory=list)
    words: list[SpokenWord] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return sum(len(frame) for frame in self.frames) / AUDIO_RATE_HZ


def speak_all(
    mouth: PhoneMouth, texts: Sequence[str], voice: VoiceSpec, style: StyleSpec, at_once: int
) -> Iterator[Spoken]:
    """Every text, in order of completion; `at_once` speeches are open at a time."""
    yield from speak_parts(mouth, [(text, (Words(text),)) for text in texts], voice, style, at_once)


def speak_parts(
    mouth: PhoneMouth,
    speeches: Sequence[tuple[str, Sequence[SpeechPart]]],
    voice: VoiceSpec,
    style: StyleSpec,
    at_once: int,
) -> Iterator[Spoken]:
    """The same for any parts; each speech is named by a text."""
    waiting = iter(speeches)
    open_: list[_Saying] = []
    while True:
        for text, parts in islice(waiting, at_once - len(open_)):
            open_.append(_Saying(text, _begun(mouth, parts, voice, style)))
        if not open_:
            return
        for saying in list(open_):
            _take(saying)
            run_on = saying.seconds > LONGEST_S
            if saying.speech.finished or run_on:
                saying.speech.close()
                open_.remove(saying)
                yield Spoken(saying.text, _joined(saying), saying.words, run_on)


def _begun(mouth: PhoneMouth, parts: Sequence[SpeechPart], voice: VoiceSpec, style: StyleSpec) -> Speech:
    speech = mouth.begin(voice, style)
    for part in parts:
        speech.add(part)
    speech.end()
    return speech


def _take(saying: _Saying) -> None:
    frame = saying.speech.frame()
    if frame is not None:
        saying.frames.append(frame.pcm)
        saying.words.extend(frame.words)


def _joined(saying: _Saying) -> NDArray[np.float32]:
    joined = np.concatenate(saying.frames) if saying.frames else np.zeros(1, np.float32)
    resampled: NDArray[np.float32] = soxr.resample(joined, AUDIO_RATE_HZ, SAMPLE_RATE_HZ)
    return resampled


@dataclass(frozen=True, slots=True)
class Speed:
    """Of `streams` sentences made at once."""

    streams: int
    real_time_factor: float
    """Seconds of sound made per second, all streams together."""

    ms_per_frame: float
    """Of one stream's frame, when all are made together."""

    first_audio_ms: float


def measure_speed(mouth: PhoneMouth, text: str, voice: VoiceSpec, style: StyleSpec, streams: int) -> Speed:
    """How fast `streams` speeches of the same text are made."""
    begun = time.perf_counter()
    sayings = [_Saying(text, _begun(mouth, (Words(text),), voice, style)) for _ in range(streams)]
    first_ms = 0.0
    while not all(saying.speech.finished for saying in sayings):
        for saying in sayings:
            _take(saying)
        if not first_ms and sayings[0].frames:
            first_ms = (time.perf_counter() - begun) * 1000
    for saying in sayings:
        saying.speech.close()
    spent, made = time.perf_counter() - begun, sum(saying.seconds for saying in sayings)
    return Speed(streams, made / spent, spent * 1000 / (made * 25 / streams), first_ms)
