"""A window onto a stream of samples, addressed by absolute position."""

import numpy as np
from numpy.typing import NDArray


class SampleBuffer:
    """Keeps samples `start`..`end` of a stream; what lies outside reads as silence."""

    def __init__(self) -> None:
        self._data: NDArray[np.float32] = np.zeros(0, np.float32)
        self.start = 0

    @property
    def end(self) -> int:
        return self.start + len(self._data)

    def append(self, pcm: NDArray[np.float32]) -> None:
        self._data = np.concatenate([self._data, pcm])

    def drop_before(self, position: int) -> None:
        count = min(max(0, position - self.start), len(self._data))
        self._data = self._data[count:]
        self.start += count

    def read(self, first: int, last: int) -> NDArray[np.float32]:
        """Samples first..last-1; a view when all of them are kept."""
        low, high = first - self.start, last - self.start
        if low >= 0 and high <= len(self._data):
            return self._data[low:high]
        padded = np.zeros(last - first, np.float32)
        kept = self._data[max(0, low) : max(0, high)]
        offset = max(0, -low)
        padded[offset : offset + len(kept)] = kept
        return padded
