"""Matrix products with weights in the precision that the machine moves fastest."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Precision = Literal["float32", "bfloat16", "int8"]


class Linear:
    """`x @ weight.T (+ bias)`; x [..., in], weight [out, in]."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self.weight = weight
        self.bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    @property
    def num_bytes(self) -> int:
        """What one product must read of weights."""
        return self.weight.numel() * self.weight.element_size()


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """RMSNorm in float32, cast back before the weight, as Llama does."""
    wide = x.float()
    normed = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return weight * normed.to(x.dtype)
