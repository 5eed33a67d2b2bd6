"""A trigram model of a few thousand weighted sentences."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.ears.trigram_model import NEVER, TrigramModel

START, END = "<s>", "</s>"

Ngram = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextCounts:
    """How often something followed a word, and a pair of words."""

    words: Mapping[str, float]
    pairs: Mapping[tuple[str, str], float]


def domain_model(sentences: Iterable[tuple[Sequence[str], float]]) -> tuple[TrigramModel, ContextCounts]:
    """Estimate from (words, weight) sentences; also say how well each context is known.

    Interpolated Witten-Bell smoothing (Witten and Bell 1991): P(w|h) = (c(h w) + t(h) P(w|h')) / (c(h) + t(h)), t being
    the number of different words seen after h and h' the context without its first word.
    """
    ones: dict[Ngram, float] = defaultdict(float)
    twos: dict[Ngram, float] = defaultdict(float)
    threes: dict[Ngram, float] = defaultdict(float)
    for words, weight in sentences:
        line = (START, *words, END)
        for index, word in enumerate(line[1:], start=1):
            ones[(word,)] += weight
            twos[line[index - 1 : index + 1]] += weight
            if index > 1:
                threes[line[index - 2 : index + 1]] += weight

    total = sum(ones.values())
    unigram = {gram: count / total for gram, count in ones.items()}
    unigram.setdefault((START,), 10.0**NEVER)
    bigram, after_word, left_by_word = _smoothed(twos, unigram)
    trigram, after_pair, left_by_pair = _smoothed(threes, bigram)

    vocabulary = sorted(word for (word,) in unigram)
    model = _as_arrays(vocabulary, (unigram, bigram, trigram), (left_by_word, left_by_pair))
    seen = ContextCounts(
        words={context[0]: count for context, count in after_word.items()},
        pairs={(context[0], context[1]): count for context, count in after_pair.items()},
    )
    return model, seen


def _smoothed(
    counts: Mapping[Ngram, float], lower: Mapping[Ngram, float]
) -> tuple[dict[Ngram, float], dict[Ngram, float], dict[Ngram, float]]:
    """Probabilities of the n-grams counted, total count of each context, and its share left for back-off."""
    after: dict[Ngram, float] = defaultdict(float)
    kinds: dict[Ngram, int] = defaultdict(int)
    for gram, count in counts.items():
        after[gram[:-1]] += count
        kinds[gram[:-1]] += 1
    left = {context: kinds[context] / (after[context] + kinds[context]) for context in after}
    probability = {
        gram: (count + kinds[gram[:-1]] * lower[gram[1:]]) / (after[gram[:-1]] + kinds[gram[:-1]])
        for gram, count in counts.items()
    }
    return probability, after, left


def _as_arrays(
    vocabulary: Sequence[str],
    probabilities: tuple[Mapping[Ngram, float], Mapping[Ngram, float], Mapping[Ngram, float]],
    left: tuple[Mapping[Ngram, float], Mapping[Ngram, float]],
) -> TrigramModel:
    place = {word: index for index, word in enumerate(vocabulary)}
    ordered = [sorted(table, key=lambda gram: tuple(place[word] for word in gram)) for table in probabilities]
    logs = [
        np.array([math.log10(table[gram]) for gram in grams])
        for table, grams in zip(probabilities, ordered, strict=True)
    ]
    ids = [
        np.array([[place[word] for word in gram] for gram in grams], np.int64).reshape(-1, order)
        for order, grams in enumerate(ordered, start=1)
    ]
    backoffs = [
        np.array([math.log10(shares.get(gram, 1.0)) for gram in grams])
        for shares, grams in zip(left, ordered[:2], strict=True)
    ]
    return TrigramModel(tuple(vocabulary), logs[0], backoffs[0], ids[1], logs[1], backoffs[1], ids[2], logs[2])
