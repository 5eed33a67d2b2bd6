"""The convolution stacks of EnCodec and Mimi (SEANet): down by the ratios, up by them, residual blocks between."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from inference.checkpoints.tensors import TensorFolder
from inference.codec.convolution import Conv, Lstm, PadMode, TransposedConv, normed_weight
from inference.codec.state import StreamState


@dataclass(slots=True)
class Residual:
    """x + conv(elu(conv(elu(x)))), the shortcut possibly a convolution of its own."""

    narrow: Conv
    widen: Conv
    shortcut: Conv | None


Layer = Conv | TransposedConv | Lstm | Residual | None
"""None is an ELU."""


def run_whole(layers: list[Layer], x: Tensor) -> Tensor:
    """A whole signal through the layers, each with its own padding."""
    for layer in layers:
        if layer is None:
            x = F.elu(x)
        elif isinstance(layer, Residual):
            y = layer.widen.whole(F.elu(layer.narrow.whole(F.elu(x))))
            x = y + (x if layer.shortcut is None else layer.shortcut.whole(x))
        else:
            x = layer.whole(x)
    return x


def run_piece(layers: list[Layer], x: Tensor, state: StreamState, *, first: bool = False) -> Tensor:
    """The next piece of a causal signal; see `Conv.piece` for `first`."""
    for layer in layers:
        if layer is None:
            x = F.elu(x)
        elif isinstance(layer, Residual):
            y = layer.narrow.piece(F.elu(x), state, first=first)
            y = layer.widen.piece(F.elu(y), state, first=first)
            x = y + (x if layer.shortcut is None else layer.shortcut.piece(x, state, first=first))
        elif isinstance(layer, Conv):
            x = layer.piece(x, state, first=first)
        else:
            x = layer.piece(x, state)
    return x


class SeanetLoader:
    """Builds both stacks from a config in transformers' terms. Positions in the lists are those of stored
    `layers.N`.
    """

    def __init__(self, config: dict[str, Any], tensors: TensorFolder) -> None:
        self._config = config
        self._tensors = tensors
        self._causal = bool(config.get("use_causal_conv", True))
        self._pad_mode: PadMode = config.get("pad_mode", "reflect")
        self._ratios: list[int] = config["upsampling_ratios"]

    def encoder(self) -> list[Layer]:
        layers: list[Layer] = [self._conv("encoder.layers.0.")]
        for ratio in reversed(self._ratios):
            layers += self._residuals("encoder", len(layers))
            layers.append(None)
            layers.append(self._conv(f"encoder.layers.{len(layers)}.", stride=ratio))
        layers += self._lstm(f"encoder.layers.{len(layers)}.")
        layers.append(None)
        layers.append(self._conv(f"encoder.layers.{len(layers)}."))
        return layers

    def decoder(self) -> list[Layer]:
        layers: list[Layer] = [self._conv("decoder.layers.0.")]
        layers += self._lstm("decoder.layers.1.")
        for ratio in self._ratios:
            layers.append(None)
            layers.append(self._transposed(f"decoder.layers.{len(layers)}.", ratio))
            layers += self._residuals("decoder", len(layers))
        layers.append(None)
        layers.append(self._conv(f"decoder.layers.{len(layers)}."))
        return layers

    def _conv(self, prefix: str, stride: int = 1, dilation: int = 1) -> Conv:
        weight, bias = normed_weight(self._tensors, prefix + "conv."), self._tensors.take(prefix + "conv.bias")
        return Conv(prefix, weight, bias, stride, dilation, self._causal, self._pad_mode)

    def _transposed(self, prefix: str, ratio: int) -> TransposedConv:
        weight, bias = normed_weight(self._tensors, prefix + "conv."), self._tensors.take(prefix + "conv.bias")
        trim = float(self._config.get("trim_right_ratio", 1.0))
        return TransposedConv(prefix, weight, bias, ratio, self._causal, trim)

    def _residuals(self, side: str, at: int) -> list[Layer]:
        growth, count = int(self._config["dilation_growth_rate"]), int(self._config["num_residual_layers"])
        return [self._residual(f"{side}.layers.{at + j}.", growth**j) for j in range(count)]

    def _residual(self, prefix: str, dilation: int) -> Residual:
        return Residual(
            self._conv(prefix + "block.1.", dilation=dilation),
            self._conv(prefix + "block.3."),
            self._conv(prefix + "shortcut.") if self._config.get("use_conv_shortcut") else None,
        )

    def _lstm(self, prefix: str) -> list[Layer]:
        names = ("weight_ih_l{}", "weight_hh_l{}", "bias_ih_l{}", "bias_hh_l{}")
        count = int(self._config.get("num_lstm_layers", 0))
        layers = [[self._tensors.take(f"{prefix}lstm.{name.format(at)}") for name in names] for at in range(count)]
        return [Lstm(prefix, layers)] if layers else []
