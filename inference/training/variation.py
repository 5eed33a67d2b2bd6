"""A sentence said by another speaker or in another style, made of the first one's features.

Formants move along the mel axis, F0 moves in semitones, time is resampled: the teachers have few voices and one manner.
Shapes: N subframes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from inference.codec.source_filter.grid import NUM_BANDS, SAMPLE_RATE_HZ, mel
from inference.codec.source_filter.steering import whisper_curve
from inference.training.corpus import Utterance

FLOOR = -15.0
"""Log power under which nothing is heard: the envelope ends there."""

_DB = np.log(10) / 10


@dataclass(frozen=True, slots=True)
class Manner:
    """How a style changes neutral speech."""

    rate: float = 1.0
    """Above 1 faster."""

    pitch_semitones: float = 0.0
    pitch_range: float = 1.0
    level_db: float = 0.0
    tilt_db: float = 0.0
    """Level at 8 kHz against that at 0, linear in mel: effort makes speech brighter."""

    whispered: bool = False


STYLES = {
    "neutral": Manner(),
    "cheerful": Manner(rate=1.05, pitch_semitones=2.0, pitch_range=1.6, level_db=1.0, tilt_db=2.0),
    "sad": Manner(rate=0.88, pitch_semitones=-1.5, pitch_range=0.55, level_db=-2.0, tilt_db=-4.0),
    "angry": Manner(rate=1.08, pitch_semitones=1.5, pitch_range=1.5, level_db=3.0, tilt_db=6.0),
    "whisper": Manner(rate=0.95, whispered=True),
    "slow": Manner(rate=0.8),
    "fast": Manner(rate=1.25),
}


@dataclass(frozen=True, slots=True)
class Speaker:
    """A teacher moved: `formant_ratio` above 1 is a smaller speaker."""

    teacher: str
    formant_ratio: float = 1.0
    pitch_semitones: float = 0.0
    pitch_range: float = 1.0


def said_by(utterance: Utterance, speaker: Speaker, manner: Manner) -> Utterance:
    """The same words, another voice and manner."""
    envelope = np.maximum(utterance.envelope.astype(np.float32), FLOOR)
    f0 = utterance.f0_hz.astype(np.float32)
    if speaker.formant_ratio != 1.0:
        envelope = envelope @ _warp(round(speaker.formant_ratio, 2))
    f0 = _moved(f0, speaker.pitch_semitones + manner.pitch_semitones, speaker.pitch_range * manner.pitch_range)
    bands = np.linspace(0.0, 1.0, NUM_BANDS, dtype=np.float32)
    envelope = envelope + np.float32(_DB) * (manner.level_db + manner.tilt_db * (bands - 0.3))
    if manner.whispered:
        envelope, f0 = envelope + whisper_curve().numpy(), np.zeros_like(f0)
    ends = utterance.ends
    if manner.rate != 1.0:
        envelope, f0, ends = _resampled(envelope, f0, ends, manner.rate)
    return Utterance(
        utterance.text, np.maximum(envelope, FLOOR).astype(np.float16), f0.astype(np.float16), utterance.phones, ends
    )


@lru_cache(maxsize=64)
def _warp(ratio: float) -> NDArray[np.float32]:
    """[NUM_BANDS, NUM_BANDS]: what stood at a frequency stands at `ratio` times it."""
    top = mel(SAMPLE_RATE_HZ / 2)
    hz = 700.0 * (10.0 ** (np.linspace(0.0, top, NUM_BANDS) / 2595.0) - 1.0)
    source = 2595.0 * np.log10(1.0 + hz / ratio / 700.0) / top * (NUM_BANDS - 1)
    source = np.minimum(source, NUM_BANDS - 1)
    weights: NDArray[np.float32] = np.maximum(0.0, 1.0 - np.abs(source[None] - np.arange(NUM_BANDS)[:, None])).astype(
        np.float32
    )
    return weights


def _moved(f0: NDArray[np.float32], semitones: float, spread: float) -> NDArray[np.float32]:
    voiced = f0 > 0
    if not voiced.any():
        return f0
    log = np.log2(f0[voiced])
    centre = np.median(log)
    moved = np.zeros_like(f0)
    moved[voiced] = 2.0 ** (centre + (log - centre) * spread + semitones / 12)
    return np.where(voiced, np.clip(moved, 60.0, 480.0), 0.0).astype(np.float32)


def _resampled(
    envelope: NDArray[np.float32], f0: NDArray[np.float32], ends: NDArray[np.int32], rate: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    size = len(f0)
    count = max(1, round(size / rate))
    at = np.clip(np.arange(count) * rate, 0, size - 1)
    left = at.astype(np.int64)
    right = np.minimum(left + 1, size - 1)
    share = (at - left).astype(np.float32)
    mixed = envelope[left] * (1 - share[:, None]) + envelope[right] * share[:, None]
    nearest = np.where(share < 0.5, left, right)
    return mixed, f0[nearest], np.minimum(np.round(ends / rate), count).astype(np.int32)
