"""A voice as the bundled model speaks it: whom it is made of, and what of a style the model, its codec and the
effects do.

The model knows a handful of styles by name. What a style asks beyond them is done exactly: pitch, movement of pitch and
whisper in the codec's decoder, rate and level on the sound.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from inference.codec.source_filter.steering import Steering
from inference.effects.settings import EffectSettings
from inference.mouth.phrases import NEUTRAL_WPM
from inference.protocol import StyleSpec, VoiceSpec
from inference.worker.speaker_book import SpeakerBook

NEUTRAL = "neutral"
WHISPER = "whisper"
_WHISPERS_ABOVE = 0.5
_UNHEARD_RATE = 0.06
"""Changes of rate this small are left alone: the model's own varies as much."""

_SLOWEST, _FASTEST = 0.5, 2.0
_MOST_SEMITONES = 9.0


@dataclass(frozen=True, slots=True)
class MadeStyle:
    """What the model itself does in one of its styles, relative to neutral."""

    rate: float = 1.0
    pitch_semitones: float = 0.0
    pitch_range: float = 1.0
    level_db: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class PhoneVoice:
    spec: VoiceSpec
    embedding: Tensor
    own_pitch_hz: float
    """The middle of F0 that the model gives it by itself."""

    styles: dict[str, MadeStyle]

    def model_style(self, style: StyleSpec) -> str:
        """The one of the model's styles to make `style` from."""
        if style.whisper >= _WHISPERS_ABOVE and WHISPER in self.styles:
            return WHISPER
        if style.slug in self.styles:
            return style.slug
        rate = self._rate(style)
        nearest = min(("slow", NEUTRAL, "fast"), key=lambda name: abs(math.log(self._made(name).rate / rate)))
        return nearest if nearest in self.styles else NEUTRAL

    def effects(self, style: StyleSpec, model_style: str) -> EffectSettings:
        """What is left for the sound: rate and level."""
        made = self._made(model_style)
        rate = min(_FASTEST, max(_SLOWEST, self._rate(style) / made.rate))
        return EffectSettings(
            rate=rate if abs(rate - 1.0) > _UNHEARD_RATE else 1.0, level_db=style.level_db - made.level_db
        )

    def steer(self, steering: Steering, slot: int, style: StyleSpec, model_style: str) -> None:
        """What is left for the decoder: pitch, its movement, whisper."""
        made = self._made(model_style)
        made_hz = self.own_pitch_hz * 2.0 ** (made.pitch_semitones / 12.0)
        wanted_hz = self.spec.pitch_hz * 2.0 ** (style.pitch_semitones / 12.0)
        semitones = max(-_MOST_SEMITONES, min(_MOST_SEMITONES, 12.0 * math.log2(wanted_hz / made_hz)))
        spread = self.spec.pitch_range * style.pitch_range / max(0.05, made.pitch_range)
        steering.set_pitch(slot, semitones, made_hz, spread)
        # In the model's own whisper too: what it voices by mistake is whispered by the decoder.
        steering.set_voicing(slot, 1.0 - style.whisper)

    def _rate(self, style: StyleSpec) -> float:
        return style.rate * self.spec.words_per_minute / NEUTRAL_WPM

    def _made(self, model_style: str) -> MadeStyle:
        return self.styles.get(model_style, MadeStyle())


class PhoneVoices:
    """Voices of one checkpoint."""

    def __init__(self, book: SpeakerBook, styles: dict[str, MadeStyle]) -> None:
        self._book, self._styles = book, styles

    @property
    def names(self) -> list[str]:
        """The checkpoint's speakers."""
        return self._book.names

    def speaker(self, name: str) -> Tensor:
        """The embedding [256] of one of them. Raises `KeyError`."""
        return self._book.speaker(name)

    def voice(self, spec: VoiceSpec) -> PhoneVoice:
        """Raises `InvalidSpec` for a timbre that is none."""
        return PhoneVoice(spec, self._book.embedding(spec), self._book.pitch_hz(spec), self._styles)
