"""The echo meter on level curves like those of speech: syllables of uneven length and loudness with pauses."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.turns.echo import EchoMeter

OUT_HZ, IN_HZ = 24_000, 16_000
CHUNK_S = 0.032


def syllables(seed: int, seconds: float, rate_hz: int) -> NDArray[np.float32]:
    """Noise shaped by syllables of 0.1-0.3 s, every fifth a pause; the same curve for a seed at any rate."""
    rng = np.random.default_rng(seed)
    curve: list[NDArray[np.float64]] = []
    while sum(map(len, curve)) < seconds * rate_hz:
        length, loudness = rng.uniform(0.1, 0.3), 10 ** rng.uniform(-1.5, 0)
        pause = rng.random() < 0.2
        bump = np.hanning(round(length * rate_hz)) * (0.0 if pause else loudness)
        curve.append(bump)
    shape = np.concatenate(curve)[: round(seconds * rate_hz)]
    return (0.3 * shape * np.random.default_rng(seed + rate_hz).normal(size=len(shape))).astype(np.float32)


def share_of_echo(heard: NDArray[np.float32], played: NDArray[np.float32], start_at: float = 7_000.0) -> float:
    """Share of chunks called echo, after the first 1.5 s; output is told 0.4 s ahead as in a call."""
    meter, told = EchoMeter(), 0
    verdicts: list[bool] = []
    frame = OUT_HZ // 25
    for index in range(len(heard) // 512):
        now = start_at + (index + 1) * CHUNK_S
        while told * 0.04 < index * CHUNK_S + 0.4 and (told + 1) * frame <= len(played):
            meter.played(start_at + told * 0.04, played[told * frame : (told + 1) * frame], OUT_HZ)
            told += 1
        meter.heard(heard[index * 512 : (index + 1) * 512], IN_HZ)
        if index * CHUNK_S > 1.5:
            verdicts.append(meter.is_echo(now))
    return sum(verdicts) / len(verdicts)


def delayed(pcm: NDArray[np.float32], seconds: float, gain: float) -> NDArray[np.float32]:
    silence = np.zeros(round(seconds * IN_HZ), dtype=np.float32)
    room = np.random.default_rng(3).normal(0, 1e-3, len(pcm))
    return (np.concatenate([silence, pcm])[: len(pcm)] * gain + room).astype(np.float32)


@pytest.mark.parametrize("delay_s", [0.0, 0.08, 0.25, 0.45])
@pytest.mark.parametrize("gain", [0.1, 0.5])
def test_the_output_coming_back_is_an_echo_whatever_its_delay(delay_s: float, gain: float) -> None:
    assert share_of_echo(delayed(syllables(1, 8.0, IN_HZ), delay_s, gain), syllables(1, 8.0, OUT_HZ)) > 0.75


@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_another_voice_is_no_echo(seed: int) -> None:
    assert share_of_echo(delayed(syllables(seed, 8.0, IN_HZ), 0.0, 1.0), syllables(1, 8.0, OUT_HZ)) < 0.2


@pytest.mark.parametrize("seed", [2, 3, 4, 5])
def test_another_voice_over_the_echo_is_no_echo(seed: int) -> None:
    both = delayed(syllables(seed, 8.0, IN_HZ), 0.0, 1.0) + delayed(syllables(1, 8.0, IN_HZ), 0.15, 0.1)
    assert share_of_echo(both, syllables(1, 8.0, OUT_HZ)) < 0.3


def test_silence_and_steady_noise_are_no_echo() -> None:
    quiet = np.zeros(8 * IN_HZ, dtype=np.float32)
    hum = np.random.default_rng(9).normal(0, 0.05, 8 * IN_HZ).astype(np.float32)
    for heard in (quiet, hum):
        assert share_of_echo(heard, syllables(1, 8.0, OUT_HZ)) == 0.0


def test_without_output_there_is_no_echo() -> None:
    assert share_of_echo(syllables(1, 4.0, IN_HZ), np.zeros(0, dtype=np.float32)) == 0.0
