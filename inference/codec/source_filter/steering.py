"""What of pitch and voicing a caller wants otherwise than the codes say. One row per slot; changes are heard with
the next frame."""

import math
from functools import lru_cache

import torch
from torch import Tensor

from inference.codec.source_filter.grid import (
    HIGHEST_F0_HZ,
    LOWEST_F0_HZ,
    NUM_BANDS,
    SAMPLE_RATE_HZ,
    SUBFRAMES,
    mel,
)

_HIGHEST_SUNG_HZ = 2 * HIGHEST_F0_HZ
_WHISPER_BELOW_HZ, _WHISPER_CUT_DB, _WHISPER_LEVEL_DB = 1500.0, 16.0, 4.0


@lru_cache(maxsize=1)
def whisper_curve() -> Tensor:
    """What a whisper adds to a log envelope [NUM_BANDS]: without the vocal folds there is little below the formants."""
    position = torch.linspace(0.0, mel(SAMPLE_RATE_HZ / 2), NUM_BANDS) / mel(_WHISPER_BELOW_HZ)
    cut_db = _WHISPER_CUT_DB * (1.0 - position).clamp(0.0, 1.0) + _WHISPER_LEVEL_DB
    return -cut_db * (math.log(10) / 10)


class Steering:
    """Neutral at first: the codes' own pitch and voicing."""

    def __init__(self, num_slots: int, device: torch.device | str = "cpu") -> None:
        self._ratio = torch.ones(num_slots, device=device)
        self._centre = torch.zeros(num_slots, device=device)
        self._spread = torch.ones(num_slots, device=device)
        self._voicing = torch.ones(num_slots, device=device)
        self._melody = torch.zeros((num_slots, SUBFRAMES), device=device)
        self._whisper = whisper_curve().to(device)

    def reset(self, slot: int) -> None:
        """Neutral again."""
        self.set_pitch(slot)
        self._voicing[slot] = 1.0
        self._melody[slot] = 0.0

    def set_pitch(self, slot: int, semitones: float = 0.0, centre_hz: float = 0.0, spread: float = 1.0) -> None:
        """Moves F0 by `semitones`, and its movement around `centre_hz` by the factor `spread`."""
        self._ratio[slot] = 2.0 ** (semitones / 12)
        self._centre[slot], self._spread[slot] = centre_hz, spread

    def set_voicing(self, slot: int, share: float) -> None:
        """1 is the codes' own voicing, 0 a whisper."""
        self._voicing[slot] = share

    def set_melody(self, slot: int, f0_hz: Tensor | None) -> None:
        """F0 [4] of the next frame's subframes in place of the codes', 0 where theirs stays; None ends a melody."""
        self._melody[slot] = 0.0 if f0_hz is None else f0_hz.clamp(0.0, _HIGHEST_SUNG_HZ)

    def steered(self, envelope: Tensor, f0_hz: Tensor, voiced: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Envelope [B, 4, bands], F0 [B, 4] and voicing [B, 4] of one frame, as they are to be heard."""
        centre = torch.where(self._centre > 0, self._centre, 1.0)[:, None]
        moved = centre * (f0_hz.clamp(min=1.0) / centre) ** self._spread[:, None]
        spread = torch.where((self._centre > 0)[:, None], moved, f0_hz)
        spoken = (spread * self._ratio[:, None]).clamp(LOWEST_F0_HZ / 2, _HIGHEST_SUNG_HZ)
        sung = torch.where(self._melody > 0, self._melody, spoken)
        breath = (1.0 - self._voicing)[:, None] * voiced
        return envelope + breath[..., None] * self._whisper, torch.where(f0_hz > 0, sung, 0.0), voiced - breath
