"""All effects of one stream in order: prosody, whisper, level."""

import numpy as np
from numpy.typing import NDArray

from inference.effects import prosody, whisper
from inference.effects.level import Level
from inference.effects.prosody import Prosody
from inference.effects.settings import EffectSettings
from inference.effects.whisper import Whisper

LATENCY_SAMPLES = prosody.LATENCY_SAMPLES + whisper.LATENCY_SAMPLES
"""Most samples held back with everything on. Neutral settings hold back nothing."""


class Chain:
    """What a stream's speech runs through. All state is in the object: streams share nothing.

    Neutral settings pass samples through bit by bit, without delay. One speech is `process`, `process`, ... `flush`.
    """

    def __init__(self, settings: EffectSettings) -> None:
        self._settings = settings
        self._prosody = Prosody(settings)
        self._whisper = Whisper(settings.whisper)
        self._level = Level(settings.level_db)

    @property
    def settings(self) -> EffectSettings:
        return self._settings

    def set(self, settings: EffectSettings) -> None:
        """Change what the chain does from the next sample fed on, without a click."""
        if settings == self._settings:
            return
        self._settings = settings
        self._prosody.set(settings)
        self._whisper.set(settings.whisper)
        self._level.set(settings.level_db)

    def process(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Feed float32 [S] at `AUDIO_RATE_HZ`; returns what is ready, of any length."""
        shaped = self._prosody.process(pcm)
        breathed = self._whisper.process(shaped)
        # Grains and breath can exceed the peaks they were made from, so whatever they touched is limited.
        return self._level.process(breathed, limited=breathed is not pcm)

    def flush(self) -> NDArray[np.float32]:
        """The rest, at the end of a speech."""
        last = [self._whisper.process(self._prosody.flush()), self._whisper.flush()]
        return self._level.process(np.concatenate(last), limited=True)

    def reset(self) -> None:
        """Ready for another speech: forget all sound, keep the settings."""
        self._prosody.reset()
        self._whisper.reset()
        self._level.reset()

    def output_sample(self, input_sample: int) -> int | None:
        """Where sample `input_sample` of what was fed comes out; None if that is not decided yet.

        Only prosody moves samples in time; whisper and level keep their places.
        """
        return self._prosody.output_sample(input_sample)

    def expected_output_sample(self, input_sample: int) -> int:
        """The same for samples still to come, if the settings stay."""
        return self._prosody.expected_output_sample(input_sample)
