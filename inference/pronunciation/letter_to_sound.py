"""Pronunciations of words that no dictionary has: names, mostly.

Learned from the pronouncing dictionary: letters are aligned with phones, and a letter is spoken as in the longest
context (up to three letters on either side) in which the dictionary decides differently than in the shorter one - a
pruned back-off table after Daelemans and van den Bosch, "Language-independent data-oriented grapheme-to-phoneme
conversion" (1996).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from inference.pronunciation.letter_alignment import aligned_letters
from inference.pronunciation.phones import Phones

Rules = dict[str, str]
"""Context, as letters around a marked one (`t<h>e`), to phones separated by spaces."""

_EDGE = "#"
_WINDOWS = ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3))
"""Letters before and after, from the shortest context to the longest."""

_LEAST_SEEN = 2


def learn(entries: Iterable[tuple[str, Phones]]) -> Rules:
    """Rules from (word, phones) entries. Words with anything but the letters a to z are passed over."""
    return _pruned(aligned_letters(entries))


def pronounce(word: str, rules: Rules) -> str:
    """Phones of `word` separated by spaces; empty when it has no letter the rules know."""
    spoken = (_spoken(word, index, rules) for index in range(len(word)))
    return " ".join(phones for phones in spoken if phones)


def _pruned(aligned: Sequence[tuple[str, list[Phones]]]) -> Rules:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for word, spoken in aligned:
        for index, phones in enumerate(spoken):
            for window in _WINDOWS:
                counts[_context(word, index, window)][" ".join(phones)] += 1
    rules: Rules = {}
    for size in range(len(_WINDOWS)):
        for context, choices in counts.items():
            if _size_of(context) != size:
                continue
            choice, seen = choices.most_common(1)[0]
            if seen >= _LEAST_SEEN and choice != _shorter(context, rules):
                rules[context] = choice
    return rules


def _context(word: str, index: int, window: tuple[int, int]) -> str:
    before, after = window
    left = word[max(0, index - before) : index].rjust(before, _EDGE)
    right = word[index + 1 : index + 1 + after].ljust(after, _EDGE)
    return f"{left}<{word[index]}>{right}"


def _size_of(context: str) -> int:
    left, _, rest = context.partition("<")
    return _WINDOWS.index((len(left), len(rest) - 2))


def _shorter(context: str, rules: Rules) -> str | None:
    """What the rules so far say of the marked letter in the contexts within `context`."""
    left, _, rest = context.partition("<")
    for before, after in reversed(_WINDOWS[: _WINDOWS.index((len(left), len(rest) - 2))]):
        found = rules.get(f"{left[len(left) - before :]}<{rest[0]}>{rest[2 : 2 + after]}")
        if found is not None:
            return found
    return None


def _spoken(word: str, index: int, rules: Rules) -> str:
    for window in reversed(_WINDOWS):
        found = rules.get(_context(word, index, window))
        if found is not None:
            return found
    return ""
