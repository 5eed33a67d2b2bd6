"""The audio transformer: the codes of one frame, codebook by codebook, from the backbone's hidden state."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.checkpoints.tensors import TensorFolder
from inference.models.config import VoilaConfig
from inference.models.linear import Linear, rms_norm
from inference.models.rope import adjacent_rotation_table, rotate_adjacent

PREFIX = "audio_transformer."
Choose = Callable[[int, Tensor], Tensor]
"""From a codebook's number and its logits [B, V] to the chosen codes [B]."""


@dataclass(slots=True)
class _Layer:
    attention_norm: Tensor
    qkv: Linear
    out: Linear
    mlp_norm: Tensor
    gate_up: Linear
    down: Linear


class AudioTransformer:
    """Starts afresh at every frame; its only context is the hidden state. One embedding table and one head serve all
    codebooks: which one it is, only the position tells."""

    def __init__(self, config: VoilaConfig, tensors: TensorFolder) -> None:
        self.config = config.audio
        self.num_codebooks = config.num_codebooks
        dim, size = config.audio.dim, config.codebook_size
        self.embeddings = tensors.take(PREFIX + "embeddings.weight", size, dim)
        # Absent when the backbone is as wide as the audio transformer.
        projected = config.hidden_size != dim
        self.input_proj = (
            Linear(tensors.take(PREFIX + "input_proj.weight", dim, config.hidden_size)) if projected else None
        )
        self.layers = [self._load_layer(tensors, f"{PREFIX}layers.{i}.") for i in range(config.audio.num_layers)]
        self.norm = tensors.take(PREFIX + "norm.weight", dim)
        self.head = Linear(tensors.take(PREFIX + "token_head.weight", size, dim))
        cos, sin = adjacent_rotation_table(config.audio.rope_theta, config.audio.head_dim, config.num_codebooks)
        # In a bf16 run the reference rounds the table as well.
        self._cos, self._sin = (table.to(self.norm.device, self.norm.dtype) for table in (cos, sin))

    def _load_layer(self, tensors: TensorFolder, prefix: str) -> _Layer:
        dim, mlp_dim = self.config.dim, self.config.mlp_dim
        gate = tensors.take(prefix + "feed_forward.w1.weight", mlp_dim, dim)
        up = tensors.take(prefix + "feed_forward.w3.weight", mlp_dim, dim)
        return _Layer(
            attention_norm=tensors.take(prefix + "attention_norm.weight", dim),
            qkv=Linear(_qkv(tensors, prefix + "attention.", dim)),
            out=Linear(tensors.take(prefix + "attention.wo.weight", dim, dim)),
            mlp_norm=tensors.take(prefix + "ffn_norm.weight", dim),
            gate_up=Linear(torch.cat([gate, up])),
            down=Linear(tensors.take(prefix + "feed_forward.w2.weight", dim, mlp_dim)),
        )

    def new_cache(self, num_slots: int) -> "FrameCache":
        """Room for the keys and values of one frame."""
        shape = (self.config.num_layers, 2, num_slots, self.config.num_heads, self.num_codebooks, self.config.head_dim)
        return FrameCache(torch.zeros(shape, dtype=self.norm.dtype, device=self.norm.device))

    def generate(self, hidden: Tensor, choose: Choose, cache: "FrameCache | None" = None) -> Tensor:
        """Codes [B, K] for hidden states [B, D]; `choose` picks each codebook's code from its float32 logits.

        A `cache` that is reused spares an allocation per frame; what it holds does not matter.
        """
        cache = cache or self.new_cache(len(hidden))
        x = self.input_proj(hidden) if self.input_proj is not None else hidden
        codes: list[Tensor] = []
        for codebook in range(self.num_codebooks):
            codes.append(choose(codebook, self._logits(x, codebook, cache)))
            x = F.embedding(codes[-1], self.embeddings)
        return torch.stack(codes, dim=-1)

    def _logits(self, x: Tensor, position: int, cache: "FrameCache") -> Tensor:
        """Logits [B, V] in float32 of one codebook; x [B, D] is what stands at its position."""
        eps, num_heads = self.config.norm_eps, self.config.num_heads
        cos, sin = self._cos[position], self._sin[position]
        for layer, (keys, values) in zip(self.layers, cache.tensors, strict=True):
            qkv = layer.qkv(rms_norm(x, layer.attention_norm, eps)).unflatten(-1, (3, num_heads, -1))
            keys[:, :, position] = rotate_adjacent(qkv[:, 1], cos, sin)
            values[:, :, position] = qkv[:, 2]
            if position == 0:
                mixed = qkv[:, 2]
            else:
                seen = position + 1
                mixed = _mix(rotate_adjacent(qkv[:, 0], cos, sin), keys[:, :, :seen], values[:, :, :seen])
            x = x + layer.out(mixed.flatten(1))
            gate, up = layer.gate_up(rms_norm(x, layer.mlp_norm, eps)).chunk(2, dim=-1)
            x = x + layer.down(F.silu(gate) * up)
        return self.head(rms_norm(x, self.norm, eps)).float()


def _mix(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of q [B, H, D] over at most K positions [B, H, T, D], all visible.

    Written out: the general kernel costs more to start than so few positions cost to compute.
    """
    scores = (q[:, :, None] * keys).sum(-1) * q.shape[-1] ** -0.5
    return (scores.softmax(dim=-1)[..., None] * values).sum(-2)


@dataclass(slots=True)
class FrameCache:
    """Keys and values of one frame, [layers, 2, B, H, K, D]."""

    tensors: Tensor


def _qkv(tensors: TensorFolder, prefix: str, dim: int) -> Tensor:
    """Rows q, k, v: stored joined, or as three matrices."""
    if prefix + "wqkv.weight" in tensors:
        return tensors.take(prefix + "wqkv.weight", 3 * dim, dim)
    return torch.cat([tensors.take(f"{prefix}{name}.weight", dim, dim) for name in ("wq", "wk", "wv")])
