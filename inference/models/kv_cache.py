"""Keys and values of every slot, allocated once."""

import torch
from torch import Tensor


class KVCache:
    """Static per-layer caches: keys and values are lists of [B, H, S + 1, D], `lengths` [layers, B] the filled
    positions.

    Slots differ only by their lengths: what lies beyond them is never read. The layers of a slot have one length, but
    while a sliding window moves. The last position takes what slots write that do not take part in a step.
    """

    def __init__(
        self,
        *,
        num_layers: int,
        num_slots: int,
        num_heads: int,
        num_positions: int,
        head_dim: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        shape = (num_slots, num_heads, num_positions + 1, head_dim)
        self.keys = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(num_layers)]
        self.values = [torch.zeros(shape, dtype=dtype, device=device) for _ in range(num_layers)]
        self.lengths = torch.zeros((num_layers, num_slots), dtype=torch.long, device=device)
        heads = torch.arange(num_slots * num_heads, device=device)
        self._first_rows = (heads * (num_positions + 1)).view(num_slots, num_heads)

    @property
    def num_slots(self) -> int:
        return self.lengths.shape[1]

    @property
    def num_positions(self) -> int:
        return self.keys[0].shape[2] - 1

    @property
    def num_bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in (*self.keys, *self.values))

    def next_rows(self, active: Tensor) -> Tensor:
        """Where one more position of every slot goes, per layer, as rows of `write`; slots not `active` [B] get the
        last.
        """
        at = torch.where(active, self.lengths, self.num_positions).clamp(max=self.num_positions)
        return (self._first_rows + at[:, :, None]).flatten(1)

    def write(self, layer: int, rows: Tensor, keys: Tensor, values: Tensor) -> None:
        """One position [B, H, D] of every slot, at that layer's `next_rows`."""
        dim = keys.shape[-1]
        self.keys[layer].view(-1, dim).index_copy_(0, rows, keys.reshape(-1, dim))
        self.values[layer].view(-1, dim).index_copy_(0, rows, values.reshape(-1, dim))

    def reset(self, mask: Tensor) -> None:
        """Forget the slots where `mask` [B] is true. Their numbers stay and are never read."""
        self.lengths.masked_fill_(mask, 0)

    def copy_prefix(self, slot: int, prefix: "KVPrefix") -> None:
        """Put a primed prefix at the start of a slot."""
        for layer, (keys, values) in enumerate(zip(prefix.keys, prefix.values, strict=True)):
            self.keys[layer][slot, :, : prefix.length] = keys
            self.values[layer][slot, :, : prefix.length] = values
        self.lengths[:, slot] = prefix.length

    def prefix(self, slot: int, length: int) -> "KVPrefix":
        """A copy of the first `length` positions of a slot."""
        return KVPrefix(
            [keys[slot, :, :length].clone() for keys in self.keys],
            [values[slot, :, :length].clone() for values in self.values],
            length,
        )


class KVPrefix:
    """What a prompt left in the cache: tensors [H, length, D] per layer, reusable by any slot."""

    def __init__(self, keys: list[Tensor], values: list[Tensor], length: int) -> None:
        self.keys, self.values, self.length = keys, values, length

    @property
    def num_bytes(self) -> int:
        return sum(tensor.numel() * tensor.element_size() for tensor in (*self.keys, *self.values))
