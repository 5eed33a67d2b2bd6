"""Ducking on the worker's side: a gain that moves without a click."""

import numpy as np
from numpy.typing import NDArray

from inference.protocol import AUDIO_RATE_HZ


class GainRamp:
    """A linear ramp of amplitude from the gain that is to the gain that is wanted."""

    def __init__(self) -> None:
        self._gain = 1.0
        self._target = 1.0
        self._per_sample = 0.0

    def move(self, gain_db: float, ramp_ms: int) -> None:
        """Reach `gain_db` within `ramp_ms` of the audio still to come."""
        self._target = float(10 ** (gain_db / 20))
        self._per_sample = (self._target - self._gain) / max(1.0, ramp_ms * AUDIO_RATE_HZ / 1000)

    def apply(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """`pcm` [S] at `AUDIO_RATE_HZ` with the gain applied."""
        if self._gain == self._target:
            return pcm if self._gain == 1.0 else pcm * np.float32(self._gain)
        steps = self._gain + self._per_sample * np.arange(1, len(pcm) + 1, dtype=np.float32)
        low, high = sorted((self._gain, self._target))
        curve = np.clip(steps, low, high).astype(np.float32)
        self._gain = float(curve[-1]) if abs(curve[-1] - self._target) > 1e-4 else self._target
        return pcm * curve
