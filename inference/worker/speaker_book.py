"""The speakers a checkpoint was shipped with, and which of them a voice is."""

import math
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from inference.checkpoints.errors import BrokenFile
from inference.checkpoints.tensors import read_json
from inference.errors import InvalidSpec
from inference.models.config import SPEAKER_DIM
from inference.protocol import VoiceSpec

FILE = "voices.safetensors"
TABLE = "voices.json"
_SHARE = re.compile(r"([a-z][a-z0-9_-]*)(?::(\d+(?:\.\d+)?))?")


class SpeakerBook:
    """Speaker embeddings by name, and the middle of each one's F0."""

    def __init__(self, speakers: dict[str, Tensor], pitches_hz: dict[str, float]) -> None:
        self._speakers, self._pitches = speakers, pitches_hz

    @classmethod
    def load(cls, folder: Path) -> "SpeakerBook":
        """Raises a `CheckpointError` naming what is wrong."""
        pitches = read_json(folder / TABLE)
        try:
            with safe_open(folder / FILE, framework="pt") as file:
                speakers = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise BrokenFile(f"{FILE}: {error}") from error
        if not speakers or set(pitches) != set(speakers):
            raise BrokenFile(f"{FILE} and {TABLE} must name the same speakers")
        for name, embedding in speakers.items():
            if embedding.shape != (SPEAKER_DIM,) or not bool(torch.isfinite(embedding).all()):
                raise BrokenFile(f"{FILE}: {name} is no embedding of {SPEAKER_DIM} numbers")
        return cls(speakers, {name: float(pitch) for name, pitch in pitches.items()})

    @property
    def names(self) -> list[str]:
        return sorted(self._speakers)

    def speaker(self, name: str) -> Tensor:
        """One speaker's embedding [256]. Raises `KeyError`."""
        return self._speakers[name]

    def shares(self, voice: VoiceSpec) -> dict[str, float]:
        """Whom the voice is made of; shares sum to one. Without a timbre of its own: who is nearest in pitch.

        Raises `InvalidSpec` for a timbre that is none.
        """
        if not voice.timbre:
            nearest = min(self._speakers, key=lambda name: abs(math.log2(self._pitches[name] / voice.pitch_hz)))
            return {nearest: 1.0}
        shares: dict[str, float] = {}
        for part in voice.timbre.split():
            found = _SHARE.fullmatch(part)
            if found is None or found[1] not in self._speakers:
                raise InvalidSpec(
                    f"the timbre {part!r} of the voice {voice.slug} is none of {', '.join(self.names)} (slt:2 alto:1)"
                )
            shares[found[1]] = shares.get(found[1], 0.0) + float(found[2] or 1)
        total = sum(shares.values())
        if total <= 0:
            raise InvalidSpec(f"the timbre of the voice {voice.slug} has no share above 0")
        return {name: share / total for name, share in shares.items()}

    def embedding(self, voice: VoiceSpec) -> Tensor:
        """[256]: the voice's own where it has one for this checkpoint, else a point between speakers."""
        return sum(
            (self._speakers[name] * share for name, share in self.shares(voice).items()), torch.zeros(SPEAKER_DIM)
        )

    def pitch_hz(self, voice: VoiceSpec) -> float:
        """The middle of F0 that the model gives this voice by itself."""
        return float(2 ** sum(share * math.log2(self._pitches[name]) for name, share in self.shares(voice).items()))
