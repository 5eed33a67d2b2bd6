"""Reads pocketsphinx's binary trie language models into arrays.

The library can look an n-gram up but not list them, and it crashes writing the wheel's model as ARPA. The format (its
`lm_trie.c` and `lm_trie_quant.c`), little endian: 19 bytes of magic; order u8; n-gram counts u32 per order; quantiser
kind u32 and its tables; unigrams (probability f32, back-off f32, next u32), one more than there are words; a bit-
packed array for each higher order, whose end is given by the closing entry of the order below; length u32 and the
words, zero-terminated. An entry of a middle order packs word, back-off bin, probability bin and next; one of the
longest order word and probability bin. N-grams are stored backwards: the children of a word are the words before it.
Probabilities are logarithms to base 1.0001.
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.ears.trigram_model import TrigramModel

_MAGIC = b"Trie Language Model"
_QUANT_16 = 1
_BINS = 1 << 16
_LOG10_PER_UNIT = math.log10(1.0001)
_PADDING_BYTES = 8


def read_trie(path: Path) -> TrigramModel:
    """Raises `ValueError` when the file is no 16-bit quantised trigram trie, `OSError` when it cannot be read."""
    data = path.read_bytes()
    if not data.startswith(_MAGIC) or data[len(_MAGIC)] != 3:
        raise ValueError(f"{path.name} is no trigram model in trie format")
    at = len(_MAGIC) + 1
    words, pairs, triples = (int(n) for n in np.frombuffer(data, "<u4", 3, at))
    at += 12
    if int(np.frombuffer(data, "<u4", 1, at)[0]) != _QUANT_16:
        raise ValueError(f"{path.name} is not quantised to 16 bits")
    tables = np.frombuffer(data, "<f4", 3 * _BINS, at + 4).reshape(3, _BINS).astype(np.float64) * _LOG10_PER_UNIT
    at += 4 + 12 * _BINS
    roots = np.frombuffer(data, [("p", "<f4"), ("b", "<f4"), ("next", "<u4")], words + 1, at)
    at += 12 * (words + 1)

    middle = _Packed(data, at, pairs, (_bits(words), 16, 16, _bits(triples)))
    longest = _Packed(data, middle.end, triples, (_bits(words), 16))
    second = _parents(roots["next"].astype(np.int64))
    first = middle.field(0)[: second.size]
    pair = _parents(middle.field(3)[: second.size + 1])
    before = longest.field(0)[: pair.size]
    bigrams = np.stack([first, second], axis=1)
    trigrams = np.stack([before, first[pair], second[pair]], axis=1)
    by_pair, by_triple = np.lexsort(bigrams.T[::-1]), np.lexsort(trigrams.T[::-1])
    return TrigramModel(
        words=_read_words(data, longest.end, words),
        unigram=roots["p"][:words].astype(np.float64) * _LOG10_PER_UNIT,
        unigram_backoff=roots["b"][:words].astype(np.float64) * _LOG10_PER_UNIT,
        bigrams=bigrams[by_pair],
        bigram=tables[0][middle.field(2)[: second.size]][by_pair],
        bigram_backoff=tables[1][middle.field(1)[: second.size]][by_pair],
        trigrams=trigrams[by_triple],
        trigram=tables[2][longest.field(1)[: pair.size]][by_triple],
    )


class _Packed:
    """`count` entries, and one more closing the last, of unsigned fields of so many bits, lowest bits first."""

    def __init__(self, data: bytes, start: int, count: int, widths: tuple[int, ...]) -> None:
        self._widths = widths
        self._entries = count + 1
        packed = (self._entries * sum(widths) + 7) // 8 + _PADDING_BYTES
        self.end = start + packed
        self._bytes = np.frombuffer(data[start : self.end] + bytes(_PADDING_BYTES), np.uint8)

    def field(self, index: int) -> NDArray[np.int64]:
        offset = sum(self._widths[:index])
        bits = np.arange(self._entries, dtype=np.int64) * sum(self._widths) + offset
        first = bits >> 3
        value = np.zeros(self._entries, np.uint64)
        for byte in range(5):
            value |= self._bytes[first + byte].astype(np.uint64) << np.uint64(8 * byte)
        mask = np.uint64((1 << self._widths[index]) - 1)
        return ((value >> (bits & 7).astype(np.uint64)) & mask).astype(np.int64)


def _bits(largest: int) -> int:
    return largest.bit_length()


def _parents(starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """For every child its parent, given where each parent's children start, and a closing entry."""
    return np.repeat(np.arange(len(starts) - 1), np.diff(starts))


def _read_words(data: bytes, at: int, count: int) -> tuple[str, ...]:
    length = int(np.frombuffer(data, "<u4", 1, at)[0])
    words = data[at + 4 : at + 4 + length].decode("utf-8").split("\0")[:-1]
    if len(words) != count:
        raise ValueError(f"{len(words)} words where {count} are declared")
    return tuple(words)
