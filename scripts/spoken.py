"""Scripted users: sentences spoken by the `flite` program."""

import shutil
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

FLITE_TIMEOUT_S = 60


class NoFlite(RuntimeError):
    """The `flite` program is not installed."""


def spoken(text: str, *, voice: str = "rms", rate_hz: int = 24_000) -> NDArray[np.float32]:
    """The sentence as samples [S] in -1..1 at `rate_hz`. Raises `NoFlite`."""
    if shutil.which("flite") is None:
        raise NoFlite("the program flite speaks the users of this script; install it")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        command = ["flite", "-voice", voice, "-t", text, "-o", str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=FLITE_TIMEOUT_S)
        with wave.open(str(path), "rb") as wav:
            own_rate_hz = wav.getframerate()
            pcm = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").astype(np.float32) / np.float32(32768)
    if own_rate_hz == rate_hz:
        return pcm
    resampled: NDArray[np.float32] = soxr.resample(pcm, own_rate_hz, rate_hz)
    return resampled


def end_of_voice(pcm: NDArray[np.float32], rate_hz: int = 24_000, floor_db: float = -35.0) -> int:
    """The sample where the last loud stretch of 10 ms ends, `floor_db` under the loudest counting as silence."""
    hop = rate_hz // 100
    rows = pcm[: len(pcm) // hop * hop].reshape(-1, hop)
    level = np.sqrt((rows.astype(np.float64) ** 2).mean(axis=1))
    loud = np.flatnonzero(level > level.max() * 10 ** (floor_db / 20))
    return int(loud[-1] + 1) * hop
