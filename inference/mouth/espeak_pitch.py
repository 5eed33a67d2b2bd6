"""What eSpeak's two pitch parameters do to the F0 of a voice, measured.

eSpeak scales a voice's base F0 by a table of nearly equal ratios and adds the intonation in Hz, so the median over a
sentence is linear: `base * factor(pitch) + offset + lift * range`. Three renderings fix the three coefficients.
"""

import math
from dataclasses import dataclass
from typing import Self

from inference.mouth.espeak_library import HIGHEST_PITCH, NATURAL_RANGE, WIDEST_RANGE

CALIBRATION_POINTS = ((25, NATURAL_RANGE), (75, NATURAL_RANGE), (50, 0))
"""Pitch and range parameters of the three renderings."""

CALIBRATION_WPM = 165
_NEUTRAL_PITCH = 50
_LOWEST_FACTOR, _HIGHEST_FACTOR = 0.5, 1.98
_LEAST_BASE_HZ = 10.0


@dataclass(frozen=True, slots=True)
class PitchModel:
    """One timbre in one language."""

    base_hz: float
    offset_hz: float
    lift_hz: float
    """Median F0 gained per unit of the range parameter."""

    @classmethod
    def fitted(cls, low_hz: float, high_hz: float, flat_hz: float) -> Self:
        """From the medians at `CALIBRATION_POINTS`."""
        low, high = (_factor(pitch) for pitch, _ in CALIBRATION_POINTS[:2])
        base = max(_LEAST_BASE_HZ, (high_hz - low_hz) / (high - low))
        offset = flat_hz - base * _factor(CALIBRATION_POINTS[2][0])
        lift = (low_hz - base * low - offset) / NATURAL_RANGE
        return cls(base, offset, lift)

    def parameters(self, median_hz: float, movement: float) -> tuple[int, int]:
        """Pitch and range parameters, within limits, for a median and a share of the natural movement in semitones."""
        # Movement is added in Hz: to sound the same it must grow with the pitch.
        scale = median_hz / self._median(_NEUTRAL_PITCH, NATURAL_RANGE)
        pitch_range = min(max(round(NATURAL_RANGE * movement * scale), 0), WIDEST_RANGE)
        factor = (median_hz - self.offset_hz - self.lift_hz * pitch_range) / self.base_hz
        return _parameter(factor), pitch_range

    def result(self, pitch: int, pitch_range: int) -> tuple[float, float]:
        """Median F0 in Hz, and the share of the natural movement, that these parameters give."""
        median = self._median(pitch, pitch_range)
        scale = median / self._median(_NEUTRAL_PITCH, NATURAL_RANGE)
        return median, pitch_range / NATURAL_RANGE / scale

    def _median(self, pitch: int, pitch_range: int) -> float:
        return max(_LEAST_BASE_HZ, self.base_hz * _factor(pitch) + self.offset_hz + self.lift_hz * pitch_range)


def _factor(pitch: int) -> float:
    return _LOWEST_FACTOR * (_HIGHEST_FACTOR / _LOWEST_FACTOR) ** (pitch / HIGHEST_PITCH)


def _parameter(factor: float) -> int:
    octaves = math.log2(max(factor, 1e-3) / _LOWEST_FACTOR) / math.log2(_HIGHEST_FACTOR / _LOWEST_FACTOR)
    return min(max(round(HIGHEST_PITCH * octaves), 0), HIGHEST_PITCH)
