"""Sound for the tests of effects and mouth: a spoken sentence, and what is measured on sound."""

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.effects.chain import Chain
from inference.effects.f0 import track_f0
from inference.mouth.base import Mouth, SpokenWord
from inference.protocol import AUDIO_RATE_HZ, SpeechPart, StyleSpec, VoiceSpec, Words

Floats = NDArray[np.float32]

SENTENCE = "The old lighthouse keeper climbed the winding stairs slowly, and the wind was howling all around him."


def espeak_mouth() -> Mouth:
    """The real mouth; the test is skipped where it is not installed."""
    pytest.importorskip("espeakng_loader", reason="the optional package espeakng-loader is not installed")
    from inference.mouth.espeak_mouth import EspeakMouth

    return EspeakMouth()


def said(
    mouth: Mouth,
    parts: Iterable[SpeechPart],
    voice: VoiceSpec | None = None,
    style: StyleSpec | None = None,
    patience: int = 0,
) -> tuple[Floats, list[SpokenWord]]:
    """A whole speech, and its words. `patience`: how often a mouth that makes its sound on demand may have none yet."""
    speech = mouth.begin(voice or VoiceSpec(), style or StyleSpec())
    for part in parts:
        speech.add(part)
    speech.end()
    frames: list[Floats] = []
    words: list[SpokenWord] = []
    while not speech.finished:
        frame = speech.frame()
        if frame is None:
            patience -= 1
            assert patience >= 0, "a speech that has ended is never without a frame"
            continue
        frames.append(frame.pcm)
        words += frame.words
    return np.concatenate([*frames, np.zeros(0, np.float32)]), words


def spoken_sentence(mouth: Mouth) -> Floats:
    return said(mouth, [Words(SENTENCE)])[0]


def through(chain: Chain, pcm: Floats, piece: int = 960) -> Floats:
    """All of `pcm` through the chain, fed in pieces."""
    out = [chain.process(pcm[first : first + piece]) for first in range(0, len(pcm), piece)]
    return np.concatenate([*out, chain.flush()])


def semitones_between(before: Floats, after: Floats) -> float:
    """How far the median F0 moved."""
    medians = [float(np.median(_speech_f0(pcm))) for pcm in (before, after)]
    return float(12 * np.log2(medians[1] / medians[0]))


def movement_semitones(pcm: Floats) -> float:
    """Distance between the 10th and 90th percentile of F0."""
    low, high = np.percentile(_speech_f0(pcm), [10, 90])
    return float(12 * np.log2(high / low))


def rms_db(pcm: Floats) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(pcm**2)) + 1e-9))


def sharpest_bend(pcm: Floats) -> float:
    """Largest second difference: what a click has, and speech hardly."""
    return float(np.abs(np.diff(pcm, 2)).max())


def formant_centre_hz(pcm: Floats) -> float:
    """Centre of gravity of the spectrum between 300 and 3,500 Hz."""
    size = 1024
    blocks = pcm[: len(pcm) // size * size].reshape(-1, size) * np.hanning(size)
    power = (np.abs(np.fft.rfft(blocks)) ** 2).mean(axis=0)
    hz = np.fft.rfftfreq(size, 1 / AUDIO_RATE_HZ)
    inside = (hz > 300) & (hz < 3500)
    return float((hz * power)[inside].sum() / power[inside].sum())


def _speech_f0(pcm: Floats) -> NDArray[np.float64]:
    f0 = track_f0(pcm, AUDIO_RATE_HZ)
    return f0[(f0 > 0) & (f0 < 450)]
