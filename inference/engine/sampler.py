"""Draws for all slots at once. Each slot's depend only on its own seed and its own count of draws."""

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B1


def _mixed(x: Tensor) -> Tensor:
    """A bijection of 32-bit numbers held in int64 (the `lowbias32` constants of C. Wellons' hash prospector)."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & _MASK
    x = ((x ^ (x >> 15)) * 0x846CA68B) & _MASK
    return x ^ (x >> 16)


def uniforms(seeds: Tensor, counters: Tensor, lane: int, ids: Tensor) -> Tensor:
    """Numbers strictly between 0 and 1 for ids [B, N]: a hash of seed and counter [B] (int64), lane and id."""
    key = _mixed(((seeds >> 32) & _MASK) ^ _mixed(seeds & _MASK))
    key = _mixed((key + counters * _GOLDEN) & _MASK)
    key = _mixed((key + (lane + 1) * 0x85EBCA6B) & _MASK)
    x = _mixed((ids * _GOLDEN & _MASK) ^ key[:, None])
    # 23 bits and a half: exact in float32, so neither 0 nor 1 comes out.
    return ((x >> 9).float() + 0.5) * 2.0**-23


class Sampler:
    """Temperature, top-k and a draw with settings per slot; everything a tensor of fixed shape.

    Gumbel noise keyed by id, and the largest sum is a draw from the softmax (Gumbel-max); only the `bound` largest
    logits are looked at, unless somebody has no limit. Of logits equal at the edge of the top-k not all are kept,
    unlike in the reference.
    """

    def __init__(self, num_slots: int, bound: int, device: torch.device | str = "cpu") -> None:
        self._bound = bound
        self._ranks = torch.arange(bound, device=device)[None]
        self.seeds = torch.zeros(num_slots, dtype=torch.long, device=device)
        self.counters = torch.zeros(num_slots, dtype=torch.long, device=device)

    def draw(self, logits: Tensor, temperature: Tensor, top_k: Tensor, lane: int, *, unlimited: bool = False) -> Tensor:
        """Indices [B] from logits [B, V]; `temperature` [B] is what to divide by, `top_k` [B] at most the bound.

        A top-k of 0 keeps everything, and counts only in an `unlimited` draw: it looks at all logits besides, and
        leaves the draws of the others bit for bit as they are.
        """
        bound = min(self._bound, logits.shape[-1])
        values, ids = logits.topk(bound, dim=-1)
        scores = self._scores(values, temperature, lane, ids)
        scores.masked_fill_(self._ranks[:, :bound] >= top_k[:, None], -torch.inf)
        drawn = ids.gather(1, scores.argmax(dim=-1, keepdim=True))[:, 0]
        if not unlimited:
            return drawn
        every_id = torch.arange(logits.shape[-1], device=logits.device)[None]
        return torch.where(top_k > 0, drawn, self._scores(logits, temperature, lane, every_id).argmax(dim=-1))

    def _scores(self, logits: Tensor, temperature: Tensor, lane: int, ids: Tensor) -> Tensor:
        noise = -torch.log(-torch.log(uniforms(self.seeds, self.counters, lane, ids)))
        return logits / temperature[:, None] + noise
