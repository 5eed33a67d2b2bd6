"""Rate, pitch, intonation and formants by pitch-synchronous overlap and add (TD-PSOLA).

Moulines and Charpentier, Speech Communication 9 (1990). Two-period grains are cut around pitch marks of the input and
laid down again at the wanted period, walking through the input at the wanted rate; formants stay because a grain is
not resampled, or move because it is.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from inference.effects.grains import cut_grain, grain_reach, grain_window
from inference.effects.pitch_marks import LOWEST_HZ, PitchMark, PitchMarker
from inference.effects.sample_buffer import SampleBuffer
from inference.effects.settings import EffectSettings
from inference.protocol import AUDIO_RATE_HZ

LATENCY_SAMPLES = 1800
"""Most samples the effect holds back while it works (75 ms at the lowest voice); none when neutral."""

_LONGEST_PERIOD = round(AUDIO_RATE_HZ / LOWEST_HZ)
_SHORTEST_PERIOD = round(AUDIO_RATE_HZ / 1200.0)
_HISTORY = 4 * _LONGEST_PERIOD
_LEAST_WEIGHT = 0.5
"""Overlapping windows are normalised by their sum, but gaps between grains of a lowered voice are not filled up."""

_ANCHORS = 1024
_NO_SOUND = np.zeros(0, np.float32)


class Prosody:
    """One stream. `process` takes and gives any number of samples; deterministic, whatever the pieces."""

    def __init__(self, settings: EffectSettings) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget all sound; keep the settings."""
        self._input = SampleBuffer()
        self._marker: PitchMarker | None = None
        """None: passing through."""
        self._offset = 0
        """Output minus input position while passing through."""
        self._input_position = 0.0
        self._output_position = 0.0
        self._last_grain: tuple[PitchMark, int] | None = None
        self._flip = False
        self._sum = _NO_SOUND
        self._weight = _NO_SOUND
        self._sum_start = 0
        self._anchors: deque[tuple[float, float]] = deque(maxlen=_ANCHORS)

    def set(self, settings: EffectSettings) -> None:
        """Applies to the next grain; becoming neutral, sound goes on from the last grain without a seam."""
        self._settings = settings

    def process(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Feed [S]; what is ready comes back."""
        if not self._settings.changes_prosody:
            resumed = self._pass_through() if self._marker is not None else _NO_SOUND
            self._input.append(pcm)
            self._input.drop_before(self._input.end - _HISTORY)
            return np.concatenate([resumed, pcm]) if len(resumed) else pcm
        if self._marker is None:
            self._start()
        self._input.append(pcm)
        self._lay_grains()
        # The last grain's second half stays: should the effect end now, plain sound joins there.
        certain = round(self._output_position) - _LONGEST_PERIOD - 1
        return self._take(certain if self._last_grain is None else min(certain, self._last_grain[1]))

    def flush(self) -> NDArray[np.float32]:
        """The rest, at the end of a speech; `reset` comes before the next."""
        if self._marker is None:
            return _NO_SOUND
        end = self._input.end
        self._input.append(np.zeros(self._marker.look_ahead + 2 * _LONGEST_PERIOD, np.float32))
        self._lay_grains()
        return self._take(max(self._sum_start, self.expected_output_sample(end)))

    def output_sample(self, input_sample: int) -> int | None:
        """Where this sample of the input comes out, None if that is not decided."""
        if self._marker is None:
            if input_sample >= self._input.end:
                return None
        elif input_sample >= self._input_position:
            return None
        return self._located(input_sample)

    def expected_output_sample(self, input_sample: int) -> int:
        """The same also for samples to come, if the settings stay."""
        if self._marker is None:
            return input_sample + self._offset
        if input_sample < self._input_position:
            return self._located(input_sample)
        return round(self._output_position + (input_sample - self._input_position) / self._settings.rate)

    def _located(self, input_sample: int) -> int:
        if not self._anchors or (self._marker is None and input_sample >= self._anchors[-1][0]):
            return input_sample + self._offset
        known = list(self._anchors)
        if self._marker is not None:
            known.append((self._input_position, self._output_position))
        positions, outs = zip(*known, strict=True)
        before = max(0.0, positions[0] - input_sample)
        return round(float(np.interp(input_sample, positions, outs)) - before)

    def _start(self) -> None:
        """Everything so far went through; grains begin at the first mark from here on."""
        end = self._input.end
        self._marker = PitchMarker(self._input, AUDIO_RATE_HZ, end)
        self._input_position = float(end)
        self._output_position = float(end + self._offset)
        self._sum_start = end + self._offset
        self._sum, self._weight = _NO_SOUND, _NO_SOUND
        self._last_grain = None
        self._anchors.append((self._input_position, self._output_position))

    def _pass_through(self) -> NDArray[np.float32]:
        """Leave the grains: the right half of the last one is joined by the sound it was cut from, and that goes on."""
        self._marker = None
        if self._last_grain is None:
            return self._input.read(self._sum_start - self._offset, self._input.end).copy()
        mark, centre = self._last_grain
        self._offset = centre - mark.position
        while self._anchors and self._anchors[-1][0] >= mark.position:
            self._anchors.pop()
        self._anchors.append((float(mark.position), float(centre)))
        end = max(centre, self._input.end + self._offset)
        self._grow(end)
        raw = self._input.read(mark.position, end - self._offset)
        weight = np.ones(len(raw), np.float32)
        falling = grain_window(mark.period)[mark.period :]
        weight[: len(falling)] -= falling[: len(weight)]
        first = centre - self._sum_start
        self._sum[first : first + len(raw)] += raw * weight
        self._weight[first : first + len(raw)] += weight
        return self._take(end)

    def _lay_grains(self) -> None:
        assert self._marker is not None
        self._marker.advance()
        marks = self._marker.marks
        while True:
            index = self._nearest(marks)
            if index is None:
                break
            mark = marks[index]
            if self._input.end < mark.position + grain_reach(mark.period, self._settings.formant_ratio):
                break
            if self._last_grain is None:
                self._lead_in(mark)
            self._lay(mark)
        oldest = min(self._input_position, float(self._input.end)) - _HISTORY
        self._input.drop_before(int(oldest))
        self._marker.forget_before(int(oldest) + 2 * _LONGEST_PERIOD)

    def _nearest(self, marks: list[PitchMark]) -> int | None:
        """The mark nearest to the input position, None while a nearer one may still come."""
        if self._last_grain is None:
            return 0 if marks else None
        positions = [mark.position for mark in marks]
        after = int(np.searchsorted(positions, self._input_position))
        if after >= len(marks):
            return None
        if after == 0:
            return 0
        before = after - 1
        nearer_before = self._input_position - positions[before] <= positions[after] - self._input_position
        return before if nearer_before else after

    def _lead_in(self, mark: PitchMark) -> None:
        """Plain sound up to the first mark, fading as its grain rises."""
        first = self._sum_start - self._offset
        self._grow(mark.position + self._offset)
        raw = self._input.read(first, mark.position)
        weight = np.ones(len(raw), np.float32)
        rising = grain_window(mark.period)[: mark.period][-len(raw) :]
        weight[len(weight) - len(rising) :] -= rising
        self._sum[: len(raw)] += raw * weight
        self._weight[: len(raw)] += weight
        self._input_position = float(mark.position)
        self._output_position = float(mark.position + self._offset)

    def _lay(self, mark: PitchMark) -> None:
        """Add the grain of `mark` at the output position, and step on."""
        centre = round(self._output_position)
        half = mark.period
        grain = self._grain(mark)
        self._grow(centre + half)
        first = centre - half - self._sum_start
        skip = max(0, -first)
        window = grain_window(half)
        self._sum[first + skip : first + 2 * half] += grain[skip:] * window[skip:]
        self._weight[first + skip : first + 2 * half] += window[skip:]
        self._last_grain = (mark, centre)
        step = self._period_out(mark)
        self._anchors.append((self._input_position, self._output_position))
        self._output_position += step
        self._input_position += step * self._settings.rate

    def _grain(self, mark: PitchMark) -> NDArray[np.float32]:
        """Two periods around the mark; formants moved by resampling; repeated noise turned round, or it would buzz."""
        repeated = self._last_grain is not None and self._last_grain[0] == mark
        self._flip = repeated and not mark.voiced and not self._flip
        grain = cut_grain(self._input, mark.position, mark.period, self._settings.formant_ratio)
        return grain[::-1] if self._flip else grain

    def _period_out(self, mark: PitchMark) -> float:
        if not mark.voiced:
            return float(mark.period)
        settings = self._settings
        f0 = AUDIO_RATE_HZ / mark.period
        movement = (f0 / settings.median_hz) ** (settings.pitch_range - 1.0)
        return float(np.clip(mark.period / (settings.pitch_ratio * movement), _SHORTEST_PERIOD, 2 * _LONGEST_PERIOD))

    def _grow(self, end: int) -> None:
        missing = end - self._sum_start - len(self._sum)
        if missing > 0:
            blank = np.zeros(missing, np.float32)
            self._sum = np.concatenate([self._sum, blank])
            self._weight = np.concatenate([self._weight, blank])

    def _take(self, end: int) -> NDArray[np.float32]:
        """Finished output up to `end`."""
        count = end - self._sum_start
        if count <= 0:
            return _NO_SOUND
        self._grow(end)
        weight = np.maximum(self._weight[:count], _LEAST_WEIGHT)
        ready = (self._sum[:count] / weight).astype(np.float32)
        self._sum, self._weight = self._sum[count:], self._weight[count:]
        self._sum_start = end
        return ready
