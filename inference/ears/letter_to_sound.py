"""Pronunciations of words that no dictionary has: names, mostly.

Learned from the pronouncing dictionary: letters are aligned with phones, and a letter is spoken as in the longest
context (up to three letters on either side) in which the dictionary decides differently than in the shorter one - a
pruned back-off table after Daelemans and van den Bosch, "Language-independent data-oriented grapheme-to-phoneme
conversion" (1996).
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

Phones = tuple[str, ...]
Rules = dict[str, str]
"""Context, as letters around a marked one (`t<h>e`), to phones separated by spaces."""

_EDGE = "#"
_WINDOWS = ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3))
"""Letters before and after, from the shortest context to the longest."""

_LEAST_SEEN = 2
_LONGEST_WORD = 14

_USUAL = {
    "a": "AE AH EY AA AO EH",
    "b": "B",
    "c": "K S CH SH",
    "d": "D T JH",
    "e": "EH IY AH IH ER EY",
    "f": "F V",
    "g": "G JH ZH NG",
    "h": "HH",
    "i": "IH AY IY AH Y",
    "j": "JH Y HH",
    "k": "K",
    "l": "L",
    "m": "M",
    "n": "N NG",
    "o": "AA OW AH AO UW UH AW OY W",
    "p": "P F",
    "q": "K",
    "r": "R ER",
    "s": "S Z SH ZH",
    "t": "T SH CH TH DH D",
    "u": "AH UW UH W Y IH AW",
    "v": "V F",
    "w": "W V",
    "x": "K-S G-Z Z K-SH",
    "y": "IY AY Y IH",
    "z": "Z S T-S",
}
_PAIRS = {"u": "Y-UW Y-UH Y-AH", "l": "AH-L", "m": "AH-M", "n": "AH-N", "r": "AH-R", "o": "W-AH", "a": "W-AH"}
_USUAL_COST, _SILENT_COST, _PAIR_COST, _STRANGE_COST = 1.0, 2.0, 3.0, 9.0

_Costs = Mapping[tuple[str, Phones], float]


def learn(entries: Iterable[tuple[str, Phones]]) -> Rules:
    """Rules from (word, phones) entries. Words with anything but the letters a to z are passed over."""
    usable = [(word, phones) for word, phones in entries if _is_plain(word)]
    costs: _Costs = _first_costs()
    for _ in range(2):
        aligned = [(word, spoken) for word, phones in usable if (spoken := _align(word, phones, costs))]
        costs = _refined(aligned)
    return _pruned(aligned)


def pronounce(word: str, rules: Rules) -> str:
    """Phones of `word` separated by spaces; empty when it has no letter the rules know."""
    spoken = (_spoken(word, index, rules) for index in range(len(word)))
    return " ".join(phones for phones in spoken if phones)


def _is_plain(word: str) -> bool:
    return 2 < len(word) <= _LONGEST_WORD and word.isascii() and word.isalpha()


def _first_costs() -> dict[tuple[str, Phones], float]:
    costs: dict[tuple[str, Phones], float] = {}
    for letter, choices in _USUAL.items():
        costs[letter, ()] = _SILENT_COST
        for table, cost in ((choices, _USUAL_COST), (_PAIRS.get(letter, ""), _PAIR_COST)):
            for choice in table.split():
                costs[letter, tuple(choice.split("-"))] = cost
    return costs


def _align(word: str, phones: Phones, costs: _Costs) -> list[Phones] | None:
    """The cheapest way to give each letter no, one or two of the phones in order; None when there is none."""
    best: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for letter in word:
        reached: dict[int, tuple[float, int]] = {}
        for used, (cost, _) in best[-1].items():
            for taken in range(min(2, len(phones) - used) + 1):
                step = costs.get((letter, phones[used : used + taken]), _STRANGE_COST * max(1, taken))
                there = used + taken
                if there not in reached or cost + step < reached[there][0]:
                    reached[there] = (cost + step, used)
        best.append(reached)
    at = len(phones)
    if at not in best[-1]:
        return None
    spoken: list[Phones] = []
    for reached in reversed(best[1:]):
        used = reached[at][1]
        spoken.append(phones[used:at])
        at = used
    return spoken[::-1]


def _refined(aligned: Sequence[tuple[str, list[Phones]]]) -> dict[tuple[str, Phones], float]:
    pairs = Counter((letter, phones) for word, spoken in aligned for letter, phones in zip(word, spoken, strict=True))
    letters: Counter[str] = Counter()
    for (letter, _), count in pairs.items():
        letters[letter] += count
    return {pair: math.log(letters[pair[0]] / count) for pair, count in pairs.items() if count > 1}


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
