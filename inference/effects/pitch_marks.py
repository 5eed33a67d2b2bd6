"""Pitch marks: one position per period of voiced speech, all at the same phase; evenly spaced elsewhere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.effects.f0 import window_length, yin
from inference.effects.sample_buffer import SampleBuffer

LOWEST_HZ, HIGHEST_HZ = 65.0, 600.0
HOP_S = 0.01
UNVOICED_SPACING_S = 0.005
_VOICED_THRESHOLD = 0.5
"""Looser than for measuring: a grain cut as if noise were voiced does less harm than the reverse."""

_SEARCH = 0.15
"""A mark may lie this share of a period away from where the last one predicts it."""


@dataclass(frozen=True, slots=True)
class PitchMark:
    position: int
    period: int
    """In samples: of the voice, or the fixed spacing where there is none."""

    voiced: bool


class PitchMarker:
    """Finds marks in a growing `SampleBuffer`, from `first` on. Which marks it finds does not depend on how the
    samples arrived: every decision waits for the samples it needs (`look_ahead`)."""

    def __init__(self, buffer: SampleBuffer, sample_rate_hz: int, first: int) -> None:
        self._buffer = buffer
        self._rate_hz = sample_rate_hz
        self._window = window_length(sample_rate_hz, LOWEST_HZ)
        self._hop = round(HOP_S * sample_rate_hz)
        self._spacing = round(UNVOICED_SPACING_S * sample_rate_hz)
        self._next_hop = first // self._hop
        self._hop_base = self._next_hop
        self._f0: list[float] = []
        self._first = first
        self.marks: list[PitchMark] = []

    @property
    def look_ahead(self) -> int:
        """Samples beyond a mark that may be needed to decide on it."""
        return self._window // 2 + 2 * self._hop + round(self._rate_hz / LOWEST_HZ)

    def advance(self) -> None:
        """Find all marks that the samples in the buffer decide."""
        self._track()
        while (mark := self._next_mark()) is not None:
            self.marks.append(mark)

    def forget_before(self, position: int) -> None:
        """Drop marks before `position`, but the last one of them, from which the next is found."""
        keep = 0
        while keep < len(self.marks) - 1 and self.marks[keep].position < position:
            keep += 1
        del self.marks[:keep]
        stale = position // self._hop - self._hop_base - 2
        if stale > 0:
            del self._f0[:stale]
            self._hop_base += stale

    def _track(self) -> None:
        half = self._window // 2
        count = (self._buffer.end - half) // self._hop - self._next_hop + 1
        if count <= 0:
            return
        first = self._next_hop * self._hop - half
        samples = self._buffer.read(first, first + (count - 1) * self._hop + self._window)
        windows = np.lib.stride_tricks.sliding_window_view(samples, self._window)[:: self._hop]
        self._f0 += yin(windows, self._rate_hz, LOWEST_HZ, HIGHEST_HZ, _VOICED_THRESHOLD).tolist()
        self._next_hop += count

    def _f0_at(self, position: int) -> float | None:
        """F0 of the nearest analysis window, None while it is not known."""
        index = (position + self._hop // 2) // self._hop - self._hop_base
        if index >= len(self._f0):
            return None
        return self._f0[max(0, index)]

    def _next_mark(self) -> PitchMark | None:
        last = self.marks[-1] if self.marks else PitchMark(self._first, self._spacing, False)
        ahead = last.position + last.period
        f0 = self._f0_at(ahead)
        if f0 is None:
            return None
        if f0 == 0.0:
            return PitchMark(last.position + self._spacing, self._spacing, False)
        period = round(self._rate_hz / f0)
        if self._buffer.end < last.position + 2 * period + period // 2:
            return None
        if last.voiced:
            return PitchMark(self._aligned(last.position, period), period, True)
        return PitchMark(self._peak(last.position, period), period, True)

    def _peak(self, position: int, period: int) -> int:
        """The strongest sample of the first whole period at least one period ahead."""
        segment = self._buffer.read(position + period, position + 2 * period)
        return position + period + int(np.argmax(np.abs(segment)))

    def _aligned(self, position: int, period: int) -> int:
        """Where, about one period on, the waveform is most like it is around `position`."""
        reach = max(2, round(_SEARCH * period))
        half = period // 2
        template = self._buffer.read(position - half, position + half)
        span = self._buffer.read(position + period - half - reach, position + period + half + reach)
        return position + period - reach + _best_lag(template, span)


def _best_lag(template: NDArray[np.float32], span: NDArray[np.float32]) -> int:
    """Offset of `template` in `span` with the highest normalised correlation."""
    products = np.correlate(span, template, "valid")
    squares = np.cumsum(np.concatenate(([0.0], span.astype(np.float64) ** 2)))
    energy = squares[len(template) :] - squares[: -len(template)]
    return int(np.argmax(products / np.sqrt(energy + 1e-9)))
