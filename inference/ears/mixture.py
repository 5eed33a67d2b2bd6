"""One trigram model out of two: what this character's listeners say, and what people say."""

import numpy as np
from numpy.typing import NDArray

from inference.ears.domain_model import ContextCounts
from inference.ears.trigram_model import NEVER, Ids, Logs, TrigramModel, find

_TRUST = 3.0
"""A context seen so often in the domain gets half of the weight the domain may have."""

_LEAST_MASS = 1e-4
"""Left for what is not listed after a context, so that no word becomes impossible."""


def mix(general: TrigramModel, domain: TrigramModel, seen: ContextCounts, general_weight: float) -> TrigramModel:
    """Interpolate: P(w|h) = (1 - d(h)) General(w|h) + d(h) Domain(w|h), with d(h) = (1 - general_weight) c / (c + 3).

    c is how often the domain has the context h. Where the domain has nothing to say the general model therefore keeps
    its full strength: with one weight everywhere each word off the script would cost a factor of `general_weight`.
    The result is a proper back-off model over the union of both vocabularies and n-grams.
    """
    words = tuple(dict.fromkeys((*general.words, *domain.words)))
    wide, narrow = general.within(words), domain.within(words)
    share = 1.0 - general_weight
    unigram = _blend(wide.unigram, narrow.unigram, np.full(len(words), share))

    pair_keys = np.union1d(wide.bigram_keys, narrow.bigram_keys)
    pairs = _rows(pair_keys, len(words), 2)
    of_word = np.zeros(len(words))
    place = {word: index for index, word in enumerate(words)}
    for word, count in seen.words.items():
        of_word[place[word]] = share * count / (count + _TRUST)
    bigram = _blend(wide.bigram_log(pairs), narrow.bigram_log(pairs), of_word[pairs[:, 0]])
    unigram_backoff = _backoff(pairs[:, 0], len(words), bigram, unigram[pairs[:, 1]])

    triple_keys = np.union1d(wide.trigram_keys, narrow.trigram_keys)
    triples = _rows(triple_keys, len(words), 3)
    contexts = np.array([place[first] * len(words) + place[second] for first, second in seen.pairs], np.int64)
    counts = np.array(list(seen.pairs.values()))
    at, listed = find(pair_keys, contexts)
    of_pair = np.zeros(pair_keys.size)
    of_pair[at[listed]] = (share * counts / (counts + _TRUST))[listed]
    context, _ = find(pair_keys, triples[:, 0] * len(words) + triples[:, 1])
    trigram = _blend(wide.trigram_log(triples), narrow.trigram_log(triples), of_pair[context])
    mixed = TrigramModel(words, unigram, unigram_backoff, pairs, bigram, np.zeros(len(pairs)), triples, trigram)
    bigram_backoff = _backoff(context, len(pairs), trigram, mixed.bigram_log(triples[:, 1:]))
    return TrigramModel(words, unigram, unigram_backoff, pairs, bigram, bigram_backoff, triples, trigram)


def _blend(general: Logs, domain: Logs, domain_share: NDArray[np.float64]) -> Logs:
    """log10 of the weighted mean of two probabilities."""
    mean = (1.0 - domain_share) * np.power(10.0, general) + domain_share * np.power(10.0, domain)
    return np.log10(np.maximum(mean, 10.0**NEVER))


def _backoff(context: Ids, contexts: int, listed: Logs, lower: Logs) -> Logs:
    """[contexts] log10 weights that make each context's listed and backed-off probabilities sum to one."""
    left = 1.0 - np.bincount(context, np.power(10.0, listed), contexts)
    covered = 1.0 - np.bincount(context, np.power(10.0, lower), contexts)
    return np.log10(np.maximum(left, _LEAST_MASS) / np.maximum(covered, _LEAST_MASS))


def _rows(keys: Ids, base: int, columns: int) -> Ids:
    """The inverse of `TrigramModel.keys`."""
    return np.stack([keys // base**power % base for power in range(columns - 1, -1, -1)], axis=1)
