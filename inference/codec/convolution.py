"""Convolutions that give in pieces what they give for the whole: each carries the samples its kernel looks back on.

Padding follows EnCodec: `causal` pads on the left only, otherwise both sides share it and the layer looks ahead.
"""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.checkpoints.tensors import TensorFolder
from inference.codec.state import StreamState
from inference.errors import InvalidSpec

PadMode = Literal["reflect", "constant", "replicate"]


def pad(x: Tensor, left: int, right: int, mode: PadMode) -> Tensor:
    """Pads the last axis; a reflection longer than the signal is completed with zeros first, as EnCodec does."""
    if mode != "reflect":
        return F.pad(x, (left, right), mode)
    missing = max(0, max(left, right) - x.shape[-1] + 1)
    padded = F.pad(F.pad(x, (0, missing)), (left, right), mode)
    return padded[..., : padded.shape[-1] - missing]


def normed_weight(tensors: TensorFolder, prefix: str) -> Tensor:
    """A weight-normed kernel, from either way of storing it, or a plain one."""
    for scale, direction in (("parametrizations.weight.original0", "parametrizations.weight.original1"),
                             ("weight_g", "weight_v")):  # fmt: skip
        if prefix + scale in tensors:
            g, v = tensors.take(prefix + scale), tensors.take(prefix + direction)
            return v * (g / v.flatten(1).norm(dim=1).view(-1, *(1,) * (v.dim() - 1)))
    return tensors.take(prefix + "weight")


@dataclass(slots=True)
class Conv:
    """A convolution [out, in, kernel]; `key` names its state."""

    key: str
    weight: Tensor
    bias: Tensor | None
    stride: int = 1
    dilation: int = 1
    causal: bool = True
    pad_mode: PadMode = "constant"
    groups: int = 1

    @property
    def padding(self) -> int:
        """Samples of the input that a whole output needs beyond its own."""
        return (self.weight.shape[-1] - 1) * self.dilation + 1 - self.stride

    @property
    def look_ahead(self) -> int:
        return 0 if self.causal else self.padding // 2

    def whole(self, x: Tensor) -> Tensor:
        """A whole signal [B, C, S]: what pieces must add up to."""
        extra = -x.shape[-1] % self.stride
        x = pad(x, self.padding - self.look_ahead, self.look_ahead + extra, self.pad_mode)
        return self._convolve(x)

    def piece(self, x: Tensor, state: StreamState, *, first: bool = False) -> Tensor:
        """The next piece [B, C, S] of a causal signal, S a multiple of the stride.

        `first` begins with the whole signal's own padding; without it a signal begins after zeros (replicated padding
        needs no foresight and is always exact). A reflected beginning needs more samples than it reflects: raises
        `InvalidSpec`.
        """
        if self.padding == 0:
            return self._convolve(x)
        context = state.get(self.key, x.shape[1], self.padding)
        if self.pad_mode == "replicate":
            begun = state.get(self.key + "begun", 1, 1)
            context = torch.where(begun > 0, context, x[..., :1])
            state.put(self.key + "begun", torch.ones_like(begun))
        elif first and self.pad_mode == "reflect":
            if x.shape[-1] <= self.padding:
                raise InvalidSpec(f"the first piece of {self.key} needs more than {self.padding} positions to reflect")
            context = pad(x, self.padding, 0, self.pad_mode)[..., : self.padding]
        joined = torch.cat([context, x], dim=-1)
        state.put(self.key, joined[..., -self.padding :])
        return self._convolve(joined)

    def _convolve(self, x: Tensor) -> Tensor:
        return F.conv1d(x, self.weight, self.bias, self.stride, dilation=self.dilation, groups=self.groups)


@dataclass(slots=True)
class TransposedConv:
    """An upsampling convolution [in, out, kernel]; each piece overlaps the next by kernel - stride samples."""

    key: str
    weight: Tensor
    bias: Tensor | None
    stride: int
    causal: bool = True
    trim_right_ratio: float = 1.0
    groups: int = 1
    _overlap: int = field(init=False)

    def __post_init__(self) -> None:
        self._overlap = self.weight.shape[-1] - self.stride

    @property
    def trim_right(self) -> int:
        if not self.causal:
            return self._overlap // 2
        return -int(-self._overlap * self.trim_right_ratio // 1)

    def whole(self, x: Tensor) -> Tensor:
        y = F.conv_transpose1d(x, self.weight, self.bias, self.stride, groups=self.groups)
        return y[..., self._overlap - self.trim_right : y.shape[-1] - self.trim_right]

    def piece(self, x: Tensor, state: StreamState) -> Tensor:
        """The next piece; everything trimmed is on the right, so output keeps step with input."""
        y = F.conv_transpose1d(x, self.weight, None, self.stride, groups=self.groups)
        if self._overlap:
            tail = state.get(self.key, y.shape[1], self._overlap)
            y[..., : self._overlap] += tail
            state.put(self.key, y[..., -self._overlap :])
            y = y[..., : -self._overlap]
        return y if self.bias is None else y + self.bias[:, None]


@dataclass(slots=True)
class Lstm:
    """A residual LSTM over [B, C, T], as in EnCodec: unidirectional, so its state is carried, never recomputed."""

    key: str
    layers: list[list[Tensor]]
    """Per layer weight_ih, weight_hh, bias_ih, bias_hh."""

    def whole(self, x: Tensor) -> Tensor:
        return self.piece(x, StreamState(x.shape[0], x.device))

    def piece(self, x: Tensor, state: StreamState, only: Tensor | None = None) -> Tensor:
        """The next piece; where `only` [B] is false the state stays as it was."""
        width = x.shape[1]
        h = state.get(self.key + ".h", len(self.layers), width)
        c = state.get(self.key + ".c", len(self.layers), width)
        weights = [weight for layer in self.layers for weight in layer]
        y, h_next, c_next = torch.lstm(
            x.permute(2, 0, 1).contiguous(),
            (h.transpose(0, 1).contiguous(), c.transpose(0, 1).contiguous()),
            weights,
            True,
            len(self.layers),
            0.0,
            False,
            False,
            False,
        )
        for key, old, new in ((".h", h, h_next), (".c", c, c_next)):
            new = new.transpose(0, 1)
            state.put(self.key + key, new if only is None else torch.where(only.view(-1, 1, 1), new, old))
        return y.permute(1, 2, 0) + x
