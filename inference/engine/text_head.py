"""The text head without the audio ids: a text token never names a code."""

from typing import Any

import torch
from torch import Tensor

from inference.models.packed import Precision, packed
from inference.models.tokenizer import VoilaTokenizer
from inference.models.voila import VoilaModel


class TextHead:
    """Logits over the vocabulary less its audio ids: slices of the checkpoint's head, or packed copies of them."""

    def __init__(
        self, model: VoilaModel, tokenizer: VoilaTokenizer, precision: Precision | None = None, batch: int = 1
    ) -> None:
        self._first, self._end = tokenizer.audio_first_id, tokenizer.audio_end_id
        pieces = (model.text_head.rows(0, self._first), model.text_head.rows(self._end, model.config.vocab_size))
        self.pieces: list[Any] = [piece for piece in pieces if piece.num_rows]
        if precision is not None:
            self.pieces = [packed(piece, precision, batch) for piece in self.pieces]
        self.frame_index = self._index(tokenizer.control["<au_token>"])

    def _index(self, token_id: int) -> int:
        return token_id if token_id < self._first else token_id - (self._end - self._first)

    def logits(self, hidden: Tensor) -> Tensor:
        """[B, V'] in float32 of hidden states [B, D]."""
        return torch.cat([piece(hidden).float() for piece in self.pieces], dim=-1)

    def ids(self, indices: Tensor) -> Tensor:
        """Vocabulary ids of indices into the logits."""
        return torch.where(indices < self._first, indices, indices + (self._end - self._first))
