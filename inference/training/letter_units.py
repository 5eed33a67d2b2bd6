"""Learns the joint model of letters and phones that says unknown words."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from inference.pronunciation.letter_alignment import aligned_letters
from inference.pronunciation.letter_model import END, FIRST_UNIT, ORDER, START, LetterModel
from inference.pronunciation.phones import Phones

Units = dict[tuple[str, Phones], str]
"""A letter and its phones to the character that stands for them, in the order of the characters."""


_LEAST_SEEN = 3
"""Words with a rarer unit are left out: their phones hardly come from their letters."""


def learn_letter_model(entries: Iterable[tuple[str, Phones]]) -> tuple[LetterModel, Units]:
    """From words and their phones."""
    aligned = [list(zip(word, spoken, strict=True)) for word, spoken in aligned_letters(entries)]
    seen = Counter(pair for pairs in aligned for pair in pairs)
    units: Units = {}
    rows = []
    for pairs in aligned:
        if any(seen[pair] < _LEAST_SEEN for pair in pairs):
            continue
        row = (units.setdefault(pair, chr(FIRST_UNIT + len(units))) for pair in pairs)
        rows.append(f"{START}{''.join(row)}{END}")
    return LetterModel(list(units), _continuations(_counted(rows))), units


def _counted(rows: Iterable[str]) -> dict[str, int]:
    """N-grams of all lengths with their Kneser-Ney counts: how often for the longest and those at the start of a word,
    after how many different units for the others."""
    seen: list[Counter[str]] = [Counter() for _ in range(ORDER + 1)]
    for row in rows:
        for end in range(2, len(row) + 1):
            gram = row[max(0, end - ORDER) : end]
            seen[len(gram)][gram] += 1
    counts: dict[str, int] = dict(seen[ORDER])
    longer: Iterable[str] = seen[ORDER]
    for length in range(ORDER - 1, 0, -1):
        shorter = Counter(gram[1:] for gram in longer)
        for gram, count in seen[length].items():
            shorter[gram] += count
        counts |= shorter
        longer = list(shorter)
    return counts


def _continuations(counts: Mapping[str, int]) -> dict[str, str]:
    after: dict[str, dict[str, int]] = defaultdict(dict)
    for gram, count in counts.items():
        after[gram[:-1]][gram[-1]] = count
    return {
        history: f"{''.join(sorted(rest))} {','.join(str(rest[unit]) for unit in sorted(rest))}"
        for history, rest in after.items()
    }
