"""The F0 tracker, on tones whose pitch is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.effects.f0 import HIGHEST_HZ, LOWEST_HZ, median_f0, track_f0, voiced_share, window_length, yin
from inference.protocol import AUDIO_RATE_HZ


def _buzz(f0_hz: float, seconds: float = 0.5, harmonics: int = 12) -> NDArray[np.float32]:
    """A tone with falling harmonics, as a voice has."""
    time = np.arange(round(seconds * AUDIO_RATE_HZ)) / AUDIO_RATE_HZ
    count = min(harmonics, int(10_000 / f0_hz))
    tone = np.sum([np.sin(2 * np.pi * k * f0_hz * time + k) / k for k in range(1, count + 1)], axis=0)
    return (0.2 * tone).astype(np.float32)


@pytest.mark.parametrize("f0_hz", [70.0, 98.0, 146.8, 220.0, 311.1, 440.0, 570.0])
def test_a_steady_tone_is_measured_within_three_cents(f0_hz: float) -> None:
    measured = median_f0(_buzz(f0_hz), AUDIO_RATE_HZ)
    assert measured is not None
    assert abs(1200 * np.log2(measured / f0_hz)) < 3


def test_a_glide_is_followed() -> None:
    seconds = 1.0
    time = np.arange(round(seconds * AUDIO_RATE_HZ)) / AUDIO_RATE_HZ
    f0 = 120.0 * 2.0**time
    phase = 2 * np.pi * np.cumsum(f0) / AUDIO_RATE_HZ
    tone = (0.3 * np.sin(phase) + 0.2 * np.sin(2 * phase)).astype(np.float32)
    tracked = track_f0(tone, AUDIO_RATE_HZ)[10:90]
    expected = f0[:: AUDIO_RATE_HZ // 100][10:90]
    assert np.max(np.abs(1200 * np.log2(tracked / expected))) < 30


def test_noise_and_silence_have_no_pitch() -> None:
    noise = 0.1 * np.random.default_rng(3).standard_normal(AUDIO_RATE_HZ).astype(np.float32)
    assert voiced_share(noise, AUDIO_RATE_HZ) < 0.05
    assert median_f0(np.zeros(AUDIO_RATE_HZ, np.float32), AUDIO_RATE_HZ) is None
    assert voiced_share(np.zeros(0, np.float32), AUDIO_RATE_HZ) == 0.0


def test_a_tone_in_some_noise_keeps_its_pitch() -> None:
    noisy = _buzz(180.0) + 0.02 * np.random.default_rng(5).standard_normal(AUDIO_RATE_HZ // 2).astype(np.float32)
    assert median_f0(noisy, AUDIO_RATE_HZ) == pytest.approx(180.0, rel=0.01)
    assert voiced_share(noisy, AUDIO_RATE_HZ) > 0.9


def test_no_estimate_lies_outside_what_was_looked_for() -> None:
    """A period too long for the window ends on a slope, whose parabola has its vertex anywhere."""
    times = np.arange(window_length(AUDIO_RATE_HZ)) / AUDIO_RATE_HZ
    tones = np.stack([0.3 * np.sin(2 * np.pi * hz * times) for hz in np.arange(44.0, 56.0, 0.5)]).astype(np.float32)
    found = yin(tones, AUDIO_RATE_HZ, threshold=0.5)
    voiced = found[found > 0]
    assert len(voiced) > 5 and (found >= 0).all()
    assert voiced.min() >= LOWEST_HZ * 0.98 and voiced.max() <= HIGHEST_HZ * 1.02
