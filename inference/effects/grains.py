"""Grains: two periods of sound around a pitch mark, the pieces that resynthesis lays down anew."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from inference.effects.sample_buffer import SampleBuffer


@lru_cache(maxsize=1024)
def grain_window(half: int) -> NDArray[np.float32]:
    """Hann window of 2 * half samples, 1 in its middle; shifted by `half`, two of them add up to 1."""
    return (0.5 - 0.5 * np.cos(np.pi * np.arange(2 * half) / half)).astype(np.float32)


def cut_grain(source: SampleBuffer, centre: int, half: int, formant_ratio: float) -> NDArray[np.float32]:
    """[2 * half] samples around `centre`, not windowed. Above 1, `formant_ratio` raises the formants by resampling."""
    if formant_ratio == 1.0:
        return source.read(centre - half, centre + half)
    reach = grain_reach(half, formant_ratio)
    wider = source.read(centre - reach, centre + reach + 1)
    at = np.arange(-half, half) * formant_ratio + reach
    return np.interp(at, np.arange(len(wider)), wider).astype(np.float32)


def grain_reach(half: int, formant_ratio: float) -> int:
    """Source samples needed on each side of a grain's centre."""
    return half if formant_ratio == 1.0 else round(half * formant_ratio) + 1
