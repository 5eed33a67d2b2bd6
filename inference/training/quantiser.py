"""Learning residual codebooks: moving averages of what each entry stands for (van den Oord et al., arXiv 1711.00937,
appendix), entries nobody uses begin anew at a vector of the batch."""

import torch
from torch import Tensor, nn

_DECAY = 0.98
_DEAD_BELOW = 0.3
"""Uses per batch, averaged, under which an entry is given away."""


class ResidualLearner(nn.Module):
    """Codebooks [Q, entries, D], each for what the ones before leave."""

    def __init__(self, books: int, entries: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("codebooks", torch.zeros(books, entries, dim))
        self.register_buffer("uses", torch.zeros(books, entries))
        self.register_buffer("sums", torch.zeros(books, entries, dim))
        self.codebooks: Tensor
        self.uses: Tensor
        self.sums: Tensor

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        """First entries from data [N, D]; N at least the entries."""
        left = latents
        for book in range(len(self.codebooks)):
            chosen = left[torch.randperm(len(left))[: self.codebooks.shape[1]]]
            self.codebooks[book] = chosen + 1e-3 * torch.randn_like(chosen)
            self.uses[book].fill_(1.0)
            self.sums[book].copy_(self.codebooks[book])
            left = left - self.codebooks[book][self.nearest(left, book)]

    def nearest(self, vectors: Tensor, book: int) -> Tensor:
        """Codes [N] of vectors [N, D]."""
        entries = self.codebooks[book]
        return (entries.square().sum(dim=1) - 2 * vectors @ entries.T).argmin(dim=1)

    def forward(self, latents: Tensor, books_used: int) -> tuple[Tensor, Tensor, Tensor]:
        """Quantised [N, D] with straight-through gradient, the first book's part alone [N, D], commitment loss."""
        left, total, first = latents.detach(), torch.zeros_like(latents), torch.zeros_like(latents)
        for book in range(books_used):
            codes = self.nearest(left, book)
            entry = self.codebooks[book][codes]
            if self.training:
                self._learn(book, left, codes)
            total = total + entry
            first = entry if book == 0 else first
            left = left - entry
        commitment = (latents - total).square().mean()
        straight = latents + (total - latents).detach()
        return straight, latents + (first - latents).detach(), commitment

    @torch.no_grad()
    def _learn(self, book: int, vectors: Tensor, codes: Tensor) -> None:
        entries = self.codebooks.shape[1]
        counted = torch.bincount(codes, minlength=entries).to(vectors.dtype)
        added = torch.zeros_like(self.codebooks[book]).index_add_(0, codes, vectors)
        self.uses[book].mul_(_DECAY).add_(counted, alpha=1 - _DECAY)
        self.sums[book].mul_(_DECAY).add_(added, alpha=1 - _DECAY)
        dead = self.uses[book] < _DEAD_BELOW * (1 - _DECAY)
        if dead.any():
            replacement = vectors[torch.randint(len(vectors), (int(dead.sum()),))]
            self.uses[book][dead], self.sums[book][dead] = 1.0 - _DECAY, replacement * (1.0 - _DECAY)
        self.codebooks[book] = self.sums[book] / self.uses[book].clamp(min=1e-5)[:, None]
