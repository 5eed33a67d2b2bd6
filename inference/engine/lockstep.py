"""The device side of a tick: fixed tensors with a row per slot, callers differing only by masks.

Three programs: one position of the backbone, a text draw, one frame of the audio transformer, the last two once more
for draws without a top-k, which run only when a slot asks for one. On a GPU each is captured once as a CUDA graph; on a
CPU they run as they stand.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from inference.engine.graphs import captured
from inference.engine.sampler import Sampler
from inference.engine.text_head import TextHead
from inference.models.audio_transformer import FrameCache
from inference.models.kv_cache import KVCache
from inference.models.sampling import Sampling
from inference.models.voila import VoilaModel

_TEXT_LANE = 0
"""Codebook k draws in lane k + 1."""


class Lockstep:
    """Model, caches and the per-slot inputs and outputs of the programs."""

    def __init__(
        self,
        model: VoilaModel,
        head: TextHead,
        *,
        num_slots: int,
        num_positions: int,
        top_k_bound: int,
    ) -> None:
        self.model, self.head = model, head
        device, dtype = model.embeddings.device, model.embeddings.dtype
        self.cache: KVCache = model.backbone.new_cache(num_slots, num_positions)
        self._sampler = Sampler(num_slots, top_k_bound, device)
        self._frame_cache: FrameCache = model.audio_transformer.new_cache(num_slots)
        self._rows = torch.zeros((num_slots, model.num_columns), dtype=torch.long, device=device)
        self._fed = torch.zeros(num_slots, dtype=torch.bool, device=device)
        self._drawn = torch.zeros(num_slots, dtype=torch.bool, device=device)
        self._frames_allowed = torch.zeros(num_slots, dtype=torch.bool, device=device)
        self.hidden = torch.zeros((num_slots, model.config.hidden_size), dtype=dtype, device=device)
        ones = torch.ones(num_slots, device=device)
        self._divisors = {"text": ones.clone(), "audio": ones.clone()}
        self._top_ks = {"text": ones.long(), "audio": ones.long()}
        self._unlimited = {name: torch.zeros(num_slots, dtype=torch.bool) for name in ("text", "audio")}
        """On the host: the slots without a top-k."""

        self._programs: dict[object, Callable[[], Tensor]] = {}

    def open(self, slot: int, seed: int, text: Sampling, audio: Sampling, frames_allowed: bool) -> None:
        """A slot begins anew: nothing of who had it before is read again."""
        self.cache.lengths[:, slot] = 0
        self.hidden[slot] = 0
        self._sampler.seeds[slot] = seed
        self._sampler.counters[slot] = 0
        self._frames_allowed[slot] = frames_allowed
        for name, sampling in (("text", text), ("audio", audio)):
            self._divisors[name][slot] = sampling.temperature if sampling.temperature > 0 else 1.0
            self._top_ks[name][slot] = sampling.top_k
            self._unlimited[name][slot] = sampling.top_k == 0

    def feed(self, rows: Tensor, fed: Tensor, span: int) -> None:
        """One more position, ids [B, columns], for the slots where `fed` [B] is true; `span` holds all of theirs."""
        self._rows.copy_(rows)
        self._fed.copy_(fed)
        self._run(("feed", span), lambda: self._feed(span))

    def draw(self, drawn: Tensor) -> tuple[list[int], list[bool]]:
        """Token ids and the wish to speak, per slot; only where `drawn` [B] is true does it count."""
        self._drawn.copy_(drawn)
        unlimited = bool((drawn & self._unlimited["text"]).any())
        both = self._run(("draw", unlimited), lambda: self._draw(unlimited)).tolist()
        return both[0], [bool(wish) for wish in both[1]]

    def frames(self, wanted: Tensor) -> Tensor:
        """Codes [B, K] of a frame for every slot; only where `wanted` [B] is true do they count."""
        unlimited = bool((wanted & self._unlimited["audio"]).any())
        return self._run(("frames", unlimited), lambda: self._frames(unlimited))

    def _run(self, key: object, program: Callable[[], Tensor]) -> Tensor:
        if self.hidden.device.type != "cuda":
            return program()
        if key not in self._programs:
            self._programs[key] = captured(program, self._state())
        return self._programs[key]()

    def _state(self) -> list[Tensor]:
        """What a program changes besides its outputs."""
        return [self.cache.lengths, self.hidden, self._sampler.counters]

    def _feed(self, span: int) -> Tensor:
        stepped = self.model.step(self._rows, self.cache, self._fed, span)
        return self.hidden.copy_(torch.where(self._fed[:, None], stepped, self.hidden))

    def _draw(self, unlimited: bool) -> Tensor:
        logits = self.head.logits(self.hidden)
        column = logits[:, self.head.frame_index]
        column.masked_fill_(~self._frames_allowed, -torch.inf)
        divisors, top_ks = self._divisors["text"], self._top_ks["text"]
        drawn = self._sampler.draw(logits, divisors, top_ks, _TEXT_LANE, unlimited=unlimited)
        tokens = self.head.ids(drawn)
        # Counting before the frame's draws gives each step numbers of its own: they share the count, not the lane.
        self._sampler.counters += self._drawn
        if self.model.predictor is None:
            return torch.stack([tokens, torch.zeros_like(tokens)])
        return torch.stack([tokens, self.model.speaks(self.hidden).argmax(dim=-1)])

    def _frames(self, unlimited: bool) -> Tensor:
        divisors, top_ks = self._divisors["audio"], self._top_ks["audio"]
        return self.model.audio_transformer.generate(
            self.hidden,
            lambda codebook, logits: self._sampler.draw(logits, divisors, top_ks, codebook + 1, unlimited=unlimited),
            self._frame_cache,
        )
