"""The codec's network: a frame's four envelopes to a latent and back. Causal, so that it streams exactly.

The same modules are trained on whole sentences and stepped with a `StreamState`. Shapes: B slots, T frames, D width.
"""

import torch
from torch import Tensor, nn

from inference.codec.source_filter.grid import NUM_BANDS, SUBFRAMES
from inference.codec.state import StreamState

DECODER_DELAY = 1
"""Frames that the decoder hears beyond the one it gives: it is taught to give the last but one."""

WIDTH = 256
LATENT = 48
_KERNEL = 5
_EXPANSION = 3


class Block(nn.Module):
    """ConvNeXt's (Liu et al., arXiv 2201.03545), looking back only."""

    def __init__(self, key: str, width: int) -> None:
        super().__init__()
        self._key = key
        self.depthwise = nn.Conv1d(width, width, _KERNEL, groups=width)
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, _EXPANSION * width)
        self.narrow = nn.Linear(_EXPANSION * width, width)
        nn.init.normal_(self.narrow.weight, std=0.02)

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """[B, T, D] to the same; without a state the past is silence."""
        across = x.transpose(1, 2)
        if state is None:
            joined = nn.functional.pad(across, (_KERNEL - 1, 0))
        else:
            joined = torch.cat([state.get(self._key, across.shape[1], _KERNEL - 1), across], dim=2)
            state.put(self._key, joined[..., 1 - _KERNEL :])
        mixed = self.norm(self.depthwise(joined).transpose(1, 2))
        widened: Tensor = nn.functional.gelu(self.widen(mixed))
        narrowed: Tensor = self.narrow(widened)
        return x + narrowed


class Stack(nn.Module):
    """Linear in, blocks, linear out."""

    def __init__(self, key: str, inputs: int, outputs: int, *, blocks: int, width: int) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(Block(f"{key}.{number}", width) for number in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, outputs)

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        hidden = self.enter(x)
        for block in self.blocks:
            hidden = block(hidden, state)
        left: Tensor = self.leave(self.norm(hidden))
        return left


class EnvelopeNetwork(nn.Module):
    """Envelopes [B, T, 4, bands] to latents [B, T, latent] and back; both sides know which subframes are voiced."""

    def __init__(self, width: int = WIDTH, latent: int = LATENT) -> None:
        super().__init__()
        size = SUBFRAMES * NUM_BANDS
        self.register_buffer("mean", torch.zeros(NUM_BANDS))
        self.register_buffer("deviation", torch.ones(NUM_BANDS))
        self.mean: Tensor
        self.deviation: Tensor
        self.encoder = Stack("encoder", size + SUBFRAMES, latent, blocks=3, width=width)
        self.decoder = Stack("decoder", latent + SUBFRAMES, size, blocks=4, width=width)

    def encode(self, envelope: Tensor, voiced: Tensor, state: StreamState | None = None) -> Tensor:
        """Latents [B, T, latent] of envelopes and voicing [B, T, 4]."""
        normal = ((envelope - self.mean) / self.deviation).flatten(2)
        latent: Tensor = self.encoder(torch.cat([normal, voiced], dim=2), state)
        return latent

    def decode(self, latent: Tensor, voiced: Tensor, state: StreamState | None = None) -> Tensor:
        """Envelopes, `DECODER_DELAY` frames late."""
        normal = self.decoder(torch.cat([latent, voiced], dim=2), state).unflatten(2, (SUBFRAMES, NUM_BANDS))
        envelope: Tensor = normal * self.deviation + self.mean
        return envelope
