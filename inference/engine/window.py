"""The sliding window of a slot: the prompt stays, the oldest conversation goes.

What is dropped: whole positions, the oldest after the prompt - up to the first beginning of a turn that frees enough,
or, where turns have no beginnings (duplex), a block. Later positions move down and their keys are turned back by as
much, as if the dropped ones had never stood there. What they took in from them stays in their keys and values.
"""

from inference.models.backbone import Backbone
from inference.models.kv_cache import KVCache


def positions_to_drop(prompt: int, length: int, block: int, turn_starts: list[int]) -> int:
    """How many positions after the prompt go: at least `block` where there are as many."""
    for start in turn_starts:
        if start - prompt >= block:
            return start - prompt
    return min(block, length - prompt)


def drop(backbone: Backbone, cache: KVCache, slot: int, prompt: int, length: int, dropped: int) -> None:
    """Takes positions [prompt, prompt + dropped) out of a slot that holds `length`."""
    kept = slice(prompt, length - dropped)
    moved = slice(prompt + dropped, length)
    for keys, values in zip(cache.keys, cache.values, strict=True):
        keys[slot, :, kept] = backbone.turn_keys(keys[slot, :, moved], dropped)
        values[slot, :, kept] = values[slot, :, moved].clone()
    cache.lengths[slot] = length - dropped
