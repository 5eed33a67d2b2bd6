"""What a streaming network remembers between frames: tensors with a row per slot, reset and frozen by mask."""

import torch
from torch import Tensor


class StreamState:
    """Named tensors [B, ...], zero at the start. Layers ask for theirs by a key that is theirs alone."""

    def __init__(self, num_slots: int, device: torch.device | str = "cpu") -> None:
        self.num_slots = num_slots
        self.device = device
        self._tensors: dict[str, Tensor] = {}
        self._frozen: Tensor | None = None

    def get(self, key: str, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """The tensor [B, *shape] under this key, made on first use."""
        if key not in self._tensors:
            self._tensors[key] = torch.zeros((self.num_slots, *shape), dtype=dtype, device=self.device)
        return self._tensors[key]

    def put(self, key: str, value: Tensor) -> None:
        """In place, so that nothing is allocated per frame; frozen slots keep what they had."""
        old = self._tensors[key]
        if self._frozen is None:
            old.copy_(value)
            return
        shape = (-1, *(1,) * (value.dim() - 1))
        torch.where(self._frozen.view(shape), old, value, out=old)

    def freeze(self, active: Tensor | None) -> None:
        """Until the next call only slots where `active` [B] is true are written; None writes all."""
        self._frozen = None if active is None else ~active

    def reset(self, mask: Tensor) -> None:
        """Rows where `mask` [B] is true become zero."""
        for tensor in self._tensors.values():
            tensor.masked_fill_(mask.view(-1, *(1,) * (tensor.dim() - 1)), 0)

    @property
    def num_bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in self._tensors.values())
