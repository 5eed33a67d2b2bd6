"""Words as the turn rules compare them."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

_TOKEN = re.compile(r"[^\W\d_\u3400-\u9fff]+(?:'[^\W\d_]+)*|\d+|[\u3400-\u9fff]")


def tokens(text: str) -> tuple[str, ...]:
    """Lower-case words without punctuation; a Chinese character counts as a word."""
    return tuple(_TOKEN.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))


_SHORT_FORMS = (
    (re.compile(r"\bcan't\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"\b(it|that|what|who|where|how|he|she|there|here|when)'s\b"), r"\1 is"),
)


def spelled_out(text: str) -> tuple[str, ...]:
    """The tokens with short forms in full: a recogniser writes "i am bored" where an author wrote "i'm bored"."""
    text = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("cannot", "can not")
    for short, full in _SHORT_FORMS:
        text = short.sub(full, text)
    return tokens(text)


class PhraseSet:
    """Phrases to look for in words, longest first."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = sorted({tokens(phrase) for phrase in phrases} - {()}, key=len, reverse=True)
        self._known = set(self._phrases)

    def __contains__(self, words: Sequence[str]) -> bool:
        """Whether these words are one of the phrases."""
        return tuple(words) in self._known

    def ends(self, words: Sequence[str], least: int = 1) -> bool:
        """Whether the words end with a phrase of at least `least` words."""
        return any(len(p) >= least and tuple(words[-len(p) :]) == p for p in self._phrases)

    def without(self, words: Sequence[str]) -> list[str]:
        """The words that belong to none of the phrases."""
        rest: list[str] = []
        at = 0
        while at < len(words):
            length = self._length_at(words, at)
            if not length:
                rest.append(words[at])
            at += length or 1
        return rest

    def places(self, words: Sequence[str]) -> list[tuple[int, int]]:
        """Start and end of each phrase found, left to right, without overlap."""
        found: list[tuple[int, int]] = []
        at = 0
        while at < len(words):
            length = self._length_at(words, at)
            if length:
                found.append((at, at + length))
            at += length or 1
        return found

    def _length_at(self, words: Sequence[str], at: int) -> int:
        return next((len(p) for p in self._phrases if tuple(words[at : at + len(p)]) == p), 0)


@lru_cache(maxsize=8_192)
def similar(left: str, right: str) -> bool:
    """Whether a recogniser may have heard one word for the other: one edit, two in words longer than six letters."""
    if left == right:
        return True
    longest = max(len(left), len(right))
    allowed = 0 if longest < 4 else 1 if longest <= 6 else 2
    if abs(len(left) - len(right)) > allowed:
        return False
    return _edits(left, right) <= allowed


def _edits(left: str, right: str) -> int:
    # Levenshtein distance, one row at a time (Wagner and Fischer 1974).
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
    return row[-1]
