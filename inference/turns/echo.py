"""Is the input our own output coming back? Told from the envelopes, before any word is recognised."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

HOP_S = 0.016
WINDOW_HOPS = 75
"""1.2 s of input are compared: shorter stretches of two speakers resemble each other by chance."""

EARLIEST_HOPS, LATEST_HOPS = -12, 31
"""The echo may come 0.2 s before (the reckoned time of playing is only an estimate) to 0.5 s after the output."""

LIKENESS = 0.8
"""Correlation of the two level curves from which the input is called an echo."""

_FLOOR_DB = -70.0
_AUDIBLE_DB = -60.0
_KEPT_HOPS = 400


class EchoMeter:
    """Compares level curves of input and output at the best delay.

    The curves are RMS levels in dB every `HOP_S`, clipped at -70 dB of full scale, and the output's to the range of the
    input's, whose noise fills its gaps. The measure is their correlation over `WINDOW_HOPS`, maximised over the
    delay. A second voice on top of the echo lowers it, so that a real interruption is not taken for one.
    """

    def __init__(self) -> None:
        self._output = np.full(_KEPT_HOPS, _FLOOR_DB, dtype=np.float32)
        self._output_end = 0
        """Hop on the clock just after the newest one kept."""
        self._pending: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._input: deque[float] = deque(maxlen=WINDOW_HOPS)

    def played(self, at: float, pcm: NDArray[np.float32], rate_hz: int) -> None:
        """Output whose first sample is heard at `at` on the clock, in -1..1. Consecutive pieces join."""
        hop = int(rate_hz * HOP_S)
        start = round(at / HOP_S) - len(self._pending) // hop
        if abs(start - self._output_end) > 2:
            self._pending = np.zeros(0, dtype=np.float32)
            self._skip_to(start)
        samples = np.concatenate([self._pending, pcm])
        whole = len(samples) // hop
        self._pending = samples[whole * hop :]
        levels = _levels_db(samples[: whole * hop].reshape(whole, hop))
        self._output = np.concatenate([self._output, levels])[-_KEPT_HOPS:]
        self._output_end += whole

    def _skip_to(self, start: int) -> None:
        gap = start - self._output_end
        if not 0 <= gap < _KEPT_HOPS:
            self._output[:] = _FLOOR_DB
        else:
            silence = np.full(gap, _FLOOR_DB, dtype=np.float32)
            self._output = np.concatenate([self._output, silence])[-_KEPT_HOPS:]
        self._output_end = start

    def heard(self, pcm: NDArray[np.float32], rate_hz: int) -> None:
        """Input, whole hops."""
        hop = int(rate_hz * HOP_S)
        whole = len(pcm) // hop
        self._input.extend(_levels_db(pcm[: whole * hop].reshape(whole, hop)).tolist())

    def is_echo(self, now: float) -> bool:
        """Whether the last 1.2 s of input, which end at `now`, are an echo."""
        return self.likeness(now) >= LIKENESS

    def likeness(self, now: float) -> float:
        """Their correlation with the output at the best delay; 0 while there is too little to compare."""
        end = round(now / HOP_S)
        newest = end - EARLIEST_HOPS
        oldest = end - LATEST_HOPS - WINDOW_HOPS
        if len(self._input) < WINDOW_HOPS or oldest >= self._output_end:
            return 0.0
        span = _smooth(self._output_between(oldest, newest))
        heard = _smooth(np.asarray(self._input, dtype=np.float32))
        windows = np.lib.stride_tricks.sliding_window_view(span, len(heard))
        peaks = windows.max(axis=1, keepdims=True)
        windows = np.maximum(windows, peaks - np.ptp(heard))[peaks[:, 0] > _AUDIBLE_DB]
        if not len(windows) or heard.max() <= _AUDIBLE_DB:
            return 0.0
        return float(np.max(_correlations(windows, heard)))

    def _output_between(self, start: int, end: int) -> NDArray[np.float32]:
        span = np.full(end - start, _FLOOR_DB, dtype=np.float32)
        kept_start = self._output_end - len(self._output)
        low, high = max(start, kept_start), min(end, self._output_end)
        if low < high:
            span[low - start : high - start] = self._output[low - kept_start : high - kept_start]
        return span


def _levels_db(hops: NDArray[np.float32]) -> NDArray[np.float32]:
    power = np.mean(np.square(hops), axis=1, dtype=np.float32)
    return np.maximum(10.0 * np.log10(power + 1e-9), _FLOOR_DB).astype(np.float32)


def _smooth(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    # Mean of three: input and output are cut into hops at different places.
    return ((levels[:-2] + levels[1:-1] + levels[2:]) / 3).astype(np.float32, copy=False)


def _correlations(windows: NDArray[np.float32], heard: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pearson's r of each row with `heard`; 0 where either does not move."""
    rows = windows - windows.mean(axis=1, keepdims=True)
    column = heard - heard.mean()
    norms = np.sqrt(np.square(rows).sum(axis=1) * np.square(column).sum())
    return np.divide(rows @ column, norms, out=np.zeros(len(rows), dtype=np.float32), where=norms > 1e-3)
