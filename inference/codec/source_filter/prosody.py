"""The codebook of F0 and voicing: each entry says, for the four subframes of a frame, which are voiced and how high.

A frame's pattern of voicing is kept exactly; within a pattern the nearest entry in log F0 is taken. So voicing and
pitch can be read from a code, and overridden, without any network.
"""

import torch
from torch import Tensor

from inference.codec.source_filter.grid import SUBFRAMES


class ProsodyBook:
    """`table` [entries, 4]: F0 in Hz, 0 where unvoiced. Every pattern of voicing has at least one entry."""

    def __init__(self, table: Tensor) -> None:
        """Raises `ValueError` for a table that lacks a pattern."""
        self.table = table
        self._powers = 2 ** torch.arange(SUBFRAMES, device=table.device)
        patterns = self._patterns(table)
        if len(patterns.unique()) != 2**SUBFRAMES:
            raise ValueError(f"the prosody codebook must hold all {2**SUBFRAMES} patterns of voicing")
        self._entry_patterns = patterns
        self._log = torch.where(table > 0, table.clamp(min=1.0).log2(), 0.0)

    def encode(self, f0_hz: Tensor) -> Tensor:
        """Codes [...] of F0 [..., 4], 0 where unvoiced."""
        flat = f0_hz.reshape(-1, SUBFRAMES)
        log = torch.where(flat > 0, flat.clamp(min=1.0).log2(), 0.0)
        distance = torch.cdist(log, self._log)
        distance = distance.masked_fill(self._patterns(flat)[:, None] != self._entry_patterns[None], torch.inf)
        return distance.argmin(dim=1).reshape(f0_hz.shape[:-1])

    def decode(self, codes: Tensor) -> Tensor:
        """F0 [..., 4] of codes [...]."""
        return self.table[codes]

    def _patterns(self, f0_hz: Tensor) -> Tensor:
        return ((f0_hz > 0) * self._powers).sum(dim=-1)
