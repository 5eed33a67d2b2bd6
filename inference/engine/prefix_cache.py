"""Primed system prompts, kept for the next caller of the same character and voice."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.models.kv_cache import KVPrefix


@dataclass(frozen=True, slots=True, eq=False)
class PrimedPrefix:
    vectors: Tensor
    """What was fed, [L, D]: a key alone is not believed."""

    kv: KVPrefix
    hidden: Tensor
    """The state [D] after the last position."""


class PrefixCache:
    """At most `max_entries`, the least recently used leaves first."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: OrderedDict[Hashable, PrimedPrefix] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def num_bytes(self) -> int:
        return sum(entry.kv.num_bytes for entry in self._entries.values())

    def find(self, key: Hashable, vectors: Tensor) -> PrimedPrefix | None:
        """The entry under this key, if it was made from these vectors."""
        entry = self._entries.get(key)
        if entry is None or not torch.equal(entry.vectors, vectors):
            return None
        self._entries.move_to_end(key)
        return entry

    def keep(self, key: Hashable, entry: PrimedPrefix) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)
