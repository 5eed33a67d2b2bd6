"""The recogniser's interface."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.protocol import EarsSpec

EARS_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard in one utterance."""

    text: str
    words: tuple[tuple[str, int, int], ...] = ()
    """Word, start and end in ms from the utterance's first sample."""

    confidence: float = 1.0
    """0..1."""

    alternatives: tuple[str, ...] = ()


class Utterance(Protocol):
    """One stretch of speech being recognised. Fed by one thread."""

    def feed(self, pcm: NDArray[np.float32]) -> None:
        """Samples [S] at `EARS_RATE_HZ` in -1..1. Costs about a fifteenth of their duration."""

    def partial(self) -> str:
        """The words so far; empty while there are none."""

    def finish(self) -> Transcript:
        """The final reading. The utterance cannot be used afterwards."""

    def abandon(self) -> None:
        """Drop it without a reading. Idempotent, also after `finish`."""


class Ears(Protocol):
    """A recogniser that many streams share."""

    def prepare(self, spec: EarsSpec) -> None:
        """Load or build what `spec` needs. Slow (seconds) the first time; call it off the tick loop. Thread-safe."""

    def listen(self, spec: EarsSpec, after: Utterance | None = None) -> Utterance:
        """Begin an utterance. Raises `AtCapacity` when every recogniser is in use.

        `after` is the same speaker's utterance before this one, finished or abandoned: what was learned of voice and
        microphone is carried on, which spares a good third of the errors.
        """
