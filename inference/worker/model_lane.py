"""What the lanes of a model that answers by itself have in common."""

import time
from collections.abc import Callable

import numpy as np

from inference.ears.base import Ears
from inference.ears.vad import CHUNK_SAMPLES
from inference.protocol import SessionSpec
from inference.worker.listening import Detector
from inference.worker.shared_engine import SharedEngine, speaker_of


class ModelLane:
    """Ears and a voice detector for each stream, one engine for all."""

    def __init__(
        self,
        shared: SharedEngine,
        ears: Ears,
        new_detector: Callable[[], Detector],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pulse = shared
        self.most_streams = shared.slots
        self._shared = shared
        self._ears = ears
        self._new_detector = new_detector
        self._clock = clock

    def prepare(self, spec: SessionSpec) -> None:
        """Loads ears and voice detector. Raises `InvalidSpec` for a voice that is no speaker embedding."""
        speaker_of(spec.voice)
        self._ears.prepare(spec.ears)
        self._new_detector().detect(np.zeros(CHUNK_SAMPLES, dtype=np.float32))
