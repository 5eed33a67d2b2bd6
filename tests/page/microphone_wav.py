"""WAV files for a browser's microphone, spoken by flite or eSpeak NG."""

import io
import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from scripts.spoken import spoken

RATE_HZ = 48_000
LAST_SILENCE_S = 0.5
"""At the end of its file Chromium repeats the last block for a while: it must be silent."""


def _spoken(text: str) -> NDArray[np.float32]:
    if shutil.which("flite"):
        return spoken(text, voice="slt", rate_hz=RATE_HZ)
    if shutil.which("espeak-ng") is None:
        pytest.skip("neither flite nor espeak-ng is installed")
    command = ["espeak-ng", "-s", "140", "--stdout", text]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    with wave.open(io.BytesIO(done.stdout)) as sound:
        rate_hz, raw = sound.getframerate(), sound.readframes(sound.getnframes())
    pcm = np.frombuffer(raw[: len(raw) // 2 * 2], dtype="<i2").astype(np.float32) / 32768
    return soxr.resample(pcm, rate_hz, RATE_HZ)


def write_microphone(path: Path, *parts: str | float) -> Path:
    """A recording of sentences and silences (seconds), in order."""
    pieces = [
        np.zeros(int(part * RATE_HZ), np.float32) if isinstance(part, int | float) else _spoken(part) for part in parts
    ]
    pieces.append(np.zeros(int(LAST_SILENCE_S * RATE_HZ), np.float32))
    pcm = (np.clip(np.concatenate(pieces), -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(pcm.tobytes())
    return path
