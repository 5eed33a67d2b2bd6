"""How alike two words are, and how much a word says."""

import math
from functools import lru_cache

from characters.mind.matching.sounds import VOWEL, key_length, sound_distance, sound_key
from characters.mind.matching.words import is_chinese

SAME_STEM = 0.95
LEAST_LIKENESS = 0.62
"""Words less alike than this count as different."""

_SHORT = 4
"""Words of so few letters look alike by accident."""

_SOUND_TRUST = 0.9
_LEAST_SHARED_CONSONANTS = 0.34
"""Words that share fewer are not compared by sound: it saves three quarters of the time."""

_EMPTY_WEIGHT = 0.2
_COMMON_WEIGHT = 0.55
_CHINESE_WEIGHT = 0.5
_EMPTY = frozenset(
    "a an the of to in on at for from with by as is am are was were be been do does did have has had will would "
    "shall should can could may might must me my i you your yours he she it its we us our they them their this that "
    "these those and or but so if then please just really very too some any there here now oh well okay um about not "
    "no yes let up".split()
) | frozenset("的了吗呢啊你我是请吧一个就都也很在这那们")
"""`no`, `yes` and `not` stand here because they decide only where they are all there is."""

_COMMON = frozenset(
    "tell want know like make get give go come say said talk speak think see look thing things good great nice one "
    "more again what who where when why how which hello goodbye thank thanks sorry need try something anything time "
    "day today new old little much many lot kind play start stop put take use another ever never always".split()
)


def weight_of(word: str) -> float:
    """0..1: how much the word tells apart what is meant. Function words say little."""
    if word in _EMPTY:
        return _EMPTY_WEIGHT
    if is_chinese(word):
        return _CHINESE_WEIGHT
    return _COMMON_WEIGHT if word in _COMMON else 1.0


def rarity(times: int) -> float:
    """Factor for a word that stands in `times` of the cues to choose between."""
    return max(0.5, 1.0 / (1.0 + 0.18 * math.log(max(times, 1))))


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The word without a common English ending."""
    for ending in ("ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            base = word[: -len(ending)]
            return base + "y" if ending == "ies" else base
    return word


@lru_cache(maxsize=50_000)
def likeness(a: str, b: str) -> float:
    """0..1: whether one word may have been heard for the other, by spelling and by sound."""
    if a == b:
        return 1.0
    if is_chinese(a) or is_chinese(b):
        return 0.0
    if stem(a) == stem(b):
        return SAME_STEM
    best = max(_spelled_alike(a, b), _sounded_alike(a, b))
    return best if best >= LEAST_LIKENESS else 0.0


def _spelled_alike(a: str, b: str) -> float:
    longest = max(len(a), len(b))
    # Neither the missing length nor the missing letters can be made up: most pairs end here, unmeasured.
    if min(len(a), len(b)) < LEAST_LIKENESS * longest or len(set(a) & set(b)) < 0.5 * len(set(a)):
        return 0.0
    likeness = 1.0 - _levenshtein(a, b) / longest
    return likeness * 0.8 if min(len(a), len(b)) <= _SHORT else likeness


@lru_cache(maxsize=20_000)
def _consonants(key: str) -> frozenset[str]:
    return frozenset(key) - {VOWEL, "h"}


def _sounded_alike(a: str, b: str) -> float:
    key_a, key_b = sound_key(a), sound_key(b)
    length_a, length_b = key_length(key_a), key_length(key_b)
    longest = max(length_a, length_b)
    if not longest or min(length_a, length_b) < _SOUND_TRUST * LEAST_LIKENESS * longest:
        return 0.0
    sounds_a, sounds_b = _consonants(key_a), _consonants(key_b)
    if len(sounds_a & sounds_b) < _LEAST_SHARED_CONSONANTS * min(len(sounds_a), len(sounds_b)):
        return 0.0
    trust = 0.75 if min(len(a), len(b)) <= _SHORT else 1.0
    return _SOUND_TRUST * trust * (1.0 - sound_distance(key_a, key_b) / longest)


def _levenshtein(a: str, b: str) -> int:
    above = list(range(len(b) + 1))
    for at, letter in enumerate(a, 1):
        row = [at]
        for other_at, other in enumerate(b, 1):
            row.append(min(above[other_at] + 1, row[-1] + 1, above[other_at - 1] + (letter != other)))
        above = row
    return above[-1]
