"""Generation for one caller, position by position: the plain form of what the step engine does for many.

Text and control tokens cost a position and no time; a frame costs 40 ms. The text token is drawn first and the audio
transformer runs only for frames (the reference runs it at every step; for greedy draws the results are the same).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from inference.models.kv_cache import KVCache
from inference.models.prompts import text_rows
from inference.models.sampling import AUDIO_SAMPLING, TEXT_SAMPLING, Sampling, draw
from inference.models.tokenizer import VoilaTokenizer
from inference.models.voila import VoilaModel

StopReason = Literal["eos", "max_new_tokens", "user_stream_end", ""]


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    max_new_tokens: int = 512
    """Positions, text and frames counted alike."""

    text: Sampling = TEXT_SAMPLING
    audio: Sampling = AUDIO_SAMPLING


@dataclass(frozen=True, slots=True)
class Step:
    """One new position."""

    kind: Literal["text", "frame", "marker", "eos"]
    row: Tensor
    """Ids [columns] as they entered the context."""

    hidden: Tensor
    """The state [D] that produced it."""

    text_logits: Tensor
    codes: Tensor | None = None
    """[K] of the model's own channel, for a frame."""


@dataclass(slots=True)
class Chooser:
    """Draws tokens and codes for one caller with a generator of its own."""

    model: VoilaModel
    tokenizer: VoilaTokenizer
    settings: GenerationSettings = field(default_factory=GenerationSettings)
    generator: torch.Generator | None = None

    def token(self, hidden: Tensor) -> tuple[int, Tensor]:
        """A token id that is no audio id, and the logits [V] it was drawn from.

        The head could name a raw audio id as text; the reference would then read it as a frame of four equal codes.
        """
        logits = self.model.text_logits(hidden)
        allowed = logits.clone()
        allowed[self.tokenizer.audio_first_id : self.tokenizer.audio_end_id] = -torch.inf
        return int(draw(allowed, self.settings.text, self.generator)), logits

    def codes(self, hidden: Tensor) -> Tensor:
        """The codes [K] of one frame."""
        return self.model.audio_transformer.generate(
            hidden[None], lambda _codebook, logits: draw(logits, self.settings.audio, self.generator)
        )[0]

    def frame_row(self, codes: Tensor) -> Tensor:
        """Ids [K] of the codes [K]."""
        offsets = torch.arange(len(codes), device=codes.device) * self.tokenizer.codebook_size
        return codes + offsets + self.tokenizer.audio_first_id


def generate_turn(chooser: Chooser, prompt: Tensor, cache: KVCache, slot: int = 0) -> Iterator[Step]:
    """The assistant's turn after a prompt of vectors [L, D], until eos or `max_new_tokens`."""
    model, tokenizer = chooser.model, chooser.tokenizer
    hidden = model.prefill(prompt, cache, slot)[-1]
    for _ in range(chooser.settings.max_new_tokens):
        token, logits = chooser.token(hidden)
        if token == tokenizer.control["<au_token>"]:
            codes = chooser.codes(hidden)
            step = Step("frame", chooser.frame_row(codes), hidden, logits, codes)
        else:
            kind: Literal["eos", "text"] = "eos" if token == tokenizer.eos_id else "text"
            step = Step(kind, text_rows([token], tokenizer)[0], hidden, logits)
        yield step
        if step.kind == "eos":
            return
        hidden = model.prefill(model.embed(step.row[None].to(hidden.device)), cache, slot)[-1]


@dataclass(slots=True)
class DuplexState:
    """What the speak/listen head and eos decide."""

    speaking: bool = False

    def decide(self, token: int, wants_to_speak: bool, tokenizer: VoilaTokenizer) -> int:
        """The token that really enters: the assistant's marker when the model begins to speak."""
        if wants_to_speak and not self.speaking:
            self.speaking = True
            return tokenizer.control["<|VOILA|>"]
        if token == tokenizer.eos_id:
            self.speaking = False
        return token


def generate_duplex(
    chooser: Chooser, prompt: Tensor, user_codes: Iterator[Tensor], cache: KVCache, slot: int = 0
) -> Iterator[Step]:
    """Two channels: for every frame of the user (codes [K]) one of the model, text in between.

    Ends when the user's frames do, or after `max_new_tokens` positions; eos only ends speaking.
    """
    model, tokenizer = chooser.model, chooser.tokenizer
    state = DuplexState()
    hidden = model.prefill(prompt, cache, slot)[-1]
    for _ in range(chooser.settings.max_new_tokens):
        token, logits = chooser.token(hidden)
        token = state.decide(token, bool(model.speaks(hidden).argmax() == 1), tokenizer)
        if token == tokenizer.control["<au_token>"]:
            user = next(user_codes, None)
            if user is None:
                return
            codes = chooser.codes(hidden)
            row = torch.cat([chooser.frame_row(user.to(codes)), chooser.frame_row(codes)])
            step = Step("frame", row, hidden, logits, codes)
        else:
            row = text_rows([token], tokenizer)[0].repeat(2)
            step = Step(_kind(token, tokenizer), row, hidden, logits)
        yield step
        hidden = model.prefill(model.embed(step.row[None].to(hidden.device)), cache, slot)[-1]


def _kind(token: int, tokenizer: VoilaTokenizer) -> Literal["text", "marker", "eos"]:
    if token == tokenizer.eos_id:
        return "eos"
    return "marker" if token == tokenizer.control["<|VOILA|>"] else "text"
