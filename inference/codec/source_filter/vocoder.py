"""Envelope, F0 and voicing back to sound: a harmonic and a noise source through a minimum-phase filter.

Exact in a stream: the same calls on a whole recording and frame by frame give the same samples. Shapes: B slots,
N subframes, S samples.
"""

import math

import torch
from torch import Tensor

from inference.codec.source_filter.grid import (
    FFT_SIZE,
    HOP,
    NUM_BANDS,
    NUM_BINS,
    SAMPLE_RATE_HZ,
    SILENT_LOG_POWER,
    SUBFRAMES,
    bands_to_bins,
)
from inference.codec.state import StreamState

LAG_SAMPLES = 3 * HOP // 2
"""How much later than its code's frame a sound leaves the vocoder."""

_NOISE_PERIOD = 1 << 16
_VOICED_TOP_HZ, _NOISE_TOP_HZ = 3500.0, 6500.0
"""Between these the harmonics of a voiced sound give way to noise."""

_BREATH_FLOOR = 0.02
"""Share of noise power in the harmonic part."""


class Vocoder:
    """Weights-free; one for all slots."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(_NOISE_PERIOD, generator=generator)
        self._noise = torch.cat([noise, noise[:HOP]]).to(device)
        self._window = torch.hann_window(2 * HOP, periodic=True, device=device)
        hz = torch.arange(NUM_BINS, device=device) * SAMPLE_RATE_HZ / FFT_SIZE
        slope = ((hz - _VOICED_TOP_HZ) / (_NOISE_TOP_HZ - _VOICED_TOP_HZ)).clamp(0, 1)
        noise_share = _BREATH_FLOOR + (0.9 - _BREATH_FLOOR) * (0.5 - 0.5 * torch.cos(math.pi * slope))
        self._harmonic_gain, self._breath_gain = (1 - noise_share).sqrt(), noise_share.sqrt()
        self._interpolation = bands_to_bins().to(device)
        self._places = torch.arange(HOP, device=device)
        self._samples = (self._places + 1) / HOP
        fold = torch.zeros(FFT_SIZE, device=device)
        fold[0] = fold[FFT_SIZE // 2] = 1.0
        fold[1 : FFT_SIZE // 2] = 2.0
        self._fold = fold

    def frame(self, envelope: Tensor, f0_hz: Tensor, voiced: Tensor, state: StreamState) -> Tensor:
        """Sound [B, 640] of a frame's envelope [B, 4, bands], F0 [B, 4] in Hz (0: the last goes on), voicing [B, 4]
        in 0..1.

        A window stands on the subframe before: the output lags by `LAG_SAMPLES`.
        """
        pieces = [self._subframe(envelope[:, i], f0_hz[:, i], voiced[:, i], state) for i in range(SUBFRAMES)]
        return torch.cat(pieces, dim=1)

    def _subframe(self, envelope: Tensor, f0_hz: Tensor, voiced: Tensor, state: StreamState) -> Tensor:
        source = self._source(f0_hz, voiced, state)
        before = state.get("source", *source.shape[1:])
        spectra = torch.fft.rfft(torch.cat([before, source], dim=2) * self._window, n=FFT_SIZE)
        harmonic, noise, breath = spectra.unbind(1)
        mixed = harmonic * self._harmonic_gain + noise + breath * self._breath_gain
        # Kept as what it has above silence: a fresh stream's zeros then mean silence.
        filtered = state.get("envelope", NUM_BANDS) + SILENT_LOG_POWER
        total = state.get("tail", FFT_SIZE) + torch.fft.irfft(mixed * self._filter(filtered), n=FFT_SIZE)
        state.put("source", source)
        state.put("envelope", envelope - SILENT_LOG_POWER)
        state.put("tail", torch.nn.functional.pad(total[:, HOP:], (0, HOP)))
        return total[:, :HOP]

    def _source(self, f0_hz: Tensor, voiced: Tensor, state: StreamState) -> Tensor:
        """Harmonics, the noise of unvoiced and the noise of voiced sound [B, 3, HOP], up to this subframe's centre."""
        last_f0, last_voiced = state.get("f0"), state.get("voiced")
        target = torch.where(f0_hz > 0, f0_hz, last_f0)
        begun = torch.where(last_f0 > 0, last_f0, target)
        f0 = begun[:, None] + (target - begun)[:, None] * self._samples
        share = last_voiced[:, None] + (voiced - last_voiced)[:, None] * self._samples
        steps = (2 * math.pi / SAMPLE_RATE_HZ) * f0.double().cumsum(dim=1)
        phase = state.get("phase", dtype=torch.float64)[:, None] + steps
        made = state.get("samples", dtype=torch.long)
        noise = self._noise[torch.remainder(made, _NOISE_PERIOD)[:, None] + self._places]
        state.put("phase", torch.remainder(phase[:, -1], 2 * math.pi))
        state.put("f0", target)
        state.put("voiced", voiced)
        state.put("samples", made + HOP)
        harmonics = _pulses(phase, f0) * share.sqrt()
        return torch.stack([harmonics, noise * (1 - share).sqrt(), noise * share.sqrt()], dim=1)

    def _filter(self, envelope: Tensor) -> Tensor:
        """Minimum-phase spectrum [B, NUM_BINS] of a log power envelope [B, bands], by folding its cepstrum."""
        log_amplitude = 0.5 * (envelope @ self._interpolation)
        cepstrum = torch.fft.irfft(log_amplitude.to(torch.complex64), n=FFT_SIZE)
        return torch.fft.rfft(cepstrum * self._fold).exp()


def _pulses(phase: Tensor, f0: Tensor) -> Tensor:
    """All harmonics below 7.8 kHz of `phase` [B, S] as one band-limited pulse train of unit power per hertz."""
    count = (7800.0 / f0.clamp(min=30.0)).floor()
    half = torch.remainder(phase, 2 * math.pi) / 2
    sine = torch.sin(half)
    small = sine.abs() < 1e-4
    angle = (2 * count + 1) * half
    kernel = torch.where(small, 2 * count + 1.0, torch.sin(angle) / torch.where(small, torch.ones_like(sine), sine))
    harmonics = ((kernel - 1) / 2).float()
    return harmonics * 2 * (f0 / SAMPLE_RATE_HZ).sqrt()
