"""A speaker as 256 numbers: the statistics of how they sound, turned by a fixed rotation.

Mean envelope of voiced and of unvoiced sound, middle and spread of log F0, each in units of how much the trained
speakers differ. Computed from any speech; a point between two speakers is a speaker.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from inference.checkpoints.errors import BrokenFile
from inference.codec.source_filter.grid import NUM_BANDS
from inference.models.config import SPEAKER_DIM
from inference.training.corpus import Utterance
from inference.training.variation import FLOOR

STATISTICS = 2 * NUM_BANDS + 2
PITCH = 2 * NUM_BANDS
"""Which of the statistics is the middle of log2 F0."""

_ROTATION_SEED = 7
_LOUD = 2.5
"""Log power under an utterance's loud half at which a subframe still counts."""

_LENGTH = 2.0
"""Typical length of an embedding."""


def statistics(utterances: list[Utterance]) -> NDArray[np.float32]:
    """[STATISTICS] of one speaker's sentences."""
    envelope = np.maximum(np.concatenate([u.envelope for u in utterances]).astype(np.float32), FLOOR)
    f0 = np.concatenate([u.f0_hz for u in utterances]).astype(np.float32)
    level = envelope.mean(axis=1)
    loud = level > np.percentile(level, 60) - _LOUD
    voiced, unvoiced = loud & (f0 > 0), loud & (f0 == 0)
    log = np.log2(f0[voiced]) if voiced.any() else np.zeros(1, np.float32)
    return np.concatenate([_shape(envelope, voiced), _shape(envelope, unvoiced), [np.median(log), log.std()]]).astype(
        np.float32
    )


def _shape(envelope: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Mean spectrum without its level."""
    if not chosen.any():
        return np.zeros(NUM_BANDS, np.float32)
    mean = envelope[chosen].mean(axis=0)
    return np.asarray(mean - mean.mean(), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SpeakerSpace:
    """From statistics to embeddings."""

    centre: NDArray[np.float32]
    """[STATISTICS], of the trained speakers."""

    scale: NDArray[np.float32]
    """[STATISTICS]"""

    @classmethod
    def of(cls, speakers: list[NDArray[np.float32]]) -> "SpeakerSpace":
        """The space in which these speakers, [STATISTICS] each, stand around the middle."""
        table = np.stack(speakers)
        spread = table.std(axis=0)
        scale = np.empty_like(spread)
        scale[: 2 * NUM_BANDS] = np.sqrt(np.mean(spread[: 2 * NUM_BANDS] ** 2))
        # Pitch weighs as much as a third of the spectrum does.
        scale[2 * NUM_BANDS :] = spread[2 * NUM_BANDS :] / np.sqrt(2 * NUM_BANDS / 6)
        return cls(table.mean(axis=0), scale * np.sqrt(STATISTICS) / _LENGTH)

    @classmethod
    def load(cls, folder: Path) -> "SpeakerSpace":
        """Of a checkpoint. Raises a `CheckpointError`."""
        path = folder / "space.safetensors"
        try:
            with safe_open(path, framework="np") as file:
                return cls(file.get_tensor("centre"), file.get_tensor("scale"))
        except (OSError, SafetensorError) as error:
            raise BrokenFile(f"{path.name}: {error}") from error

    def as_tensors(self) -> dict[str, Tensor]:
        return {"centre": torch.from_numpy(self.centre), "scale": torch.from_numpy(self.scale)}

    def embedding(self, speaker: NDArray[np.float32]) -> Tensor:
        """[256] of statistics [STATISTICS]."""
        return torch.from_numpy(((speaker - self.centre) / self.scale).astype(np.float32)) @ _rotation()


def _rotation() -> Tensor:
    """[STATISTICS, 256] with orthonormal rows: distances stay."""
    generator = torch.Generator().manual_seed(_ROTATION_SEED)
    square, _ = torch.linalg.qr(torch.randn(SPEAKER_DIM, SPEAKER_DIM, generator=generator, dtype=torch.float64))
    return square[:STATISTICS].float()
