"""A language model for each character, by content: in memory, on disk, or built now."""

import hashlib
import io
import json
import logging
import threading
from collections import OrderedDict, defaultdict
from pathlib import Path

from pocketsphinx import Config, LogMath, NGramModel

from inference.ears.arpa import write_arpa
from inference.ears.domain_model import END, START, domain_model
from inference.ears.general_model import load_general
from inference.ears.letter_to_sound import Rules, learn
from inference.ears.listener_text import WeightedSentence, weighted_sentences
from inference.ears.mixture import mix
from inference.ears.model_cache import ModelCache
from inference.ears.pronunciation import Pronouncer
from inference.ears.recogniser import CharacterModel
from inference.ears.trigram_model import TrigramModel
from inference.ears.wheel import pronunciations
from inference.errors import ModelFault
from inference.protocol import EarsSpec

log = logging.getLogger(__name__)

RECIPE = "2"
"""Raised whenever the same spec would give another model: older files in the cache are then passed over."""

_IN_MEMORY = 32
_LEARNED_FROM = 8
"""Every so-manieth word of the dictionary teaches letter-to-sound: more of them are slow and hardly better."""


class LanguageModels:
    """Thread-safe: one character's model is built once, others meanwhile."""

    def __init__(self, cache_dir: Path) -> None:
        self._cache = ModelCache(cache_dir)
        self._lock = threading.Lock()
        self._building: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._ready: OrderedDict[str, tuple[CharacterModel, NGramModel]] = OrderedDict()
        self._keys: dict[EarsSpec, str] = {}
        self._general: TrigramModel | None = None
        self._pronouncer = Pronouncer(pronunciations(), self._letter_rules)

    def prepare(self, spec: EarsSpec) -> tuple[CharacterModel, NGramModel]:
        """The model of `spec`: at once if it is in memory, in 50 ms from disk, else built in about three seconds.

        Raises `ModelFault` when it cannot be built, for instance because the disk is full.
        """
        key = self._key(spec)
        if found := self._in_memory(key):
            return found
        with self._lock:
            building = self._building[key]
        with building:
            if found := self._in_memory(key):
                return found
            try:
                found = self._from_disk(key) or self._build(key, spec)
            except (OSError, RuntimeError, ValueError) as error:
                raise ModelFault(f"cannot build a language model: {error}") from error
            self._remember(key, found)
            return found

    def dictionary(self) -> Path:
        """The file with the pronunciations of the general vocabulary; written when missing or damaged."""
        general = self._general_model()
        lines = io.StringIO()
        for word in general.words:
            if word not in (START, END):
                lines.writelines(f"{token} {phones}\n" for token, phones in self._entries(word))
        text = lines.getvalue()
        name = f"general-{hashlib.sha256(text.encode()).hexdigest()[:16]}.dict"
        if not self._cache.holds(name):
            self._cache.write_text(name, text)
        return self._cache.path(name)

    def _key(self, spec: EarsSpec) -> str:
        with self._lock:
            if (known := self._keys.get(spec)) is not None:
                return known
        content = json.dumps([RECIPE, spec.phrases, spec.script, spec.general_weight])
        key = hashlib.sha256(content.encode()).hexdigest()[:24]
        with self._lock:
            if len(self._keys) >= 4 * _IN_MEMORY:
                self._keys.clear()
            self._keys[spec] = key
        return key

    def _in_memory(self, key: str) -> tuple[CharacterModel, NGramModel] | None:
        with self._lock:
            found = self._ready.get(key)
            if found is not None:
                self._ready.move_to_end(key)
            return found

    def _remember(self, key: str, found: tuple[CharacterModel, NGramModel]) -> None:
        with self._lock:
            self._ready[key] = found
            self._building.pop(key, None)
            while len(self._ready) > _IN_MEMORY:
                self._ready.popitem(last=False)

    def _from_disk(self, key: str) -> tuple[CharacterModel, NGramModel] | None:
        words = self._cache.read_json(f"{key}.json")
        if words is None or not self._cache.holds(f"{key}.bin"):
            return None
        extra = tuple((token, phones) for token, phones in words)
        return CharacterModel(key, extra), read_ngrams(self._cache.path(f"{key}.bin"))

    def _build(self, key: str, spec: EarsSpec) -> tuple[CharacterModel, NGramModel]:
        general = self._general_model()
        spoken = [(words, weight) for words, weight in weighted_sentences(spec) if self._sayable(words)]
        domain, seen = domain_model(spoken)
        extra = self._extra_words(spoken, general)
        self._cache.write(
            f"{key}.bin", lambda path: _write_model(mix(general, domain, seen, spec.general_weight), path)
        )
        self._cache.write_json(f"{key}.json", extra)
        self._cache.drop_old(".bin")
        log.info("built a language model of %d sentences with %d new pronunciations", len(spoken), len(extra))
        return CharacterModel(key, tuple(extra)), read_ngrams(self._cache.path(f"{key}.bin"))

    def _sayable(self, words: list[str]) -> bool:
        return all(self._pronouncer.ways(word) for word in words)

    def _extra_words(self, spoken: list[WeightedSentence], general: TrigramModel) -> list[tuple[str, str]]:
        new = sorted({word for words, _ in spoken for word in words} - set(general.words))
        return [entry for word in new for entry in self._entries(word)]

    def _entries(self, word: str) -> list[tuple[str, str]]:
        """Dictionary entries, alternates numbered as the decoder wants them."""
        ways = self._pronouncer.ways(word)
        return [(word if index == 1 else f"{word}({index})", phones) for index, phones in enumerate(ways, start=1)]

    def _general_model(self) -> TrigramModel:
        with self._lock:
            building = self._building["general"]
        with building:
            if self._general is None:
                self._general = load_general(self._cache)
            return self._general

    def _letter_rules(self) -> Rules:
        name = f"letters-{RECIPE}.json"
        rules = self._cache.read_json(name)
        if rules is None:
            words = list(pronunciations().items())[::_LEARNED_FROM]
            rules = learn((word, tuple(ways[0].split())) for word, ways in words)
            self._cache.write_json(name, rules)
        return dict(rules)


def read_ngrams(path: Path) -> NGramModel:
    """A language model that any number of decoders may share, as decoding holds the interpreter lock.

    Read with a configuration: without one pocketsphinx leaves out the language weight and recognises nonsense.
    Raises `ValueError` when the file is not there or no model.
    """
    return NGramModel(Config(loglevel="FATAL"), LogMath(), str(path))


def _write_model(model: TrigramModel, path: Path) -> None:
    """By way of ARPA, which pocketsphinx turns into its compact form."""
    arpa = path.with_suffix(".arpa")
    try:
        with arpa.open("w", encoding="utf-8") as out:
            write_arpa(model, out)
        ngrams = read_ngrams(arpa)
        ngrams.write(str(path), ngrams.str_to_type("bin"))
    finally:
        arpa.unlink(missing_ok=True)
