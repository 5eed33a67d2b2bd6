"""Level with a limiter: louder or softer, never beyond full scale, and without delay."""

import numpy as np
from numpy.typing import NDArray

from inference.protocol import AUDIO_RATE_HZ

CEILING = 0.97
"""Largest magnitude that leaves the limiter."""

_KNEE = 0.7
"""Peaks above this are pressed towards the ceiling."""

_RELEASE_S = 0.08
_RAMP_DB_PER_SAMPLE = 12.0 / (0.04 * AUDIO_RATE_HZ)
"""The level glides: 12 dB take 40 ms."""


class Level:
    """One stream; sample for sample, so the pieces it is fed in do not matter."""

    def __init__(self, level_db: float) -> None:
        self._wanted_db = level_db
        self.reset()

    def reset(self) -> None:
        self._now_db = self._wanted_db
        self._peak = 0.0

    def set(self, level_db: float) -> None:
        self._wanted_db = level_db

    def process(self, pcm: NDArray[np.float32], *, limited: bool = False) -> NDArray[np.float32]:
        """[S] to [S]. At 0 dB samples pass bit by bit, unless `limited`: an effect before may have raised peaks."""
        if not len(pcm) or (self._now_db == self._wanted_db == 0.0 and not limited):
            self._peak = 0.0
            return pcm
        gain = 10.0 ** (self._glide(len(pcm)) / 20.0)
        peak = self._envelope(np.abs(pcm) * gain)
        return (pcm * gain * (_pressed(peak) / np.maximum(peak, 1e-9))).astype(np.float32)

    def _glide(self, count: int) -> NDArray[np.float64]:
        """Level in dB of each of the next samples."""
        distance = self._wanted_db - self._now_db
        steps = np.minimum(np.arange(1, count + 1) * _RAMP_DB_PER_SAMPLE, abs(distance))
        levels = self._now_db + np.sign(distance) * steps
        self._now_db = self._wanted_db if steps[-1] >= abs(distance) else float(levels[-1])
        return levels

    def _envelope(self, magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """Peak of each sample and all before it, forgotten exponentially: max(|x[n]|, d * e[n-1]) in closed form."""
        decay = 1.0 / (_RELEASE_S * AUDIO_RATE_HZ)
        growth = np.exp(decay * np.arange(1, len(magnitude) + 1))
        envelope = np.maximum(np.maximum.accumulate(magnitude * growth), self._peak) / growth
        self._peak = float(envelope[-1])
        return envelope


def _pressed(peak: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a peak becomes: itself below the knee, smoothly less above, never over the ceiling."""
    room = CEILING - _KNEE
    return np.where(peak <= _KNEE, peak, _KNEE + room * np.tanh((peak - _KNEE) / room))
