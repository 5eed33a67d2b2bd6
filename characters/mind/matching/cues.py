"""Cues against what was heard. How it works and what was measured: docs/mind.md, "Matching"."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Generic, TypeVar

from characters.mind.matching.similarity import likeness, rarity, weight_of
from characters.mind.matching.sounds import distance_within, key_length, sound_key
from characters.mind.matching.words import is_chinese, words_of

K = TypeVar("K", bound=Hashable)

ACCEPT = 0.70
"""From this score on a cue counts as meant."""

CLEAR = 0.80
"""From this score on it is meant plainly: it may break into an activity."""

LONGEST_HEARD_WORDS = 120
_SURE = 0.93
"""Other readings are not looked at when the first one fits so well."""

_READING_DISCOUNT = 0.97
_CLOSE_LOOKS = 12
"""The comparison by sound is made for so many of the likeliest cues only; it costs most."""

_SOUND_TRUST = 0.92
_LEAST_SOUND_LENGTH = 3.0
_ENOUGH_WEIGHT = 2.2
_NO_ORDER_SHARE = 0.25
_LEAST_SHARE = 0.4
_REJOINED = 0.75


@dataclass(frozen=True, slots=True)
class Hearing:
    """What the listener said, as words: the best reading first, then others."""

    readings: tuple[tuple[str, ...], ...]
    confidence: float = 1.0

    @classmethod
    def of(cls, text: str, alternatives: Sequence[str] = (), confidence: float = 1.0) -> "Hearing":
        readings: list[tuple[str, ...]] = []
        for reading in (text, *alternatives[:2]):
            words = words_of(reading)[:LONGEST_HEARD_WORDS]
            if words and words not in readings:
                readings.append(words)
        return cls(tuple(readings), confidence)

    @property
    def words(self) -> tuple[str, ...]:
        return self.readings[0] if self.readings else ()


@dataclass(frozen=True, slots=True)
class Match(Generic[K]):
    """A cue that fits, what it stands for, and how well (0..1)."""

    key: K
    cue: str
    score: float


@dataclass(frozen=True, slots=True)
class _Cue(Generic[K]):
    key: K
    text: str
    words: tuple[str, ...]
    weights: tuple[float, ...]
    weight: float
    sound: str
    pairs: frozenset[str]
    """Neighbouring sounds, for a quick look which cues are worth a close one."""


class CueMatcher(Generic[K]):
    """A fixed set of cues, each standing for a key. Immutable after construction; may be shared."""

    def __init__(self, cues: Iterable[tuple[K, str]]) -> None:
        split = [(key, text, words_of(text)) for key, text in cues]
        times = Counter(word for _, _, words in split for word in set(words))
        self._cues = tuple(_cue(key, text, words, times) for key, text, words in split if words)
        self._vocabulary = tuple(times)

    def best(self, hearing: Hearing, least: float = ACCEPT) -> Match[K] | None:
        """The best cue, or None when none reaches `least`."""
        found = self.ranked(hearing)
        return found[0] if found and found[0].score >= least else None

    def ranked(self, hearing: Hearing) -> list[Match[K]]:
        """The cues that fit at all, best first; of two that fit alike, the one that says more."""
        best: dict[int, float] = {}
        for rank, words in enumerate(hearing.readings):
            discount = _READING_DISCOUNT**rank
            for at, score in self._scores(words).items():
                best[at] = max(best.get(at, 0.0), score * discount)
            if max(best.values(), default=0.0) >= _SURE:
                break
        order = sorted(best, key=lambda at: (-round(best[at], 3), -self._cues[at].weight))
        return [Match(self._cues[at].key, self._cues[at].text, best[at]) for at in order]

    def _scores(self, heard: tuple[str, ...]) -> dict[int, float]:
        weights = [weight_of(word) for word in heard]
        rows = {word: [likeness(word, other) for other in heard] for word in self._vocabulary}
        peaks = {word: max(row) for word, row in rows.items()}
        scores = {at: _word_score(cue, rows, peaks, weights) for at, cue in enumerate(self._cues)}
        if not is_chinese("".join(heard)):
            key = "".join(sound_key(word) for word in heard)
            pairs = _pairs(key)
            for at in nlargest(_CLOSE_LOOKS, scores, key=lambda at: _shared(self._cues[at].pairs, pairs)):
                scores[at] = max(scores[at], _sound_score(self._cues[at], key))
        return {at: score for at, score in scores.items() if score > 0.0}


def _cue(key: K, text: str, words: tuple[str, ...], times: Counter[str]) -> _Cue[K]:
    weights = tuple(weight_of(word) * rarity(times[word]) for word in words)
    sound = "".join(sound_key(word) for word in words)
    return _Cue(key, text, words, weights, sum(weights), sound, _pairs(sound))


def _word_score(cue: _Cue[K], rows: dict[str, list[float]], peaks: dict[str, float], weights: list[float]) -> float:
    """`rows` say how like each heard word is to a word of a cue, `peaks` how like the likest is."""
    in_any_order = sum(weight * peaks[word] for weight, word in zip(cue.weights, cue.words, strict=True))
    if in_any_order < _LEAST_SHARE * cue.weight:
        return 0.0
    alike = [rows[word] for word in cue.words]
    in_order = _in_order(alike, cue.weights)
    found = ((1 - _NO_ORDER_SHARE) * in_order + _NO_ORDER_SHARE * in_any_order) / cue.weight
    explained = sum(weight * max(row[at] for row in alike) for at, weight in enumerate(weights)) / sum(weights)
    return found * (1 - _doubt(cue.weight) * (1 - explained))


def _doubt(weight: float) -> float:
    """How much what else was said counts against a cue: much for "yes", little for a cue of several telling words."""
    return 0.28 + 0.45 * (1 - min(1.0, weight / _ENOUGH_WEIGHT))


def _in_order(alike: list[list[float]], weights: Sequence[float]) -> float:
    """The heaviest alignment that keeps the order of words."""
    above = [0.0] * (len(alike[0]) + 1)
    for weight, row in zip(weights, alike, strict=True):
        best = [0.0]
        for at, value in enumerate(row):
            best.append(max(above[at + 1], best[at], above[at] + weight * value))
        above = best
    return above[-1]


def _sound_score(cue: _Cue[K], heard: str) -> float:
    length = key_length(cue.sound)
    if length < _LEAST_SOUND_LENGTH or not heard:
        return 0.0
    found = max(0.0, 1.0 - distance_within(cue.sound, heard) / length)
    explained = min(1.0, length / key_length(heard))
    return _SOUND_TRUST * found * (1 - _doubt(cue.weight) * (1 - explained))


def _pairs(sound: str) -> frozenset[str]:
    return frozenset(sound[at : at + 2] for at in range(len(sound) - 1))


def _shared(pairs: frozenset[str], heard: frozenset[str]) -> float:
    return len(pairs & heard) / (len(pairs) or 1)


def answer_score(hearing: Hearing, expected: str) -> float:
    """0..1: whether the listener said this sentence, all of it and nothing else; function words count in full.

    For a lesson, where "I have eaten" and "I has eaten" differ in what matters.
    """
    words = words_of(expected)
    scores = [
        _READING_DISCOUNT**rank * _sentence_score(words, heard) for rank, heard in enumerate(hearing.readings) if words
    ]
    return max(scores, default=0.0)


def _rejoined(words: tuple[str, ...], heard: tuple[str, ...]) -> tuple[str, ...]:
    """What was heard, with two words made one where that is what was expected: "eat in" for "eaten"."""
    joined: list[str] = []
    at = 0
    while at < len(heard):
        pair = heard[at : at + 2]
        # A word that is expected as it was heard is not half of another one.
        fits = len(pair) == 2 and not set(pair) & set(words) and _fits(words, "".join(pair), heard[at])
        joined.append("".join(pair) if fits else heard[at])
        at += 2 if fits else 1
    return tuple(joined)


def _fits(words: tuple[str, ...], pair: str, first: str) -> bool:
    return any(likeness(word, pair) >= _REJOINED and likeness(word, pair) > likeness(word, first) for word in words)


def _sentence_score(words: tuple[str, ...], heard: tuple[str, ...]) -> float:
    heard = _rejoined(words, heard)
    weights = [0.5 + 0.5 * weight_of(word) for word in words]
    heard_weights = [0.5 + 0.5 * weight_of(word) for word in heard]
    alike = [[likeness(word, other) for other in heard] for word in words]
    shared = _in_order(alike, weights)
    turned = [list(column) for column in zip(*alike, strict=True)]
    shared_heard = _in_order(turned, heard_weights)
    recall, precision = shared / sum(weights), shared_heard / sum(heard_weights)
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0
