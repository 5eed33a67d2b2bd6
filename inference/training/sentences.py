"""The sentences the teachers speak: the cast's own lines, patterns filled with numbers and names, and sentences
drawn from pocketsphinx's trigram model (BSD licence). Nothing here is copied from a book or a corpus.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from inference.ears.general_model import load_general
from inference.ears.model_cache import ModelCache
from inference.ears.trigram_model import TrigramModel

FEWEST_WORDS, MOST_WORDS = 2, 18
_SENTENCE = re.compile(r"[^.!?…]+[.!?…]+")
_SPOKEN = re.compile(r"^[A-Za-z0-9 ,.'?!;:$%-]+$")

_NAMES = (
    "Anna Ben Carla David Ella Frank Grace Henry Ivy Jack Karen Leo Maria Nathan Olivia Peter Quinn Rosa Samuel Tara "
    "Victor Wendy Xavier Yasmin Zoe Thompson Miller Garcia Baker Wright Chen Kowalski Murphy Schmidt Patel Okafor"
).split()
_PLACES = (
    "London Paris Chicago Boston Berlin Madrid Dublin Sydney Toronto Tokyo Rome Vienna Oslo Lisbon Denver Portland"
).split()
_THINGS = (
    "apple book car door egg friend garden house island job kitchen letter morning neighbour orange picture question "
    "river story table umbrella village window year zebra chair dream engine flower guitar hospital jacket knife lamp "
    "mirror"
).split()
_VERBS = "like want know remember see hear need find miss enjoy bring keep leave watch finish change carry hide".split()
_ADJECTIVES = (
    "small old bright quiet strange lovely cold heavy early green broken funny gentle hungry jealous proud".split()
)
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTHS = "January February March April May June July August September October November December".split()
_CLOSINGS = (".", ".", ".", "!", "?", "...")
_OPENINGS = ("Well, ", "So, ", "Oh, ", "Yes, ", "No, ", "Listen, ", "You know, ", "Okay, ", "Hmm, ", "Right, ")

_PATTERNS = (
    "My name is {name} and I live in {place}.",
    "I was born on the {day} of {month}, {year}.",
    "Did you {verb} the {adjective} {thing} yesterday?",
    "What do you think about the {thing}, {name}?",
    "It costs {n} dollars and {m} cents.",
    "The train to {place} leaves at {hour} {minute} on {weekday}.",
    "{name} has {n} {thing}s, but {name2} has only {m}.",
    "Please {verb} the {thing}, and then the {thing2}.",
    "Why is the {thing} so {adjective}?",
    "I really {verb} this {adjective} {adjective2} {thing}!",
    "Chapter {m}. The {adjective} {thing}.",
    "Call me at {digits}.",
    "Is it {weekday} or {weekday2} today?",
    "{n} times {m} is a big number.",
    "Once upon a time, in {place}, there lived a {adjective} {thing}.",
    "The {adjective} {thing} and the {thing2} were {adjective2}.",
    "Can you {verb} {n} {thing}s for {name}?",
    "{name}, where did you {verb} my {thing}?",
)


def cast_sentences(folder: Path) -> list[str]:
    """Every English sentence that the characters in `folder` say."""
    found: set[str] = set()
    for path in sorted(folder.glob("*.yaml")):
        for text in _texts(yaml.safe_load(path.read_text(encoding="utf-8"))):
            flat = " ".join(text.replace("’", "'").replace("“", "").replace("”", "").split())
            found.update(_whole(sentence.strip()) for sentence in _SENTENCE.findall(flat))
    return sorted(sentence for sentence in found if sentence)


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)


def _whole(sentence: str) -> str:
    words = len(sentence.split())
    return sentence if _SPOKEN.match(sentence) and FEWEST_WORDS <= words <= 2 * MOST_WORDS else ""


def pattern_sentence(draw: random.Random) -> str:
    """A pattern with its gaps filled: names, numbers, days, questions."""
    values: dict[str, object] = {
        "name": draw.choice(_NAMES), "name2": draw.choice(_NAMES), "place": draw.choice(_PLACES),
        "thing": draw.choice(_THINGS), "thing2": draw.choice(_THINGS), "verb": draw.choice(_VERBS),
        "adjective": draw.choice(_ADJECTIVES), "adjective2": draw.choice(_ADJECTIVES),
        "weekday": draw.choice(_DAYS), "weekday2": draw.choice(_DAYS), "month": draw.choice(_MONTHS),
        "day": draw.choice(("first", "second", "third", "fifth", "tenth", "twelfth", "twentieth", "thirty first")),
        "year": draw.randint(1900, 2030), "n": draw.randint(2, 999), "m": draw.randint(2, 99),
        "hour": draw.randint(1, 12), "minute": draw.randint(10, 59),
        "digits": " ".join(str(draw.randint(0, 9)) for _ in range(7)),
    }  # fmt: skip
    return draw.choice(_PATTERNS).format(**values)


class SampledSentences:
    """Sentences of the general trigram model, which are English in the small and nonsense in the large."""

    def __init__(self, cache: Path) -> None:
        """Raises `OSError` or `ValueError` when pocketsphinx's model cannot be read."""
        self._model: TrigramModel = load_general(ModelCache(cache))
        words = self._model.words
        self._begin, self._end = words.index("<s>"), words.index("</s>")
        self._unigram = np.power(10.0, self._model.unigram)
        self._unigram[self._begin] = 0.0
        self._unigram /= self._unigram.sum()

    def draw(self, random_: random.Random) -> str:
        """One sentence with commas and a closing mark. Rare words turn up more often than the model has them."""
        while True:
            words = self._words(random_)
            if FEWEST_WORDS <= len(words) <= MOST_WORDS:
                return _punctuated(words, random_)

    def _words(self, random_: random.Random) -> list[str]:
        before, last = self._begin, self._begin
        words: list[str] = []
        while len(words) <= MOST_WORDS:
            following = self._next(before, last, random_)
            if following == self._end:
                break
            words.append(self._model.words[following])
            before, last = last, following
        return words

    def _next(self, before: int, last: int, random_: random.Random) -> int:
        model, size = self._model, len(self._model.words)
        for keys, rows, logs, context in (
            (model.trigram_keys, model.trigrams, model.trigram, before * size + last),
            (model.bigram_keys, model.bigrams, model.bigram, last),
        ):
            low, high = np.searchsorted(keys, (context * size, (context + 1) * size))
            chances = np.power(10.0, logs[low:high])
            at = random_.random()
            if chances.sum() > at:
                return int(rows[low + int(np.searchsorted(chances.cumsum(), at)), -1])
        return int(np.searchsorted(self._unigram.cumsum(), random_.random()))


def _punctuated(words: list[str], random_: random.Random) -> str:
    words = ["I" + word[1:] if word == "i" or word.startswith("i'") else word for word in words]
    if len(words) > 7 and random_.random() < 0.6:
        at = random_.randint(3, len(words) - 3)
        words[at] += random_.choice((",", ",", ",", ";", ":", " -"))
    text = " ".join(words) + random_.choice(_CLOSINGS)
    text = text[0].upper() + text[1:]
    return random_.choice(_OPENINGS) + text if random_.random() < 0.1 else text


def sentences(count: int, seed: int, cast: Path, cache: Path) -> list[str]:
    """`count` different sentences: the cast's, then a sixth from patterns, the rest sampled. Same seed, same list."""
    random_ = random.Random(seed)
    sampled = SampledSentences(cache)
    chosen = dict.fromkeys(cast_sentences(cast)[:count])
    while len(chosen) < count:
        chosen[pattern_sentence(random_) if random_.random() < 1 / 6 else sampled.draw(random_)] = None
    ordered = list(chosen)
    random_.shuffle(ordered)
    return ordered
