"""What a teacher gives: a sentence spoken, and when each phone was."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


class TeacherError(RuntimeError):
    """A teacher does not speak; the message says what to do."""


class TeacherMissing(TeacherError):
    """A synthesiser or one of its voices is not installed."""


class TeacherFailed(TeacherError):
    """It began and did not come to an end."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone of the CMU set in lower case (`ax` for the reduced vowel), or `pau`, a silence."""

    name: str
    stressed: bool
    begins_word: bool
    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, eq=False)
class SpokenSentence:
    text: str
    pcm: NDArray[np.float32]
    """[S] in -1..1."""

    sample_rate_hz: int
    phones: tuple[Phone, ...]
