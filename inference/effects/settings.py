"""What an effect chain is told: a style, relative to how the sound was already made."""

from dataclasses import dataclass
from typing import Self

from inference.protocol import StyleSpec, VoiceSpec

_FLAT = 0.05
"""An F0 movement below this share of the natural one counts as none."""


_UNHEARD_RATE = 0.01
_UNHEARD_PITCH = 0.03
"""Ratios this close to 1 are left alone: the resynthesis would cost more than it corrects."""


@dataclass(frozen=True, slots=True)
class MadeProsody:
    """What is already in a piece of speech before the effects, in terms of a style on its voice."""

    rate: float
    median_hz: float
    pitch_range: float


@dataclass(frozen=True, slots=True)
class EffectSettings:
    """Each at its default does nothing."""

    rate: float = 1.0
    """Output is `1 / rate` times as long as input."""

    pitch_ratio: float = 1.0
    pitch_range: float = 1.0
    """Exponent of F0 over `median_hz`: movement in semitones is multiplied by it."""

    formant_ratio: float = 1.0
    whisper: float = 0.0
    level_db: float = 0.0
    median_hz: float = 120.0
    """Median F0 of the sound that goes in."""

    @classmethod
    def between(cls, made: MadeProsody, wanted: StyleSpec, voice: VoiceSpec) -> Self:
        """What turns speech made so into `voice` speaking in style `wanted`."""
        wanted_hz = voice.pitch_hz * 2.0 ** (wanted.pitch_semitones / 12.0)
        ratio = wanted_hz / made.median_hz
        return cls(
            rate=_plain(wanted.rate / made.rate, _UNHEARD_RATE),
            pitch_ratio=_plain(ratio, _UNHEARD_PITCH),
            pitch_range=_range_ratio(made.pitch_range, wanted.pitch_range),
            formant_ratio=voice.formant_ratio,
            whisper=wanted.whisper,
            level_db=wanted.level_db,
            median_hz=made.median_hz,
        )

    @property
    def changes_prosody(self) -> bool:
        return (self.rate, self.pitch_ratio, self.pitch_range, self.formant_ratio) != (1.0, 1.0, 1.0, 1.0)


def _plain(ratio: float, unheard: float) -> float:
    return 1.0 if abs(ratio - 1.0) < unheard else ratio


def _range_ratio(made: float, wanted: float) -> float:
    return 1.0 if abs(made - wanted) < _FLAT else wanted / max(made, _FLAT)
