"""How words are spoken: by the dictionary, as parts the dictionary has, or by rules learned from it."""

import threading
from collections.abc import Callable

from inference.pronunciation.letter_to_sound import Rules, pronounce

_COMPOUND_PART = 4
_HISSES = ("S", "Z", "SH", "ZH", "CH", "JH")
_VOICELESS = ("P", "T", "K", "F", "TH")


class Pronouncer:
    """Thread-safe. `load_rules` is called when the first word needs them."""

    def __init__(self, dictionary: dict[str, tuple[str, ...]], load_rules: Callable[[], Rules]) -> None:
        self._dictionary = dictionary
        self._load_rules = load_rules
        self._rules: Rules | None = None
        self._lock = threading.Lock()

    def ways(self, word: str) -> tuple[str, ...]:
        """Pronunciations of a lower-case word, the usual one first; none if it has no letter anyone could speak."""
        if known := self._dictionary.get(word):
            return known
        if word.endswith("'s") and (stems := self.ways(word[:-2])):
            return tuple(f"{stem} {_possessive(stem.split()[-1])}" for stem in stems)
        for cut in range(_COMPOUND_PART, len(word) - _COMPOUND_PART + 1):
            first, second = self._dictionary.get(word[:cut]), self._dictionary.get(word[cut:])
            if first and second:
                return (f"{first[0]} {second[0]}",)
        spoken = pronounce(word.replace("'", ""), self._learned())
        return (spoken,) if spoken else ()

    def _learned(self) -> Rules:
        with self._lock:
            if self._rules is None:
                self._rules = self._load_rules()
            return self._rules


def _possessive(last_phone: str) -> str:
    if last_phone in _HISSES:
        return "IH Z"
    return "S" if last_phone in _VOICELESS else "Z"
