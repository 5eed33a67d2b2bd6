"""How English words sound, roughly: a key in the spirit of Metaphone, and distances between keys.

A recogniser puts a word that sounds alike in the place of one it does not know, and cuts words in other places
("the clockmaker's" becomes "the clock makers"). Keys keep consonants and mark every vowel group `a`, so both
mistakes leave the key of the phrase nearly unchanged.
"""

import re
from functools import lru_cache

_RULES: tuple[tuple[str, str], ...] = (
    (r"^(kn|gn|pn)", "n"),
    (r"^wr", "r"),
    (r"^wh", "w"),
    (r"^x", "z"),
    (r"tion\b|sion\b|cian\b", "Xan"),
    (r"ture\b", "Car"),
    (r"(?<=[aeiou])(gh|w|y)(?![aeiou])", ""),
    (r"gh", "g"),
    (r"ph", "f"),
    (r"tch|ch", "C"),
    (r"sch(?=[aeiou])", "sk"),
    (r"sh", "X"),
    (r"th", "0"),
    (r"dge?(?=[iey]|$)|dg", "J"),
    (r"ck|q(?!u)", "k"),
    (r"qu", "kw"),
    (r"mb$", "m"),
    (r"sc(?=[iey])|c(?=[iey])", "s"),
    (r"c", "k"),
    (r"^g(?=[ey])|(?<=[aeiourn])g(?=e$|y$)", "J"),
    (r"g", "g"),
    (r"j", "J"),
    (r"x", "ks"),
    (r"(?<=[^aeiou])e$", ""),
    (r"^y(?=[aeiou])", "Y"),
    (r"[aeiouy]+", "a"),
    (r"(.)\1+", r"\1"),
)
_COMPILED = tuple((re.compile(pattern), put) for pattern, put in _RULES)
VOWEL = "a"
_ALIKE = ("pb", "td", "kg", "fv", "sz", "XJC", "0fvtds", "mn", "lrw", "JzX", "Cts", "vbw", "Ya")
_NEAR = frozenset((a, b) for group in _ALIKE for a in group for b in group if a != b)
_NEAR_COST = 0.4
_SOUNDS = "abcdefghijklmnopqrstuvwxyzXCJY0"
_SWAPS = dict.fromkeys(_NEAR, _NEAR_COST) | {(sound, sound): 0.0 for sound in _SOUNDS}
"""What it costs to hear one sound for another; pairs not listed cost 1."""

_VOWEL_COST = 0.3
_WEAK = {VOWEL: _VOWEL_COST, "h": 0.4, "r": 0.6, "t": 0.8, "d": 0.8}
"""What it costs to leave a sound out or put one in; others cost 1."""


@lru_cache(maxsize=20_000)
def sound_key(word: str) -> str:
    """The key of one lower-case English word; empty for one without Latin letters."""
    key = re.sub(r"[^a-z]", "", word)
    for pattern, put in _COMPILED:
        key = pattern.sub(put, key)
    return key


@lru_cache(maxsize=20_000)
def key_length(key: str) -> float:
    """What a key weighs: the cost of leaving all of it out."""
    return sum(_WEAK.get(sound, 1.0) for sound in key)


@lru_cache(maxsize=50_000)
def sound_distance(a: str, b: str) -> float:
    """Edit distance between two keys, cheaper for sounds that are easily confused."""
    return _edit(a, b, anywhere=False)


def distance_within(key: str, heard: str) -> float:
    """The smallest distance of `key` to any stretch of `heard`."""
    return _edit(key, heard, anywhere=True)


def _edit(key: str, heard: str, anywhere: bool) -> float:
    puts = [_WEAK.get(sound, 1.0) for sound in heard]
    above = [0.0]
    for put in puts:
        above.append(0.0 if anywhere else above[-1] + put)
    for sound in key:
        drop = _WEAK.get(sound, 1.0)
        row = [above[0] + drop]
        last = row[0]
        for at, other in enumerate(heard):
            last = min(above[at] + _SWAPS.get((sound, other), 1.0), above[at + 1] + drop, last + puts[at])
            row.append(last)
        above = row
    return min(above) if anywhere else above[-1]
