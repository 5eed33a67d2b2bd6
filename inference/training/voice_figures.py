"""What speech says of its speaker and style: similarity, pitch, voicing, duration."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.codec.source_filter.grid import HOP, SAMPLE_RATE_HZ
from inference.training.corpus import Utterance, features_of
from inference.training.speaker_embedding import SpeakerSpace, statistics
from inference.worker.phone_voice import PhoneVoices


class VoiceFigures:
    """Collects sentences of one speaker."""

    def __init__(self, voices: PhoneVoices, space: SpeakerSpace) -> None:
        self._voices, self._space = voices, space
        self._said: list[Utterance] = []

    def add(self, pcm: NDArray[np.float32]) -> None:
        """One sentence [S] at 16 kHz."""
        self._said.append(heard(pcm))

    def report(self, name: str) -> dict[str, Any]:
        """Of the speaker `name` of the checkpoint."""
        own = self._space.embedding(statistics(self._said))
        closeness = {other: _cosine(own, self._voices.speaker(other)) for other in self._voices.names}
        others = {other: value for other, value in closeness.items() if other != name}
        nearest = max(others, key=lambda other: others[other])
        return {
            "similarity": {
                "own": round(closeness[name], 3),
                "nearest_other": round(others[nearest], 3),
                "nearest_other_is": nearest,
            },
            **pitch_facts(self._said),
        }


def heard(pcm: NDArray[np.float32]) -> Utterance:
    """The features of a recording [S] at 16 kHz, without text."""
    found = features_of(pcm)
    return Utterance("", found.envelope.numpy().astype(np.float16), found.f0_hz.numpy().astype(np.float16), (), _NONE)


_NONE = np.zeros(0, np.int32)


def pitch_facts(said: list[Utterance]) -> dict[str, float]:
    """Median F0, its spread, the voiced share of what is loud, and the seconds of a sentence."""
    f0 = np.concatenate([utterance.f0_hz for utterance in said]).astype(np.float32)
    level = np.concatenate([utterance.envelope for utterance in said]).astype(np.float32).mean(axis=1)
    loud = level > np.percentile(level, 60) - 3.0
    voiced = f0[f0 > 0]
    semitones = 12 * np.log2(voiced) if len(voiced) else np.zeros(1, np.float32)
    seconds = sum(len(utterance.f0_hz) for utterance in said) * HOP / SAMPLE_RATE_HZ
    return {
        "f0_median_hz": round(float(2 ** (np.median(semitones) / 12)), 1) if len(voiced) else 0.0,
        "f0_spread_semitones": round(float(semitones.std()), 2),
        "voiced_share_of_loud": round(float((f0[loud] > 0).mean()), 3),
        "seconds_per_sentence": round(seconds / len(said), 3),
    }


def _cosine(one: Tensor, other: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(one, other, dim=0))
