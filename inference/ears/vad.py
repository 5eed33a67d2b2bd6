"""Is someone speaking? An adaptive energy gate before the silero network."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from inference.ears.silero import CHUNK_SAMPLES, SileroNetwork, SileroState, shared_network

CHUNK_MS = 32

_SILENCE_DB = -65.0
"""Below this level (dB of full scale, RMS) nothing is speech: the noise of a muted or digital input."""

_MARGIN_DB = 4.0
"""A chunk must rise so far above the noise floor to be worth asking the network."""

_FLOOR_FALL = 0.4
_FLOOR_RISE = 0.04
"""Share of the distance to the present level the noise floor moves per chunk: down at once, up within a second."""

_VOICE = 0.3
"""A probability from which the network is trusted to hear a voice: the floor rests and the gate stays open."""

_HANGOVER_CHUNKS = 12
"""The gate stays open so long after the last voice (0.4 s): quiet endings, and a state that fades as it should."""

_PREROLL_CHUNKS = 3
"""Gated chunks the network is shown when the gate opens, so that it knows what came before the onset."""


class VoiceDetector:
    """Voice activity of one stream, chunk by chunk. Silence and steady noise cost about ten microseconds a chunk."""

    def __init__(self, network: SileroNetwork | None = None) -> None:
        self._network = network or shared_network()
        self.reset()

    def reset(self) -> None:
        """Forget everything heard: the stream begins anew."""
        self._state = SileroState()
        self._floor_db = _SILENCE_DB - _MARGIN_DB
        self._open_chunks = 0
        self._preroll: deque[NDArray[np.float32]] = deque(maxlen=_PREROLL_CHUNKS)

    def detect(self, pcm: NDArray[np.float32]) -> float:
        """Voice probability 0..1 of `pcm` [512] at 16 kHz in -1..1. Raises `ValueError` on another shape."""
        if pcm.shape != (CHUNK_SAMPLES,):
            raise ValueError(f"a chunk is [{CHUNK_SAMPLES}] samples, not {list(pcm.shape)}")
        chunk = np.nan_to_num(pcm.astype(np.float32, copy=True), nan=0.0, posinf=1.0, neginf=-1.0)
        level_db = _level_db(chunk)
        if not self._is_open(level_db):
            self._follow_floor(level_db)
            self._preroll.append(chunk)
            return 0.0
        for earlier in self._preroll:
            self._network.step(earlier, self._state)
        self._preroll.clear()
        probability = self._network.step(chunk, self._state)
        if probability >= _VOICE:
            self._open_chunks = _HANGOVER_CHUNKS
        else:
            self._open_chunks = max(0, self._open_chunks - 1)
            self._follow_floor(level_db)
        return probability

    def _is_open(self, level_db: float) -> bool:
        return self._open_chunks > 0 or level_db > max(_SILENCE_DB, self._floor_db + _MARGIN_DB)

    def _follow_floor(self, level_db: float) -> None:
        share = _FLOOR_FALL if level_db < self._floor_db else _FLOOR_RISE
        self._floor_db = max(_SILENCE_DB - _MARGIN_DB, self._floor_db + share * (level_db - self._floor_db))


def _level_db(chunk: NDArray[np.float32]) -> float:
    power = float(np.dot(chunk, chunk)) / chunk.size
    return 10.0 * float(np.log10(power + 1e-12))
