"""What was said in a stream of a raw-audio checkpoint, told to the model anew for every answer.

The front end normalises over the whole track (`inference.models.waveform`), so a new turn changes the vectors of all
audio before it: nothing after the system prompt can stay in the cache. An answer costs as many chunks of prefill as the
conversation is long, and the front end once more over all speech in it. Speech is kept as it was heard; the model's own
answers as the rows it made, words and frames, with silence under them.
"""

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from inference.engine.stream import Chunk, Row
from inference.engine.window import positions_to_drop
from inference.models.voila import VoilaModel
from inference.models.waveform import LEADING_SAMPLES, SAMPLES_PER_POSITION, WaveformFrontEnd


class Conversation:
    """Positions after a system prompt of `prompt_length`, the last `most` of them: of a turn longer than that the
    beginning is forgotten.
    """

    def __init__(self, model: VoilaModel, prompt_length: int, most: int, chunk: int) -> None:
        self._model, self._prompt_length, self._most, self._chunk = model, prompt_length, most, chunk
        self._rows: list[Tensor] = []
        self._sounds: list[Tensor | None] = []
        self._turn_starts: list[int] = []

    def add(self, row: Row, sound: Tensor | None = None) -> int:
        """One position, `sound` being its 640 samples. Returns how many old positions had to go."""
        if row.begins_turn:
            self._turn_starts.append(len(self._rows))
        self._rows.append(row.ids)
        self._sounds.append(sound)
        return self._forget(len(self._rows) - self._most)

    def _forget(self, count: int) -> int:
        """The oldest turns go, whole where another follows."""
        if count <= 0:
            return 0
        dropped = positions_to_drop(0, len(self._rows), count, self._turn_starts)
        del self._rows[:dropped], self._sounds[:dropped]
        self._turn_starts = [start - dropped for start in self._turn_starts if start >= dropped]
        return dropped

    def chunks(self) -> list[Chunk]:
        """All of it, to be computed after the system prompt. The cuts depend on this conversation alone."""
        device, turns = self._model.embeddings.device, sorted({0, *self._turn_starts, len(self._rows)})
        vectors = self._model.embed(torch.stack(self._rows).to(device))
        track = self._track().to(device)
        front_end = self._model.waveform
        assert front_end is not None
        levels = front_end.levels(track)
        chunks: list[Chunk] = []
        for start, end in pairwise(turns):
            for first in range(start, end, self._chunk):
                piece = slice(first, min(first + self._chunk, end))
                heard = torch.tensor([float(sound is not None) for sound in self._sounds[piece]], device=device)
                begins_turn = first == start and start in self._turn_starts
                if not heard.any():
                    chunks.append(Chunk(vectors[piece], begins_turn=begins_turn))
                    continue
                added = partial(_heard_vectors, front_end, self._samples(track, piece), levels, heard)
                chunks.append(Chunk(vectors[piece], begins_turn=begins_turn, added=added))
        return chunks

    def _track(self) -> Tensor:
        silence = torch.zeros(SAMPLES_PER_POSITION)
        lead = torch.zeros(LEADING_SAMPLES + self._prompt_length * SAMPLES_PER_POSITION)
        return torch.cat([lead, *(silence if sound is None else sound for sound in self._sounds)])

    def _samples(self, track: Tensor, piece: slice) -> Tensor:
        """What these positions hear: their own samples and a few before."""
        first, end = self._prompt_length + piece.start, self._prompt_length + piece.stop
        return track[first * SAMPLES_PER_POSITION : end * SAMPLES_PER_POSITION + LEADING_SAMPLES]


def _heard_vectors(front_end: WaveformFrontEnd, samples: Tensor, levels: Tensor, heard: Tensor) -> Tensor:
    """Vectors [T, D], zero where nothing is `heard` [T]."""
    return front_end(samples, levels) * heard[:, None]
