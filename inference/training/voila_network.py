"""The Voila layout as a trainable network: whole sequences at once, tensors named as the loader reads them.

Shapes: B sentences, L positions, F frames (of all sentences together), K codebooks, D width.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inference.models.config import SPEAKER_DIM, RopeConfig
from inference.models.prompts import SPEAKER_POSITION
from inference.models.rope import (
    adjacent_rotation_table,
    backbone_frequencies,
    half_rotation_table,
    rotate_adjacent,
    rotate_halves,
)

_EPS = 1e-5
_THETA, _AUDIO_THETA = 10_000.0, 10_000.0


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the network. `audio_` ones are of the audio transformer; `positions` is the longest sequence."""

    vocab: int
    hidden: int = 256
    layers: int = 5
    heads: int = 4
    mlp: int = 704
    audio_dim: int = 192
    audio_layers: int = 2
    audio_heads: int = 4
    audio_mlp: int = 512
    codebooks: int = 4
    codebook_size: int = 1024
    positions: int = 1024

    def config(self) -> dict[str, Any]:
        """The checkpoint's `config.json`."""
        return {
            "model_type": "llama", "vocab_size": self.vocab, "hidden_size": self.hidden,
            "intermediate_size": self.mlp, "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads, "rms_norm_eps": _EPS, "max_position_embeddings": self.positions,
            "rope_theta": _THETA, "tie_word_embeddings": True, "num_codebooks": self.codebooks,
            "codebook_size": self.codebook_size,
            "audio_transformer": {
                "n_layer": self.audio_layers, "dim": self.audio_dim, "n_head": self.audio_heads,
                "n_local_heads": self.audio_heads, "intermediate_size": self.audio_mlp,
            },
        }  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class _Norm(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], self.weight, _EPS)


def _linear(inputs: int, outputs: int, gain: float = 1.0) -> nn.Linear:
    linear = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(linear.weight, std=gain / inputs**0.5)
    return linear


class _Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._heads = shape.heads
        self.q_proj, self.k_proj, self.v_proj = (_linear(shape.hidden, shape.hidden) for _ in range(3))
        self.o_proj = _linear(shape.hidden, shape.hidden, 0.3)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        q, k, v = (proj(x).unflatten(-1, (self._heads, -1)).transpose(1, 2)
                   for proj in (self.q_proj, self.k_proj, self.v_proj))  # fmt: skip
        q, k = rotate_halves(q, cos, sin).to(v.dtype), rotate_halves(k, cos, sin).to(v.dtype)
        # Multiplied out: for sequences this short the fused kernel's way back costs five times as much on a CPU.
        length = x.shape[1]
        later = torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
        scores = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).masked_fill(later, -torch.inf)
        mixed = scores.softmax(dim=-1).to(v.dtype) @ v
        out: Tensor = self.o_proj(mixed.transpose(1, 2).flatten(2))
        return out


class _Mlp(nn.Module):
    def __init__(self, dim: int, mlp: int) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = _linear(dim, mlp), _linear(dim, mlp)
        self.down_proj = _linear(mlp, dim, 0.3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


class _Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = _Norm(shape.hidden), _Norm(shape.hidden)
        self.self_attn = _Attention(shape)
        self.mlp = _Mlp(shape.hidden, shape.mlp)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        out: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return out


class _Backbone(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab, shape.hidden)
        nn.init.normal_(self.embed_tokens.weight, std=0.5)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        self.norm = _Norm(shape.hidden)


class _AudioAttention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._heads = shape.audio_heads
        self.wqkv = _linear(shape.audio_dim, 3 * shape.audio_dim)
        self.wo = _linear(shape.audio_dim, shape.audio_dim, 0.3)
        later = torch.ones(shape.codebooks, shape.codebooks, dtype=torch.bool).triu(1)
        self.register_buffer("hidden", later, persistent=False)
        self.hidden: Tensor

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """[F, K, D]. So few positions are multiplied out: the general kernel costs more to start."""
        q, k, v = self.wqkv(x).unflatten(-1, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = rotate_adjacent(q, cos, sin), rotate_adjacent(k, cos, sin)
        scores = (q[:, :, :, None] * k[:, :, None]).sum(dim=-1) * q.shape[-1] ** -0.5
        shares = scores.masked_fill(self.hidden, -torch.inf).softmax(dim=-1).to(v.dtype)
        mixed = (shares[..., None] * v[:, :, None]).sum(dim=3)
        out: Tensor = self.wo(mixed.transpose(1, 2).flatten(2))
        return out


class _AudioFeedForward(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.w1, self.w3 = _linear(shape.audio_dim, shape.audio_mlp), _linear(shape.audio_dim, shape.audio_mlp)
        self.w2 = _linear(shape.audio_mlp, shape.audio_dim, 0.3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.w2(F.silu(self.w1(x)) * self.w3(x))
        return out


class _AudioLayer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm, self.ffn_norm = _Norm(shape.audio_dim), _Norm(shape.audio_dim)
        self.attention, self.feed_forward = _AudioAttention(shape), _AudioFeedForward(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin)
        out: Tensor = x + self.feed_forward(self.ffn_norm(x))
        return out


class _AudioTransformer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(shape.codebook_size, shape.audio_dim)
        nn.init.normal_(self.embeddings.weight, std=1.0)
        # The loader wants none where both are equally wide.
        self.input_proj: nn.Module = (
            _linear(shape.hidden, shape.audio_dim) if shape.hidden != shape.audio_dim else nn.Identity()
        )
        self.layers = nn.ModuleList(_AudioLayer(shape) for _ in range(shape.audio_layers))
        self.norm = _Norm(shape.audio_dim)
        self.token_head = _linear(shape.audio_dim, shape.codebook_size)
        cos, sin = adjacent_rotation_table(_AUDIO_THETA, shape.audio_dim // shape.audio_heads, shape.codebooks)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.cos: Tensor
        self.sin: Tensor

    def forward(self, hidden: Tensor, codes: Tensor) -> Tensor:
        """Logits [F, K, entries] of frames [F, K] whose own codes before each position are given."""
        x = torch.cat([self.input_proj(hidden)[:, None], self.embeddings(codes[:, :-1])], dim=1)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        logits: Tensor = self.token_head(self.norm(x))
        return logits


class VoilaNetwork(nn.Module):
    """Backbone, audio transformer and speaker projection; for two channels (`duplex`) also what says who speaks."""

    def __init__(self, shape: Shape, duplex: bool = False) -> None:
        super().__init__()
        self.model = _Backbone(shape)
        self.audio_transformer = _AudioTransformer(shape)
        self.ref_emb_linear = nn.Linear(SPEAKER_DIM, shape.hidden)
        if duplex:
            self.voila_predictor = nn.Sequential(nn.Linear(shape.hidden, 2))
        table = half_rotation_table(
            backbone_frequencies(RopeConfig(theta=_THETA), shape.hidden // shape.heads), shape.positions
        )
        self.register_buffer("cos", table[0], persistent=False)
        self.register_buffer("sin", table[1], persistent=False)
        self.cos: Tensor
        self.sin: Tensor

    def hidden(self, rows: Tensor, speakers: Tensor) -> Tensor:
        """States [B, L, D] of rows of ids [B, L, K] and speaker embeddings [B, 256]."""
        x = self.model.embed_tokens(rows).mean(dim=2)
        at = torch.zeros(x.shape[1], 1, device=x.device)
        at[SPEAKER_POSITION] = 1.0
        x = x + at * self.ref_emb_linear(speakers)[:, None]
        cos, sin = self.cos[: x.shape[1]], self.sin[: x.shape[1]]
        for layer in self.model.layers:
            x = layer(x, cos, sin)
        normed: Tensor = self.model.norm(x)
        return normed

    def text_logits(self, hidden: Tensor, ids: Tensor) -> Tensor:
        """Logits [..., N] of the tokens `ids` [N] only."""
        return hidden @ self.model.embed_tokens.weight[ids].T
