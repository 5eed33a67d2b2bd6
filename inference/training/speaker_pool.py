"""The speakers of a training run with their embeddings: the shipped voices and many points around them."""

import random

import torch
from torch import Tensor

from inference.training.corpus import Utterance
from inference.training.speaker_embedding import PITCH, SpeakerSpace, statistics
from inference.training.variation import Manner, Speaker, said_by
from inference.training.voices import VOICES, named_speaker, random_speaker

POOL = 40
"""Speakers per teacher beside the shipped ones."""

SENTENCES = 16
"""That a speaker's statistics are taken from."""


class SpeakerPool:
    """Of the teachers that `corpus` has sentences of."""

    def __init__(self, corpus: dict[str, list[Utterance]], seed: int) -> None:
        draw = random.Random(seed)
        self._speakers = {teacher: [random_speaker(teacher, draw) for _ in range(POOL)] for teacher in corpus}
        shipped = [speaker for speaker in VOICES.values() if speaker.teacher in corpus]
        everyone = [*shipped, *(speaker for pool in self._speakers.values() for speaker in pool)]
        known = {speaker: statistics(_said(corpus, speaker)) for speaker in everyone}
        self.space = SpeakerSpace.of([known[speaker] for speaker in shipped])
        self._embeddings = {speaker: self.space.embedding(found) for speaker, found in known.items()}
        self._pitches = {speaker: float(2.0 ** found[PITCH]) for speaker, found in known.items()}

    def draw(self, teacher: str, draw: random.Random) -> Speaker:
        """One of the teacher's speakers, most often a shipped one."""
        return named_speaker(teacher, draw) or draw.choice(self._speakers[teacher])

    def embedding(self, speaker: Speaker) -> Tensor:
        """[256]. Raises `KeyError` for a speaker outside the pool."""
        return self._embeddings[speaker]

    def voices(self) -> dict[str, Tensor]:
        """Of the shipped voices, by name."""
        return {name: self._embeddings[voice] for name, voice in VOICES.items() if voice in self._embeddings}

    def pitches(self) -> dict[str, float]:
        """The middle of F0 of the shipped voices in Hz, by name."""
        return {name: self._pitches[voice] for name, voice in VOICES.items() if voice in self._pitches}


def _said(corpus: dict[str, list[Utterance]], speaker: Speaker) -> list[Utterance]:
    with torch.inference_mode():
        return [said_by(utterance, speaker, Manner()) for utterance in corpus[speaker.teacher][:SENTENCES]]
