"""A source-filter codec of random weights whose decoder says nearly the same vowel all the time, and sounds for it."""

import math
from itertools import product
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from inference.codec.source_filter.codec import MODEL_TYPE, SourceFilterCodec
from inference.codec.source_filter.grid import NUM_BANDS, SAMPLE_RATE_HZ, SUBFRAMES
from inference.codec.source_filter.network import LATENT, EnvelopeNetwork

FRAME = 640
ENTRIES = 64
BOOKS = 3
LEVELS_HZ = (90.0, 120.0, 150.0, 180.0)
"""What the prosody codebook can say of each pattern of voicing: level tones."""


def vowel() -> Tensor:
    """A log envelope [NUM_BANDS]: two broad resonances over a slope."""
    band = torch.arange(NUM_BANDS, dtype=torch.float32)
    slope = -9.0 - 3.0 * band / NUM_BANDS
    return slope + 2.0 * torch.exp(-((band - 9) ** 2) / 18) + 1.5 * torch.exp(-((band - 22) ** 2) / 18)


def prosody_table() -> Tensor:
    """[ENTRIES, 4]: every pattern of voicing at every level."""
    patterns = product((0.0, 1.0), repeat=SUBFRAMES)
    return torch.tensor([[hz * voiced for voiced in pattern] for pattern in patterns for hz in LEVELS_HZ])


def prosody_code(hz: float) -> int:
    """Of a frame that is voiced throughout."""
    return ENTRIES - len(LEVELS_HZ) + LEVELS_HZ.index(hz)


def codec_tensors(seed: int = 3) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    network = EnvelopeNetwork()
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    tensors["mean"], tensors["deviation"] = vowel(), torch.full((NUM_BANDS,), 0.15)
    tensors["codebooks"] = torch.randn(BOOKS, ENTRIES, LATENT) * torch.tensor([0.6, 0.3, 0.15])[:, None, None]
    tensors["prosody"] = prosody_table()
    return tensors


def write_source_filter(folder: Path, tensors: dict[str, Tensor] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    found = tensors if tensors is not None else codec_tensors()
    save_file({name: tensor.contiguous() for name, tensor in found.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(f'{{"model_type": "{MODEL_TYPE}"}}', encoding="utf-8")
    return folder


def source_filter(folder: Path) -> SourceFilterCodec:
    return SourceFilterCodec.load(write_source_filter(folder))


def codes_at(tones_hz: list[float], seed: int = 0) -> Tensor:
    """Codes [1, K, T] of random envelopes and these level tones, a frame each."""
    generator = torch.Generator().manual_seed(seed)
    spectral = torch.randint(0, ENTRIES, (BOOKS, len(tones_hz)), generator=generator)
    return torch.cat([spectral, torch.tensor([[prosody_code(hz) for hz in tones_hz]])])[None]


def random_codes(slots: int, frames: int, seed: int = 0) -> Tensor:
    """[B, K, T]"""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, ENTRIES, (slots, BOOKS + 1, frames), generator=generator)


def harmonic_sound(f0_hz: float, seconds: float = 0.5, seed: int = 0) -> Tensor:
    """[S]: harmonics up to 4 kHz that fall by 6 dB an octave, their phases random."""
    generator = torch.Generator().manual_seed(seed)
    at = torch.arange(int(seconds * SAMPLE_RATE_HZ), dtype=torch.float64) / SAMPLE_RATE_HZ
    sound = torch.zeros_like(at)
    for number in range(1, int(4000 / f0_hz) + 1):
        offset = 2 * math.pi * torch.rand(1, generator=generator, dtype=torch.float64)
        sound += torch.sin(2 * math.pi * number * f0_hz * at + offset) / number
    return (0.1 * sound).float()


def noise(samples: int, level: float = 0.1, seed: int = 0) -> Tensor:
    return level * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def cents(found_hz: Tensor, wanted_hz: Tensor | float) -> Tensor:
    return 1200 * torch.log2(found_hz / wanted_hz)
