"""Checkpoints laid out like the bundled one, random and tiny: they read phones and babble."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from inference.codec.source_filter.grid import SUBFRAMES
from inference.models.config import SPEAKER_DIM
from inference.models.tokenizer import VoilaTokenizer
from inference.training.phone_tokens import write_tokenizer
from tests.inference.source_filter_codecs import ENTRIES, codec_tensors, write_source_filter
from tests.inference.tiny_checkpoints import (
    CODEBOOK_SIZE,
    CODEBOOKS,
    FRAME_TOKEN,
    TinyShape,
    model_config,
    model_tensors,
    write_weights,
)

SPEAKERS_HZ = {"rms": 100.0, "slt": 177.0, "girl": 220.0}
STYLES: dict[str, dict[str, float]] = {
    "neutral": {},
    "cheerful": {"rate": 1.05, "pitch_semitones": 2.0, "pitch_range": 1.6, "level_db": 1.0},
    "slow": {"rate": 0.8},
    "fast": {"rate": 1.25},
}


def write_phone_checkpoint(folder: Path, *, seed: int = 1) -> Path:
    """All that the bundled folder has but the model card."""
    write_tokenizer(folder, CODEBOOKS, CODEBOOK_SIZE)
    tokenizer = VoilaTokenizer(folder, CODEBOOKS, CODEBOOK_SIZE)
    shape, vocab = TinyShape(max_positions=1024), -(-len(tokenizer) // 64) * 64
    tensors = model_tensors(shape, vocab, False, torch.Generator().manual_seed(seed))
    # Every vector leans the same way, and only the row that asks for frames looks there: four draws of five.
    tensors["model.embed_tokens.weight"][:, 0] += 20.0
    tensors["lm_head.weight"].zero_()[tokenizer.control[FRAME_TOKEN], 0] = 1.3 / shape.hidden**0.5
    write_weights(folder, tensors)
    write_config(folder, model_config(shape, vocab) | {"speech": {"reads": "phones", "styles": STYLES}})
    generator = torch.Generator().manual_seed(seed)
    speakers = {name: torch.randn(SPEAKER_DIM, generator=generator) for name in SPEAKERS_HZ}
    save_file(speakers, folder / "voices.safetensors")
    (folder / "voices.json").write_text(json.dumps(SPEAKERS_HZ), encoding="utf-8")
    write_source_filter(folder / "codec", codec_tensors() | {"prosody": _mostly_voiced()})
    return folder


def write_config(folder: Path, content: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")


def _mostly_voiced() -> torch.Tensor:
    """[ENTRIES, 4]: each pattern of voicing once, the rest voiced throughout at many pitches."""
    patterns = [[120.0 * voiced for voiced in pattern] for pattern in product((0, 1), repeat=SUBFRAMES)]
    tones = torch.linspace(90.0, 180.0, ENTRIES - len(patterns))
    return torch.cat([torch.tensor(patterns), tones[:, None].expand(-1, SUBFRAMES)])
