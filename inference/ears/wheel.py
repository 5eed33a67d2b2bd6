"""Where the pocketsphinx wheel keeps its American English models (BSD licence)."""

import functools
from pathlib import Path

from pocketsphinx import get_model_path


def acoustic_model_dir() -> Path:
    return Path(get_model_path("en-us")) / "en-us"


def dictionary_path() -> Path:
    """CMUdict, one `word PH PH ...` a line."""
    return Path(get_model_path("en-us")) / "cmudict-en-us.dict"


def general_model_path() -> Path:
    """The general trigram model in pocketsphinx's binary trie format."""
    return Path(get_model_path("en-us")) / "en-us.lm.bin"


@functools.cache
def pronunciations() -> dict[str, tuple[str, ...]]:
    """Every word of the dictionary with its pronunciations, the usual one first, each as phones separated by spaces."""
    found: dict[str, list[str]] = {}
    for line in dictionary_path().read_text(encoding="utf-8").splitlines():
        token, _, phones = line.strip().partition(" ")
        if phones:
            found.setdefault(token.partition("(")[0], []).append(phones.strip())
    return {word: tuple(ways) for word, ways in found.items()}
