"""A Voila checkpoint: embeddings, backbone, heads. Shapes: L positions, K codebooks, B slots, D width, V vocabulary."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.checkpoints.errors import TensorShape
from inference.checkpoints.tensors import TensorFolder, read_json
from inference.errors import InvalidSpec
from inference.models.audio_transformer import AudioTransformer
from inference.models.backbone import Backbone
from inference.models.config import SPEAKER_DIM, Kind, VoilaConfig
from inference.models.kv_cache import KVCache
from inference.models.linear import Linear
from inference.models.prompts import SPEAKER_POSITION
from inference.models.waveform import WaveformFrontEnd

Dtype = Literal["float32", "bfloat16"]


class VoilaModel:
    """Weights only; everything about a caller is in the cache and the ids."""

    def __init__(self, config: VoilaConfig, tensors: TensorFolder) -> None:
        self.config = config
        hidden, vocab = config.hidden_size, config.vocab_size
        self.embeddings = tensors.take("model.embed_tokens.weight", vocab, hidden)
        self.backbone = Backbone(config, tensors)
        if config.tied_head and "lm_head.weight" not in tensors:
            self.text_head = Linear(self.embeddings)
        else:
            self.text_head = Linear(tensors.take("lm_head.weight", vocab, hidden))
        self.audio_transformer = AudioTransformer(config, tensors)
        self.speaker_proj = Linear(
            tensors.take("ref_emb_linear.weight", hidden, SPEAKER_DIM), tensors.take("ref_emb_linear.bias", hidden)
        )
        self.predictor = (
            Linear(tensors.take("voila_predictor.0.weight", 2, hidden), tensors.take("voila_predictor.0.bias", 2))
            if "voila_predictor.0.weight" in tensors
            else None
        )
        self.waveform = WaveformFrontEnd(hidden, tensors) if WaveformFrontEnd.in_checkpoint(tensors) else None

    @classmethod
    def load(cls, folder: Path, *, dtype: Dtype = "float32", device: str = "cpu") -> "VoilaModel":
        """Raises a `CheckpointError` naming what is wrong before anything could be generated."""
        config = VoilaConfig.from_json(read_json(folder / "config.json"))
        with TensorFolder(folder, dtype=getattr(torch, dtype), device=device) as tensors:
            rows = tensors.shape("model.embed_tokens.weight")
            if rows != (config.vocab_size, config.hidden_size):
                raise TensorShape(
                    f"model.embed_tokens.weight is {rows}, but config.json says vocab_size {config.vocab_size} and "
                    f"hidden_size {config.hidden_size}"
                )
            model = cls(config, tensors)
            # Older checkpoints stored tables that are computed here.
            tensors.ignore(*(name for name in tensors.names if name.endswith(("rotary_emb.inv_freq", "freqs_cis"))))
            tensors.finish()
        return model

    @property
    def kind(self) -> Kind:
        if self.predictor is not None:
            return "autonomous"
        return "waveform" if self.waveform is not None else "token"

    @property
    def num_columns(self) -> int:
        """Ids per position: the codebooks, twice for the two channels of an autonomous model."""
        return self.config.num_codebooks * (2 if self.kind == "autonomous" else 1)

    def embed(self, rows: Tensor) -> Tensor:
        """Vectors [..., D] of rows of ids [..., K]: the mean over the columns."""
        return F.embedding(rows, self.embeddings).mean(dim=-2)

    def embed_prompt(self, rows: Tensor, speaker: Tensor | None = None, waveform: Tensor | None = None) -> Tensor:
        """Vectors [L, D] of a prompt: ids [L, K], speaker embedding [256] at position 4, raw-audio vectors [L, D]
        added.

        Raises `InvalidSpec` for a speaker embedding of another size or a prompt too short to hold it.
        """
        x = self.embed(rows)
        if speaker is not None:
            if speaker.shape != (SPEAKER_DIM,):
                raise InvalidSpec(f"a speaker embedding has {SPEAKER_DIM} numbers, not {list(speaker.shape)}")
            if len(x) <= SPEAKER_POSITION:
                raise InvalidSpec(f"a prompt of {len(x)} positions has no place {SPEAKER_POSITION} for a speaker")
            x[SPEAKER_POSITION] += self.speaker_proj(speaker.to(x))
        if waveform is not None:
            x = x + waveform.to(x)
        return x

    def prefill(self, x: Tensor, cache: KVCache, slot: int, starts: Sequence[int] | None = None) -> Tensor:
        """Hidden states [L, D] of vectors x [L, D] appended to a slot, which holds `starts` positions, per layer."""
        return self.backbone.prefill(x, cache, slot, starts)

    def step(self, rows: Tensor, cache: KVCache, active: Tensor, span: int | None = None) -> Tensor:
        """Hidden states [B, D] after one more position, rows of ids [B, K], in every active slot."""
        return self.backbone.step(self.embed(rows), cache, active, span)

    def text_logits(self, hidden: Tensor) -> Tensor:
        """[..., V] in float32."""
        return self.text_head(hidden).float()

    def speaks(self, hidden: Tensor) -> Tensor:
        """Logits [..., 2] of listen and speak. Only for an autonomous model."""
        assert self.predictor is not None
        return self.predictor(hidden).float()
