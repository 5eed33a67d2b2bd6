"""The time and frequency grid that analysis, codes and synthesis of the source-filter codec share."""

import math
from functools import lru_cache

import torch
from torch import Tensor

SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_FRAME = 640
SUBFRAMES = 4
"""Times a frame at which envelope, F0 and voicing are given: every 10 ms."""

HOP = SAMPLES_PER_FRAME // SUBFRAMES
NUM_BANDS = 48
"""Mel bands of the spectral envelope."""

FFT_SIZE = 1024
NUM_BINS = FFT_SIZE // 2 + 1

LOWEST_F0_HZ, HIGHEST_F0_HZ = 60.0, 500.0


def mel(hz: float) -> float:
    """O'Shaughnessy's mel scale."""
    return 2595.0 * math.log10(1.0 + hz / 700.0)


@lru_cache(maxsize=1)
def band_positions() -> Tensor:
    """Where each bin of the spectrum lies among the bands [NUM_BINS], in 0..NUM_BANDS-1, equally spaced in mel."""
    top = mel(SAMPLE_RATE_HZ / 2)
    hz = torch.arange(NUM_BINS, dtype=torch.float64) * SAMPLE_RATE_HZ / FFT_SIZE
    return 2595.0 * torch.log10(1.0 + hz / 700.0) / top * (NUM_BANDS - 1)


@lru_cache(maxsize=1)
def bins_to_bands() -> Tensor:
    """[NUM_BINS, NUM_BANDS]: triangular means of a spectrum around each band's position."""
    weights = (1.0 - (band_positions()[:, None] - torch.arange(NUM_BANDS, dtype=torch.float64)).abs()).clamp(min=0.0)
    # At low frequencies a band can fall between two bins: the nearest one then stands for it.
    nearest = (band_positions()[:, None] - torch.arange(NUM_BANDS, dtype=torch.float64)).abs().argmin(dim=0)
    weights[nearest, torch.arange(NUM_BANDS)] = weights[nearest, torch.arange(NUM_BANDS)].clamp(min=1e-3)
    return (weights / weights.sum(dim=0)).to(torch.float32)


@lru_cache(maxsize=1)
def bands_to_bins() -> Tensor:
    """[NUM_BANDS, NUM_BINS]: linear interpolation between the bands."""
    weights = (1.0 - (band_positions()[:, None] - torch.arange(NUM_BANDS, dtype=torch.float64)).abs()).clamp(min=0.0)
    return weights.T.to(torch.float32).contiguous()


SILENT_LOG_POWER = math.log(1e-9)
