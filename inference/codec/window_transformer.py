"""The causal transformer inside Mimi: every position sees itself and at most `window - 1` positions before it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.checkpoints.tensors import TensorFolder
from inference.codec.state import StreamState


@dataclass(slots=True)
class _Layer:
    """Tensors by their stored names: norms (weight, bias), projections, scales."""

    input_norm: tuple[Tensor, Tensor]
    q: Tensor
    k: Tensor
    v: Tensor
    out: Tensor
    attention_scale: Tensor
    mlp_norm: tuple[Tensor, Tensor]
    up: Tensor
    down: Tensor
    mlp_scale: Tensor


class WindowTransformer:
    """[B, D, T] to [B, D, T], whole or in pieces.

    Keys are kept unturned and positions counted from the oldest kept one: rotary attention depends on distances
    only, so a stream of hours uses the same small table as its first second.
    """

    def __init__(self, config: dict[str, Any], tensors: TensorFolder, prefix: str) -> None:
        hidden = int(config["hidden_size"])
        self._prefix = prefix
        self._num_heads = int(config["num_attention_heads"])
        if int(config.get("num_key_value_heads") or self._num_heads) != self._num_heads:
            raise NotImplementedError("Mimi with grouped key/value heads is not published and not supported")
        self._head_dim = int(config.get("head_dim") or hidden // self._num_heads)
        self._window = int(config["sliding_window"])
        self._eps = float(config["norm_eps"])
        theta = (config.get("rope_parameters") or {}).get("rope_theta") or config.get("rope_theta") or 10_000.0
        self._frequencies = 1.0 / float(theta) ** (torch.arange(0, self._head_dim, 2).float() / self._head_dim)
        self._layers = [
            _load_layer(tensors, f"{prefix}layers.{at}.", hidden) for at in range(int(config["num_hidden_layers"]))
        ]

    def whole(self, x: Tensor) -> Tensor:
        count = x.shape[-1]
        positions = torch.arange(count, device=x.device)
        distance = positions[:, None] - positions[None, :]
        mask = (distance >= 0) & (distance < self._window)
        h = x.transpose(1, 2)
        for layer in self._layers:
            n = F.layer_norm(h, h.shape[-1:], *layer.input_norm, eps=self._eps)
            q, k, v = (self._heads(F.linear(n, weight)) for weight in (layer.q, layer.k, layer.v))
            h = self._rest(layer, h, self._attend(q, k, v, mask))
        return h.transpose(1, 2)

    def piece(self, x: Tensor, state: StreamState) -> Tensor:
        """The next T positions of every slot."""
        count, kept = x.shape[-1], self._window - 1
        seen = state.get(self._prefix + "seen", dtype=torch.long)
        new = torch.arange(kept, kept + count, device=x.device)
        old = torch.arange(kept + count, device=x.device)
        distance = new[:, None] - old[None, :]
        reachable = (distance >= 0) & (distance < self._window)
        # Rows of the memory older than the stream itself hold nothing.
        begun = old[None, :] >= (kept - seen.clamp(max=kept))[:, None]
        mask = (reachable[None] & begun[:, None])[:, None]
        h = x.transpose(1, 2)
        for at, layer in enumerate(self._layers):
            n = F.layer_norm(h, h.shape[-1:], *layer.input_norm, eps=self._eps)
            q, k, v = (self._heads(F.linear(n, weight)) for weight in (layer.q, layer.k, layer.v))
            k, v = self._remember(f"{self._prefix}{at}.k", k, state), self._remember(f"{self._prefix}{at}.v", v, state)
            h = self._rest(layer, h, self._attend(q, k, v, mask))
        state.put(self._prefix + "seen", seen + count)
        return h.transpose(1, 2)

    def _remember(self, key: str, new: Tensor, state: StreamState) -> Tensor:
        """The kept positions [B, H, window - 1, d] and the new ones behind them."""
        kept = self._window - 1
        joined = torch.cat([state.get(key, self._num_heads, kept, self._head_dim), new], dim=2)
        state.put(key, joined[:, :, -kept:])
        return joined

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self._num_heads, self._head_dim)).transpose(1, 2)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """Attention of the last positions of k over all of them; [B, T, H * d]."""
        count, total = q.shape[2], k.shape[2]
        angles = torch.outer(torch.arange(total, dtype=torch.float32, device=q.device), self._frequencies.to(q.device))
        angles = torch.cat([angles, angles], dim=-1)
        cos, sin = angles.cos(), angles.sin()
        q, k = _turn(q, cos[total - count :], sin[total - count :]), _turn(k, cos, sin)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)

    def _rest(self, layer: _Layer, h: Tensor, mixed: Tensor) -> Tensor:
        h = h + layer.attention_scale * F.linear(mixed, layer.out)
        n = F.layer_norm(h, h.shape[-1:], *layer.mlp_norm, eps=self._eps)
        return h + layer.mlp_scale * F.linear(F.gelu(F.linear(n, layer.up)), layer.down)


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], dim=-1) * sin


def _load_layer(tensors: TensorFolder, prefix: str, hidden: int) -> _Layer:
    def norm(name: str) -> tuple[Tensor, Tensor]:
        return tensors.take(f"{prefix}{name}.weight", hidden), tensors.take(f"{prefix}{name}.bias", hidden)

    return _Layer(
        input_norm=norm("input_layernorm"),
        q=tensors.take(prefix + "self_attn.q_proj.weight", None, hidden),
        k=tensors.take(prefix + "self_attn.k_proj.weight", None, hidden),
        v=tensors.take(prefix + "self_attn.v_proj.weight", None, hidden),
        out=tensors.take(prefix + "self_attn.o_proj.weight", hidden, None),
        attention_scale=tensors.take(prefix + "self_attn_layer_scale.scale", hidden),
        mlp_norm=norm("post_attention_layernorm"),
        up=tensors.take(prefix + "mlp.fc1.weight", None, hidden),
        down=tensors.take(prefix + "mlp.fc2.weight", hidden, None),
        mlp_scale=tensors.take(prefix + "mlp_layer_scale.scale", hidden),
    )
