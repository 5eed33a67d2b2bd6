"""Which letters of a word its phones belong to: none, one or two phones to a letter, in order.

Two rounds: with costs that everybody knows (`b` is usually B), then with the costs that the first round shows.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from inference.pronunciation.phones import Phones

_LONGEST_WORD = 14

_USUAL = {
    "a": "ae ah ey aa ao eh",
    "b": "b",
    "c": "k s ch sh",
    "d": "d t jh",
    "e": "eh iy ah ih er ey",
    "f": "f v",
    "g": "g jh zh ng",
    "h": "hh",
    "i": "ih ay iy ah y",
    "j": "jh y hh",
    "k": "k",
    "l": "l",
    "m": "m",
    "n": "n ng",
    "o": "aa ow ah ao uw uh aw oy w",
    "p": "p f",
    "q": "k",
    "r": "r er",
    "s": "s z sh zh",
    "t": "t sh ch th dh d",
    "u": "ah uw uh w y ih aw",
    "v": "v f",
    "w": "w v",
    "x": "k-s g-z z k-sh",
    "y": "iy ay y ih",
    "z": "z s t-s",
}
_PAIRS = {"u": "y-uw y-uh y-ah", "l": "ah-l", "m": "ah-m", "n": "ah-n", "r": "ah-r", "o": "w-ah", "a": "w-ah"}
_USUAL_COST, _SILENT_COST, _PAIR_COST, _STRANGE_COST = 1.0, 2.0, 3.0, 9.0

_Costs = Mapping[tuple[str, Phones], float]


def aligned_letters(entries: Iterable[tuple[str, Phones]]) -> list[tuple[str, list[Phones]]]:
    """Words and the phones of each of their letters. Words with anything but a to z are passed over, as are very long
    ones and those with more than two phones to a letter. Phones in any case, with or without stress."""
    usable = [(word, phones) for word, phones in entries if _is_plain(word)]
    aligned = _aligned(((word, phones, _plain(phones)) for word, phones in usable), _first_costs())
    return _aligned(((word, phones, phones) for word, phones in usable), _refined(aligned))


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


def _plain(phones: Phones) -> Phones:
    """As the table of usual letters has them: lower case, without stress, the reduced vowel as `ah`."""
    bare = (phone.lower().rstrip("012") for phone in phones)
    return tuple("ah" if phone == "ax" else phone for phone in bare)


def _aligned(words: Iterable[tuple[str, Phones, Phones]], costs: _Costs) -> list[tuple[str, list[Phones]]]:
    """Words with the phones of each letter, from (word, phones, the phones as `costs` names them)."""
    aligned: list[tuple[str, list[Phones]]] = []
    for word, phones, named in words:
        ends = _align(word, named, costs)
        if ends:
            aligned.append((word, [phones[start:end] for start, end in pairwise((0, *ends))]))
    return aligned


def _align(word: str, phones: Phones, costs: _Costs) -> list[int] | None:
    """The cheapest way to give each letter no, one or two of the phones in order: how many are used up after each
    letter. None when there is no way."""
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
    ends: list[int] = []
    for reached in reversed(best[1:]):
        ends.append(at)
        at = reached[at][1]
    return ends[::-1]


def _refined(aligned: Sequence[tuple[str, list[Phones]]]) -> dict[tuple[str, Phones], float]:
    pairs = Counter((letter, phones) for word, spoken in aligned for letter, phones in zip(word, spoken, strict=True))
    letters: Counter[str] = Counter()
    for (letter, _), count in pairs.items():
        letters[letter] += count
    return {pair: math.log(letters[pair[0]] / count) for pair, count in pairs.items() if count > 1}
