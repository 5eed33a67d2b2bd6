"""The Llama backbone over time, on static caches: chunks of one slot (prefill) or one position of every slot (step)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.checkpoints.tensors import TensorFolder
from inference.models.config import VoilaConfig
from inference.models.kv_cache import KVCache
from inference.models.linear import Linear, rms_norm
from inference.models.rope import backbone_frequencies, half_rotation_table, rotate_halves


@dataclass(slots=True)
class _Layer:
    input_norm: Tensor
    qkv: Linear
    """Rows ordered q, k, v: one product instead of three."""

    out: Linear
    mlp_norm: Tensor
    gate_up: Linear
    down: Linear


class Backbone:
    """Weights and the two ways through them. It keeps nothing of any caller: that is in the `KVCache`."""

    def __init__(self, config: VoilaConfig, tensors: TensorFolder) -> None:
        self.config = config
        self._q_dim = config.num_heads * config.head_dim
        self._kv_dim = config.num_kv_heads * config.head_dim
        self.layers = [self._load_layer(tensors, f"model.layers.{i}.") for i in range(config.num_layers)]
        self.norm = tensors.take("model.norm.weight", config.hidden_size)
        frequencies = backbone_frequencies(config.rope, config.head_dim)
        cos, sin = half_rotation_table(frequencies, config.max_positions)
        # Llama rounds the table to the run's precision before turning.
        self._cos, self._sin = (table.to(self.norm.device, self.norm.dtype) for table in (cos, sin))

    def _load_layer(self, tensors: TensorFolder, prefix: str) -> _Layer:
        config, hidden = self.config, self.config.hidden_size
        q = tensors.take(prefix + "self_attn.q_proj.weight", self._q_dim, hidden)
        k = tensors.take(prefix + "self_attn.k_proj.weight", self._kv_dim, hidden)
        v = tensors.take(prefix + "self_attn.v_proj.weight", self._kv_dim, hidden)
        gate = tensors.take(prefix + "mlp.gate_proj.weight", config.mlp_dim, hidden)
        up = tensors.take(prefix + "mlp.up_proj.weight", config.mlp_dim, hidden)
        return _Layer(
            input_norm=tensors.take(prefix + "input_layernorm.weight", hidden),
            qkv=Linear(torch.cat([q, k, v])),
            out=Linear(tensors.take(prefix + "self_attn.o_proj.weight", hidden, self._q_dim)),
            mlp_norm=tensors.take(prefix + "post_attention_layernorm.weight", hidden),
            gate_up=Linear(torch.cat([gate, up])),
            down=Linear(tensors.take(prefix + "mlp.down_proj.weight", hidden, config.mlp_dim)),
        )

    def new_cache(self, num_slots: int, num_positions: int) -> KVCache:
        config = self.config
        return KVCache(
            num_layers=config.num_layers,
            num_slots=num_slots,
            num_heads=config.num_kv_heads,
            num_positions=num_positions,
            head_dim=config.head_dim,
            dtype=self.norm.dtype,
            device=self.norm.device,
        )

    def prefill(self, x: Tensor, cache: KVCache, slot: int, starts: Sequence[int] | None = None) -> Tensor:
        """Positions x [T, D] appended to one slot; hidden states [T, D] after the final norm.

        A caller that knows how many positions the slot holds in each layer says so in `starts` and spares a look at
        the device.
        """
        starts = cache.lengths[:, slot].tolist() if starts is None else starts
        places = {start: self._place(start, len(x)) for start in set(starts)}
        for index, (layer, start) in enumerate(zip(self.layers, starts, strict=True)):
            end = start + len(x)
            cos, sin, mask = places[start]
            q, k, v = self._project(rms_norm(x, layer.input_norm, self.config.norm_eps), layer)
            q, k = rotate_halves(q, cos, sin), rotate_halves(k, cos, sin)
            keys, values = cache.keys[index][slot], cache.values[index][slot]
            keys[:, start:end] = k.transpose(0, 1)
            values[:, start:end] = v.transpose(0, 1)
            mixed = F.scaled_dot_product_attention(
                q.transpose(0, 1)[None], keys[None, :, :end], values[None, :, :end], attn_mask=mask, enable_gqa=True
            )
            x = x + layer.out(mixed[0].transpose(0, 1).reshape(len(x), self._q_dim))
            x = x + self._mlp(x, layer)
        cache.lengths[:, slot] += len(x)
        return rms_norm(x, self.norm, self.config.norm_eps)

    def _place(self, start: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Rotations [count, 1, d] of positions from `start` on, and what each of them sees [count, start + count]."""
        end = start + count
        columns = torch.arange(end, device=self._cos.device)
        return self._cos[start:end, None], self._sin[start:end, None], columns[None, :] <= columns[start:, None]

    def step(self, x: Tensor, cache: KVCache, active: Tensor, span: int | None = None) -> Tensor:
        """One position x [B, D] of every slot; hidden states [B, D] after the final norm.

        Slots where `active` [B] is false compute along and leave no trace. `span` bounds the positions looked at; it
        must hold every active slot's length and the new position.
        """
        span = cache.num_positions if span is None else span
        at = cache.lengths.clamp(max=span - 1)
        cos, sin = self._cos[at][:, :, None], self._sin[at][:, :, None]
        hidden_columns = torch.arange(span, device=x.device) > at[:, :, None]
        bias = torch.zeros(hidden_columns.shape, dtype=x.dtype, device=x.device)
        bias = bias.masked_fill_(hidden_columns, -torch.inf)[:, :, None, None]
        rows = cache.next_rows(active)
        for index, layer in enumerate(self.layers):
            q, k, v = self._project(rms_norm(x, layer.input_norm, self.config.norm_eps), layer)
            q, k = rotate_halves(q, cos[index], sin[index]), rotate_halves(k, cos[index], sin[index])
            cache.write(index, rows[index], k, v)
            # The query heads that share a key head stand as its positions: nothing is repeated.
            mixed = F.scaled_dot_product_attention(
                q.unflatten(1, (self.config.num_kv_heads, -1)),
                cache.keys[index][:, :, :span],
                cache.values[index][:, :, :span],
                attn_mask=bias[index],
            )
            x = x + layer.out(mixed.reshape(len(x), self._q_dim))
            x = x + self._mlp(x, layer)
        cache.lengths += active
        return rms_norm(x, self.norm, self.config.norm_eps)

    def turn_keys(self, keys: Tensor, positions: int) -> Tensor:
        """Keys [..., D] as they would be that many positions earlier: rotations compose."""
        cos, sin = self._cos[positions].float(), self._sin[positions].float()
        return rotate_halves(keys.float(), cos, -sin).to(keys.dtype)

    def _project(self, x: Tensor, layer: _Layer) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [N, H, d], keys and values [N, Hkv, d]."""
        q, k, v = layer.qkv(x).split([self._q_dim, self._kv_dim, self._kv_dim], dim=-1)
        d = self.config.head_dim
        return q.unflatten(-1, (-1, d)), k.unflatten(-1, (-1, d)), v.unflatten(-1, (-1, d))

    def _mlp(self, x: Tensor, layer: _Layer) -> Tensor:
        gate, up = layer.gate_up(rms_norm(x, layer.mlp_norm, self.config.norm_eps)).chunk(2, dim=-1)
        return layer.down(F.silu(gate) * up)
