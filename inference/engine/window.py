"""The sliding window of a slot: the prompt stays, the oldest conversation goes.

What is dropped: whole positions, the oldest after the prompt - up to the first beginning of a turn that frees enough,
or, where turns have no beginnings (duplex), a block. Later positions move down and their keys are turned back by as
much, as if the dropped ones had never stood there. What they took in from them stays in their keys and values.

Moving a slot's whole cache would make one tick late. A window begins to move before it is full and moves layer by
layer, so many layers by so many positions fed: which layer moves when is a matter of the slot's own length.
"""

from inference.engine.stream import Stream
from inference.models.backbone import Backbone
from inference.models.kv_cache import KVCache


class SlidingWindow:
    """Moves the windows of all slots of one cache."""

    def __init__(self, backbone: Backbone, cache: KVCache, block: int) -> None:
        self._backbone, self._cache, self._block = backbone, cache, block
        self.moving_positions = max(block // 4, 1)
        """Fed while a window moves; then it is full."""

    def make_room(self, stream: Stream, positions: int) -> None:
        """Before so many positions are fed. Depends on the stream alone: nobody's window moves for somebody else."""
        num_layers = len(self._cache.keys)
        while (due := self._layers_due(stream.length + positions)) > stream.moved_layers:
            if stream.dropping == 0:
                prompt, starts = stream.prompt_length, stream.turn_starts
                stream.dropping = positions_to_drop(prompt, stream.length, self._block, starts)
            for layer in range(stream.moved_layers, due):
                self._drop(stream, layer)
            stream.moved_layers = due
            if due == num_layers:
                stream.shortened(stream.dropping)
                stream.dropping = stream.moved_layers = 0

    def starts(self, stream: Stream) -> list[int]:
        """How many positions each layer holds."""
        unmoved = len(self._cache.keys) - stream.moved_layers
        return [stream.length - stream.dropping] * stream.moved_layers + [stream.length] * unmoved

    def _layers_due(self, length: int) -> int:
        """How many layers have moved when a slot holds so many positions."""
        num_layers = len(self._cache.keys)
        over = length - (self._cache.num_positions - self.moving_positions)
        return min(max(-(-over * num_layers // self.moving_positions), 0), num_layers)

    def _drop(self, stream: Stream, layer: int) -> None:
        prompt, length, dropped = stream.prompt_length, stream.length, stream.dropping
        drop(self._backbone, self._cache, stream.slot, layer, prompt=prompt, length=length, dropped=dropped)


def positions_to_drop(prompt: int, length: int, block: int, turn_starts: list[int]) -> int:
    """How many positions after the prompt go: at least `block` where there are as many."""
    for start in turn_starts:
        if start - prompt >= block:
            return start - prompt
    return min(block, length - prompt)


def drop(backbone: Backbone, cache: KVCache, slot: int, layer: int, *, prompt: int, length: int, dropped: int) -> None:
    """Takes positions [prompt, prompt + dropped) out of a layer that holds `length` of a slot."""
    kept = slice(prompt, length - dropped)
    moved = slice(prompt + dropped, length)
    keys, values = cache.keys[layer][slot], cache.values[layer][slot]
    keys[:, kept] = backbone.turn_keys(keys[:, moved], dropped)
    values[:, kept] = values[:, moved].clone()
    cache.lengths[layer, slot] = length - dropped
