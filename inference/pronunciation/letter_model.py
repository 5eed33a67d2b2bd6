"""How a word that no dictionary has is said, by its letters.

A joint n-gram model: a unit is a letter with its phones, and a word is the likeliest row of units that spells it, each
unit depending on the three before. After Bisani and Ney, "Joint-sequence models for grapheme-to-phoneme conversion"
(2008), with absolute discounting and Kneser-Ney counts below the longest n-grams.
`inference.training.letter_units` learns it.
"""

import lzma
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from inference.pronunciation.phones import Phones

ORDER = 4
"""Units in the longest n-gram."""

START, END = "\u0100", "\u0101"
FIRST_UNIT = 0x102
"""Units are written as characters from this one on: an n-gram is a string."""

_DISCOUNT = 0.7
_BEAM = 12
_FLOOR = 1e-7
_LONGEST_STEP = 60
"""Letters decoded at once; longer words are cut, so that the time stays proportional."""

Continuations = Mapping[str, str]
"""A history of 0 to 3 units to `units count,count,...`: what followed it and how often."""


class LetterModel:
    """Thread-safe."""

    def __init__(self, units: Sequence[tuple[str, Phones]], continuations: Continuations) -> None:
        """`units` in the order of their characters: a letter and its phones."""
        self._continuations = continuations
        self._counts = lru_cache(maxsize=4096)(self._parsed)
        self._choices: dict[str, list[tuple[str, Phones]]] = defaultdict(list)
        for index, (letter, phones) in enumerate(units):
            self._choices[letter].append((chr(FIRST_UNIT + index), phones))

    @classmethod
    def load(cls, path: Path) -> "LetterModel":
        """Raises `OSError` when the file is missing."""
        head, _, body = lzma.decompress(path.read_bytes()).decode().partition("\n\n")
        units = [(line[0], tuple(line[1:].split())) for line in head.split("\n")]
        return cls(units, dict(line.split(" ", 1) for line in body.split("\n")))

    def save(self, path: Path, units: Iterable[tuple[str, Phones]]) -> None:
        head = "\n".join(" ".join((letter, *phones)) for letter, phones in units)
        body = "\n".join(f"{history} {rest}" for history, rest in sorted(self._continuations.items()))
        path.write_bytes(lzma.compress(f"{head}\n\n{body}".encode(), preset=9 | lzma.PRESET_EXTREME))

    def phones(self, word: str) -> Phones:
        """`word` in lower-case letters a to z, others are silent. Empty when it has none."""
        letters = "".join(letter for letter in word if letter in self._choices)
        steps = range(0, len(letters), _LONGEST_STEP)
        return tuple(phone for at in steps for phone in self._likeliest(letters[at : at + _LONGEST_STEP]))

    def _likeliest(self, letters: str) -> Phones:
        beam: dict[str, tuple[float, Phones]] = {START: (0.0, ())}
        for letter in letters:
            reached: dict[str, tuple[float, Phones]] = {}
            for history, (score, phones) in beam.items():
                chain = self._chain(history)
                for unit, more in self._choices[letter]:
                    total = score + math.log(_probability(unit, chain))
                    there = (history + unit)[1 - ORDER :]
                    if there not in reached or total > reached[there][0]:
                        reached[there] = (total, phones + more)
            beam = dict(sorted(reached.items(), key=lambda item: -item[1][0])[:_BEAM])
        ends = ((score + math.log(_probability(END, self._chain(at))), phones) for at, (score, phones) in beam.items())
        return max(ends)[1]

    def _chain(self, history: str) -> list[dict[str, int]]:
        """The counts after the history, from its shortest end to its whole."""
        found = (self._counts(history[at:]) for at in range(len(history), -1, -1))
        return [counts for counts in found if counts]

    def _parsed(self, history: str) -> dict[str, int]:
        units, _, counts = self._continuations.get(history, "").partition(" ")
        return dict(zip(units, map(int, counts.split(",")), strict=True)) if units else {}


def _probability(unit: str, chain: Sequence[dict[str, int]]) -> float:
    """Interpolated: p(u|h) = (max(c(hu) - d, 0) + d n(h) p(u|h')) / c(h), n(h) the different units after h."""
    probability = _FLOOR
    for counts in chain:
        kept = max(counts.get(unit, 0) - _DISCOUNT, 0.0)
        probability = (kept + _DISCOUNT * len(counts) * probability) / sum(counts.values())
    return probability
