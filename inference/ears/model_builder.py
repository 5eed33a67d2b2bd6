"""Makes language models and writes them to the cache: a program of its own.

Building takes seconds and holds the interpreter lock, which would silence every live call of the process it runs in.
`python -m inference.ears.model_builder CACHE_DIR` reads a spec as JSON from standard input.
"""

import hashlib
import io
import json
import sys
from pathlib import Path

from inference.ears.arpa import write_arpa
from inference.ears.domain_model import END, START, domain_model
from inference.ears.general_model import load_general
from inference.ears.listener_text import WeightedSentence, weighted_sentences
from inference.ears.mixture import mix
from inference.ears.model_cache import ModelCache
from inference.ears.ngrams import read_ngrams
from inference.ears.pronunciation import Pronouncer
from inference.ears.trigram_model import TrigramModel
from inference.ears.wheel import pronunciations
from inference.pronunciation.letter_to_sound import Rules, learn
from inference.protocol import EarsSpec

RECIPE = "3"
"""Raised whenever the same spec would give another model: older files in the cache are then passed over."""

DICTIONARY = f"dictionary-{RECIPE}.json"
"""Holds the name of the file with the pronunciations of the general vocabulary."""

_LEARNED_FROM = 8
"""Every so-manieth word of the dictionary teaches letter-to-sound: more of them are slow and hardly better."""


def model_key(spec: EarsSpec) -> str:
    """Names the files of a spec's model by what they are made from."""
    content = json.dumps([RECIPE, spec.phrases, spec.script, spec.general_weight])
    return hashlib.sha256(content.encode()).hexdigest()[:24]


class ModelBuilder:
    """Everything is written to `cache_dir`, whole or not at all."""

    def __init__(self, cache_dir: Path) -> None:
        self._cache = ModelCache(cache_dir)
        self._general: TrigramModel | None = None
        self._pronouncer = Pronouncer(pronunciations(), self._letter_rules)

    def build(self, spec: EarsSpec) -> None:
        """Writes the model of `spec` and its additional words. Raises `OSError`, `RuntimeError` or `ValueError`."""
        key, general = model_key(spec), self._general_model()
        spoken = [(words, weight) for words, weight in weighted_sentences(spec) if self._sayable(words)]
        domain, seen = domain_model(spoken)
        self._cache.write(
            f"{key}.bin", lambda path: _write_model(mix(general, domain, seen, spec.general_weight), path)
        )
        self._cache.write_json(f"{key}.json", self._extra_words(spoken, general))
        self._cache.drop_old(".bin")

    def write_dictionary(self) -> None:
        general = self._general_model()
        lines = io.StringIO()
        for word in general.words:
            if word not in (START, END):
                lines.writelines(f"{token} {phones}\n" for token, phones in self._entries(word))
        text = lines.getvalue()
        name = f"general-{hashlib.sha256(text.encode()).hexdigest()[:16]}.dict"
        self._cache.write_text(name, text)
        self._cache.write_json(DICTIONARY, name)

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


def main() -> int:
    cache_dir, wanted = Path(sys.argv[1]), json.load(sys.stdin)
    builder = ModelBuilder(cache_dir)
    try:
        if wanted is None:
            builder.write_dictionary()
        else:
            builder.build(EarsSpec(phrases=tuple(wanted["phrases"]), script=tuple(wanted["script"]),
                                   general_weight=wanted["general_weight"]))  # fmt: skip
    except (OSError, RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
