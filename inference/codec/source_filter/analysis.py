"""Speech as envelope, F0 and voicing, ten milliseconds at a time.

F0 is YIN's (de Cheveigne and Kawahara, JASA 111(4), 2002). The envelope is estimated with a window of three periods,
smoothed over two thirds of F0 and liftered, after CheapTrick (Morise, Speech Communication 67, 2015), so that
harmonics do not show in it. Shapes: N subframes, S samples.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.codec.source_filter.grid import (
    FFT_SIZE,
    HIGHEST_F0_HZ,
    HOP,
    LOWEST_F0_HZ,
    NUM_BINS,
    SAMPLE_RATE_HZ,
    bins_to_bands,
)

HALF_WINDOW = 400
"""Samples before and after a subframe's centre that its analysis looks at: half of three periods of the lowest F0."""

FIRST_CENTRE = HOP // 2
"""Of a frame's first subframe, in samples from the frame's start."""

_YIN_HALF = int(SAMPLE_RATE_HZ / LOWEST_F0_HZ) + 2
_VOICED_BELOW = 0.25
"""Normalised difference under which a subframe is periodic."""

_QUIET_POWER = 1e-7
"""Mean power (-70 dB full scale) under which nothing is voiced."""

_UNVOICED_F0_HZ = 200.0
"""Decides window and smoothing where there is no period."""

_FLOOR = 1e-9
_LIFTER = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class SpeechFeatures:
    """N subframes of 10 ms."""

    envelope: Tensor
    """[N, NUM_BANDS], natural logarithm of the power that white noise of unit power has after the vocal tract."""

    f0_hz: Tensor
    """[N], 0 where unvoiced."""


def analyse(windows: Tensor) -> SpeechFeatures:
    """Features of subframes whose surroundings are `windows` [N, 2 * HALF_WINDOW], centre in the middle."""
    f0 = estimate_f0(windows)
    return SpeechFeatures(estimate_envelope(windows, f0), f0)


def windows_of(pcm: Tensor) -> Tensor:
    """The windows [N, 2 * HALF_WINDOW] of a whole recording [S], silence around it; N is four a started frame."""
    frames = -(-len(pcm) // (4 * HOP))
    padded = torch.zeros(HALF_WINDOW + frames * 4 * HOP + HALF_WINDOW)
    padded[HALF_WINDOW : HALF_WINDOW + len(pcm)] = pcm
    return padded[FIRST_CENTRE:].unfold(0, 2 * HALF_WINDOW, HOP)[: frames * 4]


def estimate_f0(windows: Tensor) -> Tensor:
    """F0 in Hz [N], 0 where unvoiced."""
    middle = windows[:, HALF_WINDOW - _YIN_HALF : HALF_WINDOW + _YIN_HALF]
    difference = _difference(middle)
    lags = torch.arange(1, _YIN_HALF)
    mean = difference[:, 1:].cumsum(dim=1) / lags
    normalised = torch.ones_like(difference)
    normalised[:, 1:] = difference[:, 1:] / mean.clamp(min=1e-9)
    shortest = int(SAMPLE_RATE_HZ / HIGHEST_F0_HZ)
    searched = normalised[:, shortest : _YIN_HALF - 1]
    lag = _first_dip(searched) + shortest
    depth = normalised.gather(1, lag[:, None])[:, 0]
    power = middle.square().mean(dim=1)
    f0 = SAMPLE_RATE_HZ / _refined(normalised, lag)
    return torch.where((depth < _VOICED_BELOW) & (power > _QUIET_POWER), f0, 0.0)


def _difference(signal: Tensor) -> Tensor:
    """YIN's difference function [N, half] at lags 0..half-1, over a fixed half of the window."""
    half = signal.shape[1] // 2
    size = 2048
    first = torch.fft.rfft(signal[:, :half], n=size)
    correlation = torch.fft.irfft(first.conj() * torch.fft.rfft(signal, n=size), n=size)[:, :half]
    energy = torch.nn.functional.pad(signal.double().square().cumsum(dim=1), (1, 0))
    sliding = (energy[:, half : 2 * half] - energy[:, :half]).float()
    return (sliding[:, :1] + sliding - 2 * correlation).clamp(min=0.0)


def _first_dip(searched: Tensor) -> Tensor:
    """Index [N] of the first local minimum nearly as deep as the deepest: a period, not a multiple of it."""
    deepest = searched.min(dim=1, keepdim=True).values
    before = torch.nn.functional.pad(searched, (1, 0), value=torch.inf)[:, :-1]
    after = torch.nn.functional.pad(searched, (0, 1), value=torch.inf)[:, 1:]
    candidates = (searched <= before) & (searched <= after) & (searched <= deepest + 0.1)
    return candidates.int().argmax(dim=1)


def _refined(values: Tensor, lag: Tensor) -> Tensor:
    """The minimum of a parabola through three values around `lag`, in samples."""
    left, here, right = (values.gather(1, (lag + step)[:, None])[:, 0] for step in (-1, 0, 1))
    curvature = left - 2 * here + right
    shift = torch.where(curvature.abs() > 1e-9, 0.5 * (left - right) / curvature, torch.zeros_like(here))
    return lag + shift.clamp(-0.5, 0.5)


def estimate_envelope(windows: Tensor, f0_hz: Tensor) -> Tensor:
    """Log envelope [N, NUM_BANDS] of subframes whose F0 is known (0: unvoiced)."""
    f0 = torch.where(f0_hz > 0, f0_hz, _UNVOICED_F0_HZ)[:, None]
    seconds = (torch.arange(2 * HALF_WINDOW) - HALF_WINDOW) / SAMPLE_RATE_HZ
    phase = seconds[None] * f0 / 1.5
    window = torch.where(phase.abs() < 1, 0.5 + 0.5 * torch.cos(math.pi * phase), 0.0)
    tapered = windows * window
    # The windowed mean is taken out: it would leak into the first bins.
    tapered = tapered - window * (tapered.sum(dim=1) / window.sum(dim=1))[:, None]
    power = torch.fft.rfft(tapered, n=FFT_SIZE).abs().square() / window.square().sum(dim=1)[:, None]
    smooth = _smoothed(power, f0 * (2 / 3)) + _FLOOR
    return _liftered(smooth.log(), f0) @ bins_to_bands()


def _smoothed(power: Tensor, width_hz: Tensor) -> Tensor:
    """Mean [N, NUM_BINS] over `width_hz` [N, 1] around each bin; the spectrum goes on as its mirror image."""
    reach = 32
    mirrored = torch.cat([power[:, 1 : reach + 1].flip(1), power, power[:, -reach - 1 : -1].flip(1)], dim=1)
    total = torch.nn.functional.pad(mirrored.double().cumsum(dim=1), (1, 0))
    half = (width_hz / 2 * FFT_SIZE / SAMPLE_RATE_HZ).double()
    bins = torch.arange(NUM_BINS, dtype=torch.float64)[None] + reach + 0.5
    return ((_at(total, bins + half) - _at(total, bins - half)) / (2 * half)).float().clamp(min=0.0)


def _at(values: Tensor, position: Tensor) -> Tensor:
    """Linear interpolation of `values` [N, M] at fractional `position` [N, P]."""
    left = position.floor().clamp(0, values.shape[1] - 2)
    share = position - left
    index = left.long()
    return values.gather(1, index) * (1 - share) + values.gather(1, index + 1) * share


def _liftered(log_power: Tensor, f0: Tensor) -> Tensor:
    """CheapTrick's lifter: what F0 left in the cepstrum goes, what smoothing took from the formants comes back."""
    cepstrum = torch.fft.irfft(log_power.to(torch.complex64), n=FFT_SIZE)
    quefrency = torch.arange(FFT_SIZE)
    quefrency = torch.minimum(quefrency, FFT_SIZE - quefrency) / SAMPLE_RATE_HZ
    smoothing = torch.sinc(f0 * quefrency)
    compensation = (1 + 2 * _LIFTER) - 2 * _LIFTER * torch.cos(2 * math.pi * quefrency * f0)
    return torch.fft.rfft(cepstrum * smoothing * compensation).real
