"""A trigram model with back-off as arrays."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Logs = NDArray[np.float64]

NEVER = -99.0
"""log10 of the probability of what the model does not know (the ARPA convention for impossible)."""


@dataclass(frozen=True)
class TrigramModel:
    """All logarithms to base 10. N-grams are rows of word ids in spoken order, sorted, no two alike."""

    words: tuple[str, ...]
    """[V]"""
    unigram: Logs
    unigram_backoff: Logs
    bigrams: Ids
    """[N2, 2]"""
    bigram: Logs
    bigram_backoff: Logs
    trigrams: Ids
    """[N3, 3]"""
    trigram: Logs

    @cached_property
    def bigram_keys(self) -> Ids:
        """[N2] ascending."""
        return self.keys(self.bigrams)

    @cached_property
    def trigram_keys(self) -> Ids:
        """[N3] ascending."""
        return self.keys(self.trigrams)

    def keys(self, ngrams: Ids) -> Ids:
        """One number for each row, in the order of the rows. Fits 64 bits up to two million words."""
        key = ngrams[:, 0].astype(np.int64)
        for column in range(1, ngrams.shape[1]):
            key = key * len(self.words) + ngrams[:, column]
        return key

    def bigram_log(self, pairs: Ids) -> Logs:
        """log10 P(second | first) for `pairs` [N, 2], backing off where the pair is not listed."""
        at, listed = find(self.bigram_keys, self.keys(pairs))
        backed_off = self.bigram_backed_off(pairs)
        if not self.bigram_keys.size:
            return np.maximum(backed_off, NEVER)
        return np.maximum(np.where(listed, self.bigram[at], backed_off), NEVER)

    def bigram_backed_off(self, pairs: Ids) -> Logs:
        """What `bigram_log` would be if no pair were listed."""
        return self.unigram_backoff[pairs[:, 0]] + self.unigram[pairs[:, 1]]

    def trigram_log(self, triples: Ids) -> Logs:
        """log10 P(third | first, second) for `triples` [N, 3]."""
        backed_off = self.context_backoff(triples[:, :2]) + self.bigram_log(triples[:, 1:])
        at, listed = find(self.trigram_keys, self.keys(triples))
        if not self.trigram_keys.size:
            return np.maximum(backed_off, NEVER)
        return np.maximum(np.where(listed, self.trigram[at], backed_off), NEVER)

    def context_backoff(self, pairs: Ids) -> Logs:
        """log10 back-off weight of the contexts `pairs` [N, 2]; 0 for one that is not listed."""
        at, listed = find(self.bigram_keys, self.keys(pairs))
        if not self.bigram_keys.size:
            return np.zeros(len(pairs))
        return np.where(listed, self.bigram_backoff[at], 0.0)

    def within(self, words: tuple[str, ...]) -> Self:
        """The same model over the larger vocabulary `words`, where new words have no probability."""
        place = {word: index for index, word in enumerate(words)}
        moved = np.array([place[word] for word in self.words], np.int64)
        unigram, backoff = np.full(len(words), NEVER), np.zeros(len(words))
        unigram[moved], backoff[moved] = self.unigram, self.unigram_backoff
        bigrams, trigrams = moved[self.bigrams], moved[self.trigrams]
        second, third = np.lexsort(bigrams.T[::-1]), np.lexsort(trigrams.T[::-1])
        return type(self)(
            words=words,
            unigram=unigram,
            unigram_backoff=backoff,
            bigrams=bigrams[second],
            bigram=self.bigram[second],
            bigram_backoff=self.bigram_backoff[second],
            trigrams=trigrams[third],
            trigram=self.trigram[third],
        )


def find(keys: Ids, wanted: Ids) -> tuple[Ids, NDArray[np.bool_]]:
    """Where each of `wanted` stands in the ascending `keys`, and whether it does; a place is valid in any case."""
    if not keys.size:
        return np.zeros(wanted.size, np.int64), np.zeros(wanted.size, np.bool_)
    at = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return at, keys[at] == wanted
