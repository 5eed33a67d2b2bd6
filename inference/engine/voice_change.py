"""Another voice in the middle of a call: the system prompt is primed anew beside the conversation and then put in
its place.

The speaker embedding stands in the prompt alone (position 4), and a prompt has the same length in every voice. So
its keys and values are computed in a cache of their own, in chunks between ticks, and written over the old ones at
once. What was said stays in the context as it was; from the next position on, attention finds the new voice.
"""

from collections import deque
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inference.engine.plans import StreamPlan
from inference.engine.prefix_cache import PrefixCache, PrimedPrefix
from inference.engine.prompt_queue import PromptQueue
from inference.engine.stream import Stream
from inference.models.kv_cache import KVCache
from inference.models.voila import VoilaModel


@dataclass(slots=True)
class _Change:
    stream: Stream
    plan: StreamPlan
    vectors: Tensor
    chunks: deque[Tensor]
    done: int = 0


class VoiceChanges:
    """At most one change waits per stream; the newest wish counts."""

    def __init__(self, model: VoilaModel, prompts: PromptQueue, prefixes: PrefixCache, chunk: int) -> None:
        self._model, self._prompts, self._prefixes, self._chunk = model, prompts, prefixes, chunk
        self._scratch: KVCache | None = None
        self._waiting: dict[int, _Change] = {}

    def ask(self, stream: Stream, plan: StreamPlan, cache: KVCache) -> None:
        """Begins to change `stream` to `plan`, which differs in speaker and prefix key only."""
        vectors, _ = self._prompts.read(replace(plan, history=()), cache.num_positions)
        change = _Change(stream, plan, vectors, deque(vectors.split(self._chunk)))
        self._waiting.pop(stream.number, None)
        primed = self._prefixes.find(plan.prefix_key, vectors) if plan.prefix_key is not None else None
        if primed is not None and stream.prompt_length:
            self._put(change, primed, cache)
        else:
            self._waiting[stream.number] = change

    def forget(self, number: int) -> None:
        self._waiting.pop(number, None)

    def waits(self, number: int) -> bool:
        return number in self._waiting

    def advance(self, cache: KVCache, positions_left: int) -> None:
        """Primes up to so many positions; a stream still computing its first prompt waits for that."""
        for change in list(self._waiting.values()):
            if not change.stream.prompt_length:
                continue
            while change.chunks and positions_left > 0:
                positions_left -= len(change.chunks[0])
                self._prime(change, cache)
            if change.chunks:
                # One at a time: the scratch cache holds one prompt.
                return
            self._finish(change, cache)

    def _prime(self, change: _Change, cache: KVCache) -> None:
        if self._scratch is None:
            self._scratch = self._model.backbone.new_cache(1, cache.num_positions)
        chunk = change.chunks.popleft()
        self._model.prefill(chunk, self._scratch, 0, [change.done] * len(self._scratch.keys))
        change.done += len(chunk)

    def _finish(self, change: _Change, cache: KVCache) -> None:
        assert self._scratch is not None
        del self._waiting[change.stream.number]
        # The state after the prompt is of use only to a stream that begins with it: it is computed there.
        primed = PrimedPrefix(change.vectors, self._scratch.prefix(0, change.done), torch.empty(0))
        self._put(change, primed, cache)

    def _put(self, change: _Change, primed: PrimedPrefix, cache: KVCache) -> None:
        slot, length = change.stream.slot, primed.kv.length
        for layer, (keys, values) in enumerate(zip(primed.kv.keys, primed.kv.values, strict=True)):
            cache.keys[layer][slot, :, :length] = keys
            cache.values[layer][slot, :, :length] = values
        change.stream.plan = change.plan
