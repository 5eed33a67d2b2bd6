"""Whisper: the voice's excitation replaced by breath, its formants kept.

Blocks of speech are described by linear prediction (Makhoul, Proc. IEEE 63(4), 1975) and resynthesised from noise of
the same energy, overlapped and added.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solve_toeplitz
from scipy.signal import lfilter

from inference.effects.sample_buffer import SampleBuffer
from inference.protocol import AUDIO_RATE_HZ

HOP = AUDIO_RATE_HZ // 100
BLOCK = 2 * HOP
LATENCY_SAMPLES = BLOCK
"""20 ms while it works, none when neutral."""

BREATH_LEVEL_DB = -9.0
"""A whisper is that much below the voice it replaces."""

_ORDER = 28
_WARM_UP = HOP
"""Samples of noise run through each block's filter before the ones that are used."""

_WHITENING = 1.0003
"""Raises the autocorrelation at lag 0: keeps the filter well conditioned."""

_BANDWIDTH = 0.99
"""Radius scale of the filter's poles: damps the harmonics that a high voice leaves in the envelope."""

_TILT = 0.9
"""First-order high-pass of the breath: without voicing the spectrum falls less steeply."""

_MAX_CHANGE = 0.25
"""Largest change of the share from one block to the next, so that it glides over 40 ms."""

_WINDOW = (0.5 - 0.5 * np.cos(np.pi * np.arange(BLOCK) / HOP)).astype(np.float32)
_SILENCE = 1e-9
_NO_SOUND = np.zeros(0, np.float32)


class Whisper:
    """One stream. Blocks lie on a grid from where the effect sets in, so the pieces it is fed in do not matter."""

    def __init__(self, share: float, seed: int = 0) -> None:
        self._wanted = share
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Forget all sound, and begin the noise anew; keep the share."""
        self._noise = np.random.default_rng(self._seed)
        self._input = SampleBuffer()
        self._share = self._wanted
        self._active = False
        self._next_block = 0
        self._tail = np.zeros(HOP, np.float32)
        """Second half of the last block, waiting for the next one's first."""

    def set(self, share: float) -> None:
        """0 leaves the voice as it is, 1 takes all of it; glides there within 40 ms."""
        self._wanted = share

    def process(self, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Feed [S]; what is ready comes back, as many samples in all as were fed."""
        if not self._active and self._wanted == 0.0:
            self._input.append(pcm)
            self._input.drop_before(self._input.end - BLOCK)
            self._share = 0.0
            return pcm
        if not self._active:
            self._begin()
        self._input.append(pcm)
        ready = self._blocks()
        if self._share == 0.0 and self._wanted == 0.0:
            ready.append(self._leave())
        return np.concatenate(ready) if ready else _NO_SOUND

    def flush(self) -> NDArray[np.float32]:
        """The rest, at the end of a speech."""
        if not self._active:
            return _NO_SOUND
        end = self._input.end
        start = self._next_block
        self._input.append(np.zeros(BLOCK, np.float32))
        ready = self._blocks()
        self._active = False
        return np.concatenate([*ready, _NO_SOUND])[: end - start]

    def _begin(self) -> None:
        """The first block rises out of the plain sound."""
        self._active = True
        self._next_block = self._input.end
        self._tail = np.zeros(HOP, np.float32)
        self._fading_in = True

    def _leave(self) -> NDArray[np.float32]:
        """Back to plain sound: what the last, wholly plain block began is completed by the sound itself."""
        self._active = False
        first = self._next_block
        rest = self._input.read(first, self._input.end).copy()
        if self._fading_in:
            return rest
        count = min(HOP, len(rest))
        rest[:count] = self._tail[:count] + rest[:count] * _WINDOW[:count]
        return rest

    def _blocks(self) -> list[NDArray[np.float32]]:
        ready = []
        while self._input.end >= self._next_block + BLOCK:
            block = self._input.read(self._next_block, self._next_block + BLOCK)
            self._share += float(np.clip(self._wanted - self._share, -_MAX_CHANGE, _MAX_CHANGE))
            made = self._whispered(block) * _WINDOW
            if self._fading_in:
                self._tail = block[:HOP] * _WINDOW[HOP:]
                self._fading_in = False
            ready.append(self._tail + made[:HOP])
            self._tail = made[HOP:]
            self._next_block += HOP
            self._input.drop_before(self._next_block)
        return ready

    def _whispered(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """The block with `share` of it replaced by breath through its own formants."""
        if self._share == 0.0:
            return block
        breath = self._breath(block)
        return (1.0 - self._share) * block + self._share * breath

    def _breath(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        noise = self._noise.standard_normal(_WARM_UP + BLOCK)
        data = block.astype(np.float64) * np.hanning(BLOCK)
        spectrum = np.fft.rfft(data, 2 * BLOCK)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: _ORDER + 1]
        if correlation[0] < _SILENCE * BLOCK:
            return np.zeros(BLOCK, np.float32)
        correlation[0] *= _WHITENING
        try:
            predictor = solve_toeplitz(correlation[:-1], correlation[1:])
        except LinAlgError:
            return np.zeros(BLOCK, np.float32)
        filter_out = np.concatenate(([1.0], -predictor)) * _BANDWIDTH ** np.arange(_ORDER + 1)
        breath = lfilter([1.0, -_TILT], filter_out, noise)[_WARM_UP:]
        wanted = np.sqrt(np.mean(block.astype(np.float64) ** 2)) * 10.0 ** (BREATH_LEVEL_DB / 20.0)
        measured = np.sqrt(np.mean(breath**2))
        return (breath * (wanted / max(measured, _SILENCE))).astype(np.float32)
