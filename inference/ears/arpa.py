"""Writes a trigram model in the ARPA format that pocketsphinx reads."""

from collections.abc import Iterator
from typing import TextIO

import numpy as np

from inference.ears.trigram_model import Ids, Logs, TrigramModel

_CERTAIN = -0.0001
"""Rounding must not make a probability exceed one."""


def write_arpa(model: TrigramModel, out: TextIO) -> None:
    counts = (len(model.words), len(model.bigrams), len(model.trigrams))
    out.write("\\data\\\n" + "".join(f"ngram {order}={count}\n" for order, count in enumerate(counts, start=1)))
    out.write("\n\\1-grams:\n")
    out.writelines(_lines(model.unigram, [model.words], model.unigram_backoff))
    out.write("\n\\2-grams:\n")
    out.writelines(_lines(model.bigram, _columns(model, model.bigrams), model.bigram_backoff))
    out.write("\n\\3-grams:\n")
    out.writelines(_lines(model.trigram, _columns(model, model.trigrams), None))
    out.write("\n\\end\\\n")


def _columns(model: TrigramModel, ngrams: Ids) -> list[list[str]]:
    return [[model.words[index] for index in column] for column in ngrams.T.tolist()]


def _lines(logs: Logs, columns: list[tuple[str, ...]] | list[list[str]], backoffs: Logs | None) -> Iterator[str]:
    capped = np.minimum(logs, _CERTAIN).tolist()
    grams = map(" ".join, zip(*columns, strict=True))
    if backoffs is None:
        return (f"{log:.4f}\t{gram}\n" for log, gram in zip(capped, grams, strict=True))
    rows = zip(capped, grams, backoffs.tolist(), strict=True)
    return (f"{log:.4f}\t{gram}\t{backoff:.4f}\n" for log, gram, backoff in rows)
