"""Does a figure grow? A straight line through samples, by least squares."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Trend:
    first: float
    last: float
    greatest: float
    per_hour: float
    per_hour_error: float
    """Standard error of `per_hour`: a slope within twice of it is none."""

    def grows(self, limit_per_hour: float) -> bool:
        """Whether it surely grows faster than the limit."""
        return self.per_hour - 2 * self.per_hour_error > limit_per_hour


def trend(at_s: Sequence[float], values: Sequence[float]) -> Trend:
    """Of at least three samples. Raises `ValueError` for fewer, or samples of one moment."""
    if len(values) < 3:
        raise ValueError(f"{len(values)} samples show no trend")
    time, value = np.asarray(at_s, dtype=np.float64), np.asarray(values, dtype=np.float64)
    time = time - time.mean()
    spread = float(time @ time)
    if spread == 0:
        raise ValueError("all samples are of one moment")
    slope = float(time @ value) / spread
    rest = value - value.mean() - slope * time
    error = float(np.sqrt(rest @ rest / (len(value) - 2) / spread))
    return Trend(
        first=float(value[0]),
        last=float(value[-1]),
        greatest=float(value.max()),
        per_hour=round(slope * SECONDS_PER_HOUR, 3),
        per_hour_error=round(error * SECONDS_PER_HOUR, 3),
    )
