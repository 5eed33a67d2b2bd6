"""The style of the moment on a model's sound: whisper and level. Melody and pace are left to the checkpoint."""

import numpy as np
from numpy.typing import NDArray

from inference.effects.chain import Chain
from inference.effects.settings import EffectSettings
from inference.protocol import FRAME_SAMPLES, StyleSpec


class StyledSound:
    """Whole wire frames in, whole wire frames out. A neutral style passes them on as they are."""

    def __init__(self, style: StyleSpec) -> None:
        self._chain = Chain(_settings(style))
        self._samples: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def set_style(self, style: StyleSpec) -> None:
        """From the next frame on."""
        self._chain.set(_settings(style))

    def frames(self, frames: list[NDArray[np.float32]], *, last: bool = False) -> list[NDArray[np.float32]]:
        """What is ready after these. `last`: also what the effects hold back, padded with silence."""
        ready = [self._samples, *(self._chain.process(frame) for frame in frames)]
        if last:
            ready.append(self._chain.flush())
        samples = np.concatenate(ready)
        if last:
            samples = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES))
            self._chain.reset()
        count = len(samples) // FRAME_SAMPLES
        whole, self._samples = samples[: count * FRAME_SAMPLES], samples[count * FRAME_SAMPLES :]
        return list(whole.reshape(count, FRAME_SAMPLES))


def _settings(style: StyleSpec) -> EffectSettings:
    return EffectSettings(whisper=style.whisper, level_db=style.level_db)
