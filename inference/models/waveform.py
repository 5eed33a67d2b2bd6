"""The raw-audio front end of the audio-alpha checkpoints: wav2vec2-style convolutions and an adapter."""

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.checkpoints.tensors import TensorFolder

SAMPLE_RATE_HZ = 16_000
STRIDES = (5, 2, 2, 2, 2, 2, 2)
KERNELS = (10, 3, 3, 3, 3, 2, 2)
SAMPLES_PER_POSITION = 640
LEADING_SAMPLES = 80
"""Zeros before the track, so that L positions of 640 samples give exactly L vectors."""

_EXTRACTOR = "feature_extractor.conv_layers."
_ADAPTER = "audio_feature_extractor_adapter."
_NORM_EPS = 1e-5
_PIECE = 2048
"""Outputs of the first convolution that are looked at together for the levels."""


class WaveformFrontEnd:
    """A track [80 + 640 L] to vectors [L, D]. Its GroupNorm runs over the whole track: neither causal nor
    streamable. Given the levels of the track, the vectors of a stretch of positions need only its own samples.
    """

    def __init__(self, hidden_size: int, tensors: TensorFolder) -> None:
        channels = tensors.shape(f"{_EXTRACTOR}0.conv.weight")[0]
        inputs = (1, *[channels] * (len(KERNELS) - 1))
        self.convs = [
            tensors.take(f"{_EXTRACTOR}{i}.conv.weight", channels, inputs[i], kernel)
            for i, kernel in enumerate(KERNELS)
        ]
        self.group_norm = (
            tensors.take(f"{_EXTRACTOR}0.layer_norm.weight", channels),
            tensors.take(f"{_EXTRACTOR}0.layer_norm.bias", channels),
        )
        conv = _ADAPTER + "conv_layers."
        self.pooling = tensors.take(conv + "conv.weight", channels, channels, 2)
        self.pooling_norm = (
            tensors.take(conv + "layer_norm.weight", channels),
            tensors.take(conv + "layer_norm.bias", channels),
        )
        proj = _ADAPTER + "feat_proj."
        self.proj_norm = (
            tensors.take(proj + "layer_norm.weight", channels),
            tensors.take(proj + "layer_norm.bias", channels),
        )
        self.proj = (
            tensors.take(proj + "projection.weight", hidden_size, channels),
            tensors.take(proj + "projection.bias", hidden_size),
        )

    @staticmethod
    def in_checkpoint(tensors: TensorFolder) -> bool:
        return f"{_EXTRACTOR}0.conv.weight" in tensors

    def levels(self, track: Tensor) -> Tensor:
        """What the GroupNorm, one channel per group, takes from a track of 80 + 640 L samples: mean and inverse
        deviation [2, C] of the first convolution.
        """
        weight, stride, kernel = self.convs[0], STRIDES[0], KERNELS[0]
        count = (len(track) - kernel) // stride + 1
        sums = torch.zeros(2, len(weight), dtype=torch.float64, device=weight.device)
        for first in range(0, count, _PIECE):
            end = min(first + _PIECE, count)
            samples = track[first * stride : (end - 1) * stride + kernel]
            # Silence, which lies under all text, gives zeros: there is no bias.
            if samples.any():
                x = F.conv1d(samples.to(weight)[None, None], weight, stride=stride)[0].double()
                sums += torch.stack([x.sum(-1), x.square().sum(-1)])
        mean, square = sums / count
        return torch.stack([mean, (square - mean.square() + _NORM_EPS).rsqrt()]).float()

    def __call__(self, track: Tensor, levels: Tensor | None = None) -> Tensor:
        """Vectors [L, D] of 80 + 640 L samples: a whole track, or a piece of one whose `levels` are given."""
        mean, inverse_deviation = self.levels(track) if levels is None else levels
        x = track.to(self.convs[0])[None, None]
        for index, (weight, stride) in enumerate(zip(self.convs, STRIDES, strict=True)):
            x = F.conv1d(x, weight, stride=stride)
            if index == 0:
                scale, shift = (part.float()[:, None] for part in self.group_norm)
                x = ((x.float() - mean[:, None]) * inverse_deviation[:, None] * scale + shift).to(x.dtype)
            x = F.gelu(x)
        x = F.conv1d(x, self.pooling, stride=2).transpose(1, 2)
        x = F.gelu(F.layer_norm(x, x.shape[-1:], *self.pooling_norm, eps=_NORM_EPS))
        x = F.layer_norm(x, x.shape[-1:], *self.proj_norm, eps=_NORM_EPS)
        return F.linear(x, *self.proj)[0]


def waveform_track(segments: list[Tensor | None], lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Track [80 + 640 L] and mask [L] of a prompt's segments: audio at audio positions, zeros under text.

    `lengths` are the positions of each segment; audio beyond whole positions is trimmed.
    """
    pieces, mask = [torch.zeros(LEADING_SAMPLES)], []
    for audio, length in zip(segments, lengths, strict=True):
        num_samples = length * SAMPLES_PER_POSITION
        pieces.append(torch.zeros(num_samples) if audio is None else audio[:num_samples].float())
        mask.append(torch.full((length,), float(audio is not None)))
    return torch.cat(pieces), torch.cat(mask)
