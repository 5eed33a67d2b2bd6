"""The prosody codebook, learnt by k-means within each pattern of voicing."""

import random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.codec.source_filter.grid import SUBFRAMES
from inference.training.corpus import Utterance
from inference.training.variation import said_by
from inference.training.voices import random_speaker, random_style

_ROUNDS = 12
_FEWEST = 4
"""Entries of the rarest pattern that has any pitch."""

_MOST_FRAMES = 60_000


def learn_table(corpus: dict[str, list[Utterance]], entries: int, seed: int) -> Tensor:
    """[entries, 4]: F0 in Hz, 0 where unvoiced. Entries go to patterns by how often and how variously they occur."""
    frames = _frames(corpus, seed)
    patterns = ((frames > 0) * 2 ** np.arange(SUBFRAMES)).sum(axis=1)
    groups = {pattern: frames[patterns == pattern] for pattern in range(1, 2**SUBFRAMES)}
    weights = {pattern: len(group) ** 0.7 * pattern.bit_count() for pattern, group in groups.items()}
    left = entries - 1 - _FEWEST * len(groups)
    total = sum(weights.values())
    counts = {pattern: _FEWEST + int(left * weight / total) for pattern, weight in weights.items()}
    counts[2**SUBFRAMES - 1] += entries - 1 - sum(counts.values())
    rows = [np.zeros((1, SUBFRAMES), np.float32)]
    rows += [_clustered(groups[pattern], pattern, count, seed) for pattern, count in counts.items()]
    return torch.from_numpy(np.concatenate(rows))


def _frames(corpus: dict[str, list[Utterance]], seed: int) -> NDArray[np.float32]:
    draw = random.Random(seed)
    found: list[NDArray[np.float32]] = []
    size = 0
    while size < _MOST_FRAMES:
        teacher = draw.choice(list(corpus))
        moved = said_by(draw.choice(corpus[teacher]), random_speaker(teacher, draw), random_style(draw)[1])
        f0 = moved.f0_hz.astype(np.float32)
        found.append(f0[: len(f0) // SUBFRAMES * SUBFRAMES].reshape(-1, SUBFRAMES))
        size += len(found[-1])
    return np.concatenate(found)


def _clustered(group: NDArray[np.float32], pattern: int, count: int, seed: int) -> NDArray[np.float32]:
    """`count` rows of one pattern. A pattern nobody spoke gets level tones over the voices' range."""
    voiced = np.array([bool(pattern >> place & 1) for place in range(SUBFRAMES)])
    if len(group) < count:
        tones = np.geomspace(70.0, 400.0, count, dtype=np.float32)[:, None] * np.ones(SUBFRAMES, np.float32)
        return np.where(voiced, tones, 0.0).astype(np.float32)
    points = np.log2(group[:, voiced])
    generator = np.random.default_rng(seed)
    centres = points[generator.choice(len(points), count, replace=False)]
    for _ in range(_ROUNDS):
        nearest = torch.cdist(torch.from_numpy(points), torch.from_numpy(centres)).argmin(dim=1).numpy()
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, points)
        counts = np.bincount(nearest, minlength=count)
        moved = sums / np.maximum(counts, 1)[:, None].astype(np.float32)
        centres = np.where(counts[:, None] > 0, moved, centres)
    rows = np.zeros((count, SUBFRAMES), np.float32)
    rows[:, voiced] = 2.0**centres
    return rows
