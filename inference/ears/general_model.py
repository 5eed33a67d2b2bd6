"""The general model of the wheel, cut down to what a laptop can mix and load in a second."""

import numpy as np

from inference.ears.model_cache import ModelCache
from inference.ears.trie_file import read_trie
from inference.ears.trigram_model import Ids, Logs, TrigramModel
from inference.ears.wheel import general_model_path, pronunciations

VOCABULARY = 20_000
BIGRAMS = 400_000
TRIGRAMS = 300_000
"""How much of the general model is kept: the words most often said, the n-grams that lose most by backing off."""

_ARRAYS = ("unigram", "unigram_backoff", "bigrams", "bigram", "bigram_backoff", "trigrams", "trigram")


def load_general(cache: ModelCache) -> TrigramModel:
    """The pruned model, from the cache or cut now (three seconds).

    Raises `OSError` or `ValueError` when the wheel's cannot be read.
    """
    source = general_model_path()
    name = f"general-{source.stat().st_size}-{VOCABULARY}-{BIGRAMS}-{TRIGRAMS}.npz"
    if cache.holds(name):
        with np.load(cache.path(name), allow_pickle=False) as stored:
            return TrigramModel(tuple(stored["words"].tolist()), **{array: stored[array] for array in _ARRAYS})
    model = prune(with_words(read_trie(source), VOCABULARY), BIGRAMS, TRIGRAMS)
    arrays = {array: getattr(model, array) for array in _ARRAYS}
    cache.write(name, lambda path: np.savez(path, words=np.array(model.words), **arrays))
    return model


def with_words(model: TrigramModel, count: int) -> TrigramModel:
    """Only the `count` likeliest words that have a pronunciation, and the n-grams made of them."""
    known = pronunciations()
    sayable = np.array([word in known or word in ("<s>", "</s>") for word in model.words])
    likely = np.argsort(-np.where(sayable, model.unigram, -np.inf), kind="stable")[:count]
    kept = np.zeros(len(model.words), np.bool_)
    kept[likely] = True
    kept &= sayable
    kept |= np.array([word in ("<s>", "</s>") for word in model.words])
    renamed = np.cumsum(kept) - 1
    pairs, triples = kept[model.bigrams].all(axis=1), kept[model.trigrams].all(axis=1)
    return TrigramModel(
        words=tuple(word for word, keep in zip(model.words, kept, strict=True) if keep),
        unigram=model.unigram[kept],
        unigram_backoff=model.unigram_backoff[kept],
        bigrams=renamed[model.bigrams[pairs]],
        bigram=model.bigram[pairs],
        bigram_backoff=model.bigram_backoff[pairs],
        trigrams=renamed[model.trigrams[triples]],
        trigram=model.trigram[triples],
    )


def prune(model: TrigramModel, bigrams: int, trigrams: int) -> TrigramModel:
    """Keep the n-grams whose loss would cost most: P(h, w) times what the log-probability changes by backing off.

    After Stolcke, "Entropy-based pruning of backoff language models" (1998), without the change of the back-off weight.
    """
    triples, thirds = model.trigrams, model.trigram
    backed_off = model.context_backoff(triples[:, :2]) + model.bigram_log(triples[:, 1:])
    context = model.unigram[triples[:, 0]] + model.bigram_log(triples[:, :2])
    third = _costliest(context + thirds, thirds - backed_off, trigrams)

    pairs, seconds = model.bigrams, model.bigram
    cost = (model.unigram[pairs[:, 0]] + seconds, seconds - model.bigram_backed_off(pairs))
    second = _costliest(*cost, bigrams)
    needed = np.union1d(second, np.searchsorted(model.bigram_keys, np.unique(model.keys(triples[third][:, :2]))))
    needed = needed[needed < len(pairs)]
    return TrigramModel(
        words=model.words,
        unigram=model.unigram,
        unigram_backoff=model.unigram_backoff,
        bigrams=pairs[needed],
        bigram=seconds[needed],
        bigram_backoff=model.bigram_backoff[needed],
        trigrams=triples[third],
        trigram=thirds[third],
    )


def _costliest(log_weight: Logs, log_change: Logs, count: int) -> Ids:
    """Ascending places of the `count` greatest 10**log_weight * log_change."""
    cost = np.power(10.0, log_weight) * np.abs(log_change)
    if cost.size <= count:
        return np.arange(cost.size)
    return np.sort(np.argpartition(-cost, count)[:count])
