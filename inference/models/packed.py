"""Weights laid out for the CPU's matrix kernels, in the precision that the machine moves fastest.

float32 and bfloat16 go through oneDNN with the weights reordered once, the operator that torch's own compiler calls;
int8 through FBGEMM's integer product, weights scaled per output row, inputs per row of the batch as they come.
Integer sums are exact, so a row's result depends on that row alone. A machine or build without them keeps plain
products.
"""

import warnings
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from inference.models.linear import Linear
from inference.models.voila import VoilaModel

Precision = Literal["float32", "bfloat16", "int8"]

_STEPS = 127.0
_SMALLEST = 1e-12


class PackedLinear:
    """`x @ weight.T` with the weight in oneDNN's own layout for batches of about `batch` rows."""

    def __init__(self, weight: Tensor, batch: int) -> None:
        self.num_rows = weight.shape[0]
        self.num_bytes = weight.numel() * weight.element_size()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), batch)

    def __call__(self, x: Tensor) -> Tensor:
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, None, "none", [], "")
        return product


class Int8Linear:
    """`x @ weight.T` of 8-bit numbers: x float32 [B, in], each row with a scale of its own.

    FBGEMM's dynamic product, twice as fast as oneDNN's where measured, scales all rows by the largest number among
    them, which would let callers move each other. So every row is brought to a largest number of 1 first, and one row
    more, holding 1 and -1, makes the common scale a constant.
    """

    def __init__(self, weight: Tensor) -> None:
        self.num_rows = weight.shape[0]
        self.num_bytes = weight.numel()
        scales = (weight.float().abs().amax(dim=1) / _STEPS).clamp_min(_SMALLEST)
        codes = (weight.float() / scales[:, None]).round().to(torch.int8)
        self._weight = _fbgemm_packed(codes, scales)
        self._ends = torch.zeros(1, weight.shape[1])
        self._ends[0, :2] = torch.tensor([1.0, -1.0])
        # Without the dot-product instructions two 8-bit products would overflow 16 bits.
        self._reduced_range = not torch.cpu._is_vnni_supported()

    def __call__(self, x: Tensor) -> Tensor:
        size = torch.linalg.vector_norm(x, float("inf"), dim=-1, keepdim=True).clamp_min_(_SMALLEST)
        rows = torch.cat([x / size, self._ends])
        product: Tensor = torch.ops.quantized.linear_dynamic(rows, self._weight, self._reduced_range)
        return product[:-1] * size


def _fbgemm_packed(codes: Tensor, scales: Tensor) -> Any:
    """The engine decides the layout when packing, and only then."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        zeros = torch.zeros(len(scales), dtype=torch.long)
        with warnings.catch_warnings():
            # torch means to drop this tensor type; packing is the only thing it is used for.
            warnings.simplefilter("ignore", UserWarning)
            quantised = torch._make_per_channel_quantized_tensor(codes, scales.double(), zeros, 0)
        return torch.ops.quantized.linear_prepack(quantised, None)
    finally:
        torch.backends.quantized.engine = before


def packed(linear: Any, precision: Precision, batch: int) -> Any:
    """The same product in another layout; as it was when this machine or build has none, or it has a bias."""
    if not isinstance(linear, Linear) or linear.bias is not None or linear.weight.device.type != "cpu":
        return linear
    try:
        if precision == "int8":
            return Int8Linear(linear.weight)
        return PackedLinear(linear.weight, batch)
    except (AttributeError, RuntimeError):
        return linear


def pack(model: VoilaModel, precision: Precision, batch: int) -> None:
    """Repacks, in place, what a frame streams through: backbone layers and audio transformer.

    int8 wants a float32 model; embeddings, norms, text head (see `TextHead`), speaker and predictor stay.
    """
    for holder, name in _products(model):
        setattr(holder, name, packed(getattr(holder, name), precision, batch))


def _products(model: VoilaModel) -> Iterator[tuple[Any, str]]:
    for layer in (*model.backbone.layers, *model.audio_transformer.layers):
        for name in ("qkv", "out", "gate_up", "down"):
            yield layer, name
    yield model.audio_transformer, "head"
    if model.audio_transformer.input_proj is not None:
        yield model.audio_transformer, "input_proj"
