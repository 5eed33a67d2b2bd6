"""Residual vector quantisation: each codebook encodes what the ones before it left over."""

import torch
from torch import Tensor
from torch.nn import functional as F


class ResidualQuantizer:
    """Codebooks [K] of [V, D]."""

    def __init__(self, codebooks: list[Tensor]) -> None:
        self.codebooks = codebooks
        self._square_norms = [book.pow(2).sum(1) for book in codebooks]

    def encode(self, latents: Tensor) -> Tensor:
        """Latents [B, D, T] to codes [B, K, T]: the nearest entry, level after level."""
        residual = latents.transpose(1, 2)
        codes = []
        for book, square_norm in zip(self.codebooks, self._square_norms, strict=True):
            # The squared norm of the residual is the same for all entries and left out.
            chosen = (2 * residual @ book.T - square_norm).argmax(dim=-1)
            residual = residual - F.embedding(chosen, book)
            codes.append(chosen)
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, K, T] to latents [B, D, T]."""
        vectors = [F.embedding(codes[:, level], book) for level, book in enumerate(self.codebooks)]
        return torch.stack(vectors).sum(0).transpose(1, 2)
