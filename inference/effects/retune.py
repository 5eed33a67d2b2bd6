"""Speech retold in another time and melody: the grains of a recording laid down along a warp and a pitch curve.

The offline sibling of `prosody`: where that one follows the voice's own melody, this one is told every moment's place
in the source and its F0. It still works in small steps, so that a long song never holds anybody up.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.effects.grains import cut_grain, grain_window
from inference.effects.pitch_marks import PitchMark, PitchMarker
from inference.effects.sample_buffer import SampleBuffer
from inference.protocol import AUDIO_RATE_HZ

CURVE_HOP = AUDIO_RATE_HZ // 200
"""Samples between the points of a curve: 5 ms."""

_SOURCE_STEP = AUDIO_RATE_HZ // 10
"""Source samples analysed at a time."""

_LONGEST_HALF = 400


@dataclass(frozen=True, slots=True)
class Telling:
    """How to retell a source: three curves with one point per `CURVE_HOP` output samples, all [N]."""

    source_position: NDArray[np.float64]
    """Sample of the source; may stand still and may jump forward."""

    f0_hz: NDArray[np.float64]
    gain: NDArray[np.float64]

    @property
    def length(self) -> int:
        """Output samples."""
        return (len(self.gain) - 1) * CURVE_HOP


class Retuner:
    """Iterates over the output in pieces of about `piece` samples."""

    def __init__(self, source: NDArray[np.float32], telling: Telling, piece: int, formant_ratio: float = 1.0) -> None:
        self._source = source
        self._telling = telling
        self._piece = piece
        self._formant_ratio = formant_ratio
        self._buffer = SampleBuffer()
        self._marker = PitchMarker(self._buffer, AUDIO_RATE_HZ, 0)
        self._fed = 0
        self._positions: NDArray[np.int64] = np.zeros(0, np.int64)
        self._mark_count = 0

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        telling = self._telling
        length = telling.length
        margin = 2 * _LONGEST_HALF
        sums = np.zeros(length + 2 * margin)
        weights = np.zeros(length + 2 * margin)
        grid = np.arange(len(telling.gain)) * CURVE_HOP
        done, position = 0, 0.0
        while done < length:
            until = min(done + self._piece, length)
            # A grain reaches back over half its length, so those that begin after `until` are laid as well.
            while position < until + _LONGEST_HALF and position < length:
                at = int(position) // CURVE_HOP
                share = position / CURVE_HOP - at
                source = _between(telling.source_position, at, share)
                grain, step = self._grain(source, _between(telling.f0_hz, at, share))
                self._lay(sums, weights, grain, position + margin)
                position += step
            span = slice(done + margin, until + margin)
            gain = np.interp(np.arange(done, until), grid, telling.gain)
            yield (sums[span] / np.maximum(weights[span], 0.5) * gain).astype(np.float32)
            done = until

    @staticmethod
    def _lay(
        sums: NDArray[np.float64], weights: NDArray[np.float64], grain: NDArray[np.float32], centre: float
    ) -> None:
        """Add a windowed grain at a fractional position (linear between the two samples), so that pitch is exact."""
        half = len(grain) // 2
        first = int(centre) - half
        share = centre - int(centre)
        window = grain_window(half)
        shaped = grain * window
        sums[first : first + 2 * half] += (1.0 - share) * shaped
        sums[first + 1 : first + 1 + 2 * half] += share * shaped
        weights[first : first + 2 * half] += window

    def _grain(self, source: float, f0_hz: float) -> tuple[NDArray[np.float32], float]:
        """Sound of two periods around a source position, and samples to the next grain."""
        before, after, share = self._around(source)
        if not (before.voiced or after.voiced):
            mark = after if share > 0.5 else before
            half = mark.period
            return self._cut(mark, half), float(half)
        if before.voiced and after.voiced:
            half = min((before.period + after.period) // 2, _LONGEST_HALF)
            left = self._cut(before, half)
            right = self._cut(after, half)
            return (1.0 - share) * left + share * right, AUDIO_RATE_HZ / f0_hz
        mark = before if before.voiced else after
        half = min(mark.period, _LONGEST_HALF)
        return self._cut(mark, half), AUDIO_RATE_HZ / f0_hz

    def _cut(self, mark: PitchMark, half: int) -> NDArray[np.float32]:
        return cut_grain(self._buffer, mark.position, half, self._formant_ratio)

    def _around(self, source: float) -> tuple[PitchMark, PitchMark, float]:
        """The marks on both sides of a source position, and how far it lies towards the second (0..1)."""
        marks = self._marker.marks
        while (not marks or marks[-1].position <= source) and self._feed():
            pass
        if not marks:
            silence = PitchMark(0, CURVE_HOP, False)
            return silence, silence, 0.0
        if len(marks) != self._mark_count:
            self._positions = np.array([mark.position for mark in marks])
            self._mark_count = len(marks)
        index = int(np.searchsorted(self._positions, source, "right"))
        before = marks[max(0, index - 1)]
        after = marks[min(index, len(marks) - 1)]
        distance = after.position - before.position
        share = (source - before.position) / distance if distance else 0.0
        return before, after, min(max(share, 0.0), 1.0)

    def _feed(self) -> bool:
        """Analyse more of the source, and silence after its end. False when there is none left."""
        past_end = self._marker.look_ahead + 2 * _SOURCE_STEP
        if self._fed >= len(self._source) + past_end:
            return False
        piece = np.zeros(_SOURCE_STEP, np.float32)
        kept = self._source[self._fed : self._fed + _SOURCE_STEP]
        piece[: len(kept)] = kept
        self._buffer.append(piece)
        self._fed += _SOURCE_STEP
        self._marker.advance()
        return True


def _between(curve: NDArray[np.float64], at: int, share: float) -> float:
    """Linear interpolation, but not across a jump, where the nearer side is meant."""
    left = float(curve[at])
    right = float(curve[min(at + 1, len(curve) - 1)])
    if abs(right - left) > _SOURCE_STEP // 4:
        return left if share < 0.5 else right
    return left + share * (right - left)
