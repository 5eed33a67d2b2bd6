"""Fundamental frequency of speech: YIN (de Cheveigne and Kawahara, JASA 111(4), 2002).

The difference function is computed by FFT over a whole batch of analysis windows at once.
"""

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ, HIGHEST_HZ = 55.0, 600.0
VOICED_THRESHOLD = 0.2
"""Cumulative mean normalised difference below which a window counts as periodic."""

_NEARLY = 0.1
_BATCH = 512
"""Windows analysed at once: bounds the memory a long recording takes."""

_QUIET_RMS = 1e-3
"""Windows below -60 dB full scale are silence, whatever their shape."""


def window_length(sample_rate_hz: int, lowest_hz: float = LOWEST_HZ) -> int:
    """Samples that one estimate looks at: two of the longest periods."""
    return 2 * (int(sample_rate_hz / lowest_hz) + 2)


def yin(
    windows: NDArray[np.float32],
    sample_rate_hz: int,
    lowest_hz: float = LOWEST_HZ,
    highest_hz: float = HIGHEST_HZ,
    threshold: float = VOICED_THRESHOLD,
) -> NDArray[np.float64]:
    """F0 in Hz of each window, 0 where it is unvoiced. `windows` is [N, `window_length`]; result [N].

    Half of a window is compared with itself at lags up to the other half. The first dip of the normalised difference
    below the threshold is taken, refined by a parabola.
    """
    half = windows.shape[1] // 2
    first_lag = max(2, int(sample_rate_hz / highest_hz))
    last_lag = half - 2
    data = windows.astype(np.float64)
    difference = _difference(data, half)
    lags = np.arange(1, half)
    mean = np.cumsum(difference[:, 1:], axis=1) / lags
    normalised = np.ones_like(difference)
    normalised[:, 1:] = difference[:, 1:] / np.maximum(mean, 1e-12)
    f0 = np.zeros(len(data))
    quiet = np.sqrt(np.mean(data**2, axis=1)) < _QUIET_RMS
    for row in np.flatnonzero(~quiet):
        lag = _first_dip(normalised[row], first_lag, last_lag, threshold)
        if lag is not None:
            f0[row] = sample_rate_hz / _refined(difference[row], lag)
    return f0


def track_f0(
    pcm: NDArray[np.float32],
    sample_rate_hz: int,
    hop_s: float = 0.01,
    lowest_hz: float = LOWEST_HZ,
    highest_hz: float = HIGHEST_HZ,
) -> NDArray[np.float64]:
    """F0 in Hz every `hop_s` seconds (0 unvoiced), for windows centred on 0, hop, 2 hop ... [ceil(S / hop)]."""
    length = window_length(sample_rate_hz, lowest_hz)
    hop = max(1, round(hop_s * sample_rate_hz))
    count = -(-len(pcm) // hop)
    if count == 0:
        return np.zeros(0)
    padded = np.zeros(length + count * hop, np.float32)
    padded[length // 2 : length // 2 + len(pcm)] = pcm
    windows = np.lib.stride_tricks.sliding_window_view(padded, length)[: count * hop : hop]
    batches = [windows[first : first + _BATCH] for first in range(0, count, _BATCH)]
    return np.concatenate([yin(batch, sample_rate_hz, lowest_hz, highest_hz) for batch in batches])


def median_f0(pcm: NDArray[np.float32], sample_rate_hz: int, hop_s: float = 0.01) -> float | None:
    """Median over the voiced windows, None without any."""
    f0 = track_f0(pcm, sample_rate_hz, hop_s)
    voiced = f0[f0 > 0]
    return float(np.median(voiced)) if len(voiced) else None


def voiced_share(pcm: NDArray[np.float32], sample_rate_hz: int) -> float:
    """Share of the windows that are not silent (-40 dB below the loudest) which are voiced, 0..1."""
    hop = max(1, round(0.01 * sample_rate_hz))
    f0 = track_f0(pcm, sample_rate_hz)
    blocks = pcm[: len(pcm) // hop * hop].reshape(-1, hop)
    if not len(blocks):
        return 0.0
    loudness = np.sqrt(np.mean(blocks.astype(np.float64) ** 2, axis=1))
    sounding = loudness > max(_QUIET_RMS, 0.01 * float(loudness.max()))
    if not sounding.any():
        return 0.0
    return float(np.mean(f0[: len(blocks)][sounding] > 0))


def _difference(data: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    """d(lag) = sum over the first half of (x[j] - x[j + lag])^2 for lags 0..half-1; [N, half]."""
    size = 1 << (data.shape[1] + half - 1).bit_length()
    spectrum = np.fft.rfft(data, size)
    head = np.fft.rfft(data[:, :half], size)
    products = np.fft.irfft(spectrum * head.conj(), size)[:, :half]
    energy = np.cumsum(np.pad(data**2, ((0, 0), (1, 0))), axis=1)
    moving = energy[:, half : 2 * half] - energy[:, :half]
    return np.maximum(moving[:, :1] + moving - 2.0 * products, 0.0)


def _first_dip(normalised: NDArray[np.float64], first_lag: int, last_lag: int, threshold: float) -> int | None:
    """The first lag nearly as good as the best one; YIN's plain first dip takes formants for pitch in weak voicing."""
    searched = normalised[first_lag : last_lag + 1]
    best = float(searched.min())
    if best >= threshold:
        return None
    lag = first_lag + int(np.argmax(searched < best + _NEARLY))
    while lag < last_lag and normalised[lag + 1] < normalised[lag]:
        lag += 1
    return lag


def _refined(difference: NDArray[np.float64], lag: int) -> float:
    """The lag moved to the vertex of the parabola through its neighbours, where that lies between them."""
    if lag + 1 >= len(difference):
        return float(lag)
    before, at, after = difference[lag - 1 : lag + 2]
    curvature = before - 2 * at + after
    # A dip of the normalised difference need be none of this one: on a slope the vertex may be anywhere.
    return lag + max(-1.0, min(1.0, 0.5 * (before - after) / curvature)) if curvature > 0 else float(lag)
