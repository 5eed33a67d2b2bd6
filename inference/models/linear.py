"""Matrix products with weights as they are stored."""

import torch
from torch import Tensor
from torch.nn import functional as F


class Linear:
    """`x @ weight.T (+ bias)`; x [..., in], weight [out, in]."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        self.weight = weight
        self.bias = bias

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    @property
    def num_rows(self) -> int:
        return self.weight.shape[0]

    def rows(self, first: int, end: int) -> "Linear":
        """The same product for some of the outputs; the weights are shared."""
        return Linear(self.weight[first:end], None if self.bias is None else self.bias[first:end])

    @property
    def num_bytes(self) -> int:
        """What one product must read of weights."""
        return self.weight.numel() * self.weight.element_size()


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """RMSNorm in float32, cast back before the weight, as Llama does."""
    wide = x.float()
    # One pass over x instead of a square and a mean: half the time on a CPU.
    length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
    normed = wide * torch.rsqrt(length.square_().div_(x.shape[-1]).add_(eps))
    return weight * normed.to(x.dtype)
