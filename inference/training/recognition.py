"""How well a recogniser that knows nothing of us understands: word errors with pocketsphinx's general model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder, get_model_path

_RATE_HZ = 16_000
_WORD = re.compile(r"[a-z']+")


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Counts of one comparison, or of many added up; `words` were wanted."""

    words: int
    substituted: int
    deleted: int
    inserted: int

    @property
    def rate(self) -> float:
        return (self.substituted + self.deleted + self.inserted) / max(1, self.words)

    def __add__(self, other: "WordErrors") -> "WordErrors":
        return WordErrors(
            self.words + other.words,
            self.substituted + other.substituted,
            self.deleted + other.deleted,
            self.inserted + other.inserted,
        )


NO_ERRORS = WordErrors(0, 0, 0, 0)


class Recogniser:
    """pocketsphinx 5 with its American English models, default settings."""

    def __init__(self) -> None:
        self._decoder = Decoder(
            hmm=get_model_path("en-us/en-us"),
            lm=get_model_path("en-us/en-us.lm.bin"),
            dict=get_model_path("en-us/cmudict-en-us.dict"),
            loglevel="FATAL",
        )

    def words(self, pcm: NDArray[np.float32]) -> list[str]:
        """What it understands of a whole recording [S] at 16 kHz in -1..1."""
        margin = np.zeros(_RATE_HZ // 5, np.float32)
        padded = np.concatenate([margin, pcm, margin])
        # The recogniser adapts to the level it is given; loudness itself is not judged here.
        loud = padded * (0.08 / max(1e-4, float(np.sqrt(np.mean(padded**2)))))
        samples = (np.clip(loud, -1, 1) * 32767).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(samples, full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return normal_words(found.hypstr) if found else []


def normal_words(text: str) -> list[str]:
    """Words as they are compared: lower case, letters and apostrophes."""
    return _WORD.findall(text.lower().replace("’", "'"))


def word_errors(wanted: Sequence[str], heard: Sequence[str]) -> WordErrors:
    """By the cheapest alignment (Levenshtein)."""
    rows: list[tuple[int, int, int, int]] = [(n, 0, 0, n) for n in range(len(heard) + 1)]
    for number, word in enumerate(wanted, 1):
        row = [(number, 0, number, 0)]
        for at, other in enumerate(heard, 1):
            cost, substituted, deleted, inserted = rows[at - 1]
            wrong = int(word != other)
            choices = [(cost + wrong, substituted + wrong, deleted, inserted)]
            cost, substituted, deleted, inserted = rows[at]
            choices.append((cost + 1, substituted, deleted + 1, inserted))
            cost, substituted, deleted, inserted = row[-1]
            choices.append((cost + 1, substituted, deleted, inserted + 1))
            row.append(min(choices))
        rows = row
    _, substituted, deleted, inserted = rows[-1]
    return WordErrors(len(wanted), substituted, deleted, inserted)
