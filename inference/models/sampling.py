"""From logits to a choice: temperature, top-k, a draw. The same for text and for codes."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sampling:
    """Temperature 0 divides by nothing (it is *not* greedy); top-k 0 keeps everything; top-k 1 is greedy."""

    temperature: float = 0.2
    top_k: int = 50


TEXT_SAMPLING = Sampling(0.2, 50)
AUDIO_SAMPLING = Sampling(0.8, 50)


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """Probabilities [..., V]: exact zeros outside the top-k, ties at its edge kept."""
    if sampling.temperature > 0:
        logits = logits / sampling.temperature
    if sampling.top_k > 0:
        edge = logits.topk(min(sampling.top_k, logits.shape[-1]), dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < edge, -torch.inf)
    return logits.softmax(dim=-1)


def draw(logits: Tensor, sampling: Sampling, generator: torch.Generator | None = None) -> Tensor:
    """Indices [...] drawn from logits [..., V]. Greedy draws nothing."""
    if sampling.top_k == 1:
        return logits.argmax(dim=-1)
    rows = distribution(logits.float(), sampling).flatten(0, -2)
    return torch.multinomial(rows, 1, generator=generator).view(logits.shape[:-1])
