"""Sound as WAV files."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.codec.source_filter.grid import SAMPLE_RATE_HZ


def write_wav(path: Path, pcm: NDArray[np.float32], rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """[S] in -1..1 as 16 bit mono."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())
