"""Rotary positions, computed in float32. Tables are never loaded from a checkpoint."""

import math

import torch
from torch import Tensor

from inference.models.config import RopeConfig


def backbone_frequencies(config: RopeConfig, head_dim: int) -> Tensor:
    """Angular frequencies [head_dim / 2], float32.

    Llama-3 scaling (Llama 3.1 model card; `rope_type: llama3`): wavelengths beyond the original context are
    stretched by `factor`, short ones kept, those between blended.
    """
    frequencies = 1.0 / config.theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    if config.factor == 1.0:
        return frequencies
    wavelengths = 2 * math.pi / frequencies
    low = config.original_positions / config.low_freq_factor
    high = config.original_positions / config.high_freq_factor
    smooth = (config.original_positions / wavelengths - config.low_freq_factor) / (
        config.high_freq_factor - config.low_freq_factor
    )
    blended = (1 - smooth) * frequencies / config.factor + smooth * frequencies
    scaled = torch.where(wavelengths > low, frequencies / config.factor, frequencies)
    return torch.where((wavelengths <= low) & (wavelengths >= high), blended, scaled)


def half_rotation_table(frequencies: Tensor, num_positions: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine [num_positions, head_dim] for `rotate_halves`, float32."""
    angles = torch.outer(torch.arange(num_positions, dtype=torch.float32), frequencies)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate_halves(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Llama's convention: dimension i turns with i + head_dim/2. `cos`, `sin` broadcast over x [..., head_dim]."""
    half = x.shape[-1] // 2
    turned = torch.cat([-x[..., half:], x[..., :half]], dim=-1)
    return x * cos + turned * sin


def adjacent_rotation_table(theta: float, head_dim: int, num_positions: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine [num_positions, head_dim / 2] for `rotate_adjacent`, float32."""
    frequencies = 1.0 / theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angles = torch.outer(torch.arange(num_positions, dtype=torch.float32), frequencies)
    return angles.cos(), angles.sin()


def rotate_adjacent(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The audio transformer's convention: pairs (0,1), (2,3), ... `cos`, `sin` broadcast over x [..., head_dim / 2]."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
