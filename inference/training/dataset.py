"""Sentences as the model is trained on them: each time another speaker, another style, coded on the spot."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inference.codec.source_filter.codec import SourceFilterCodec
from inference.codec.source_filter.grid import NUM_BANDS, SUBFRAMES
from inference.models.prompts import Task, audio_rows, head_rows, text_rows
from inference.models.tokenizer import VoilaTokenizer
from inference.pronunciation.items import pieces
from inference.training.corpus import Utterance
from inference.training.phone_tokens import items_of
from inference.training.speaker_pool import SpeakerPool
from inference.training.variation import FLOOR, said_by
from inference.training.voices import random_style

LEADING_FRAMES, TRAILING_FRAMES = 1, 3
"""Of the silence around a sentence, what stays."""

EMBEDDING_NOISE = 0.03
"""Standard deviation per number: nobody's embedding is met exactly."""

TEXT, FRAME, END = 0, 1, 2
"""What comes next at a position, as the text head is taught it."""

IGNORED = -100


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One sentence, L positions."""

    rows: Tensor
    """[L, K]: ids that enter."""

    following: Tensor
    """[L]: TEXT, FRAME or END; IGNORED within the prompt."""

    codes: Tensor
    """[L, K]: the frame due after a position, where `following` is FRAME."""

    speaker: Tensor
    """[256]"""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Examples padded on the right: B sentences, L positions."""

    rows: Tensor
    following: Tensor
    codes: Tensor
    speakers: Tensor


def frames_per_item(utterance: Utterance) -> tuple[list[str], list[int], int, int]:
    """Items, frames of each, and the first and one past the last frame of the recording they cover."""
    items = items_of(utterance.phones, utterance.text)
    names, ends = list(utterance.phones), utterance.ends.astype(np.int64)
    total = len(utterance.f0_hz) // SUBFRAMES
    leading = names[0] == "pau"
    start = int(ends[0]) // SUBFRAMES - LEADING_FRAMES if leading else 0
    start = max(0, start)
    stop = total
    if names[-1] == "pau" and len(names) > 1:
        stop = min(total, -(-int(ends[-2]) // SUBFRAMES) + TRAILING_FRAMES)
    middles = np.arange(start, stop) * SUBFRAMES + SUBFRAMES // 2
    which = np.minimum(np.searchsorted(ends, middles, side="right"), len(names) - 1)
    counts = np.bincount(which, minlength=len(names)).tolist()
    if leading:
        # The silence before the first phone is the beginning's own.
        return [items[0], *items[2:]], counts, start, stop
    return items, [0, *counts], start, stop


def interleave(items: Sequence[str], counts: Sequence[int]) -> list[str | int]:
    """Pieces and frame numbers in the order in which they enter the model."""
    order: list[str | int] = []
    frame = 0
    for piece, count in zip(pieces(items), counts, strict=True):
        order.append(piece)
        order.extend(range(frame, frame + count))
        frame += count
    return order


class Examples:
    """Draws training examples."""

    def __init__(
        self, codec: SourceFilterCodec, tokenizer: VoilaTokenizer, speakers: SpeakerPool, draw: random.Random
    ) -> None:
        self._codec, self._tokenizer, self._speakers, self._draw = codec, tokenizer, speakers, draw
        self._rows: dict[str, Tensor] = {}
        """Of the pieces met so far: at most one per pair of phones."""

    def random(self, teacher: str, utterance: Utterance) -> Example:
        """The sentence by a random speaker of the teacher's, in a random style."""
        style, manner = random_style(self._draw)
        speaker = self._speakers.draw(teacher, self._draw)
        embedding = self._speakers.embedding(speaker)
        jitter = torch.randn_like(embedding) * EMBEDDING_NOISE
        return self.example(said_by(utterance, speaker, manner), embedding + jitter, style)

    @torch.inference_mode()
    def example(self, said: Utterance, speaker: Tensor, style: str) -> Example:
        """What the model is taught of a sentence said as it is; `speaker` [256], `style` one of the model's."""
        items, counts, start, stop = frames_per_item(said)
        codes = self.codes(said)[start:stop]
        prompt = head_rows(Task.AUDIO_CHAT, style, self._tokenizer)
        marker = text_rows([self._tokenizer.control["<|VOILA|>"]], self._tokenizer)
        rows: list[Tensor] = [prompt, marker]
        following, due = [IGNORED] * len(prompt), [0] * len(prompt)
        frames = audio_rows(codes.T, self._tokenizer)
        for entry in interleave(items, counts):
            if isinstance(entry, int):
                rows.append(frames[entry][None])
                following.append(FRAME)
                due.append(entry)
                continue
            piece = self._text(entry)
            rows.append(piece)
            # Within a piece nothing is asked: its second token is forced whatever is drawn.
            following.extend([TEXT, *[IGNORED] * (len(piece) - 1)])
            due.extend([0] * len(piece))
        following.append(END)
        due.append(0)
        return Example(torch.cat(rows), torch.tensor(following), codes[torch.tensor(due)], speaker)

    def codes(self, said: Utterance) -> Tensor:
        """[T, K] of a whole recording."""
        total = len(said.f0_hz) // SUBFRAMES * SUBFRAMES
        envelope = torch.from_numpy(np.maximum(said.envelope[:total].astype(np.float32), FLOOR))
        f0 = torch.from_numpy(said.f0_hz[:total].astype(np.float32))
        return self._codec.encode_features(envelope.view(1, -1, SUBFRAMES, NUM_BANDS), f0.view(1, -1, SUBFRAMES))[0].T

    def _text(self, piece: str) -> Tensor:
        if piece not in self._rows:
            self._rows[piece] = text_rows(self._tokenizer.encode(piece), self._tokenizer)
        return self._rows[piece]


def batch_of(examples: Sequence[Example], pad_id: int) -> Batch:
    """Padded to the longest."""
    length = max(len(example.rows) for example in examples)
    count, books = len(examples), examples[0].rows.shape[1]
    rows = torch.full((count, length, books), pad_id)
    following = torch.full((count, length), IGNORED)
    codes = torch.zeros((count, length, books), dtype=torch.long)
    for number, example in enumerate(examples):
        size = len(example.rows)
        rows[number, :size], following[number, :size], codes[number, :size] = (
            example.rows,
            example.following,
            example.codes,
        )
    return Batch(rows, following, codes, torch.stack([example.speaker for example in examples]))
