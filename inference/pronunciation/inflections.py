"""Forms of known words: endings and beginnings whose sound is sure."""

from collections.abc import Callable, Iterator

from inference.pronunciation.phones import Phones, is_vowel, with_ed, with_s

Known = Callable[[str], Phones | None]
"""The dictionary: phones of a word it has."""

_ENDINGS = {
    "ing": ("ih", "ng"), "ings": ("ih", "ng", "z"), "in": ("ih", "n"), "er": ("er",), "ers": ("er", "z"),
    "able": ("ax", "b", "ax", "l"), "ly": ("l", "iy"), "ness": ("n", "ax", "s"), "less": ("l", "ax", "s"),
    "ful": ("f", "ax", "l"), "ment": ("m", "ax", "n", "t"), "ments": ("m", "ax", "n", "t", "s"),
    "like": ("l", "ay1", "k"), "ship": ("sh", "ih", "p"), "hood": ("hh", "uh1", "d"), "ward": ("w", "er", "d"),
}  # fmt: skip
_VOWEL_ENDINGS = frozenset("ing ings in er ers able".split())
"""Before these a silent e is dropped, a final consonant doubled."""

_BEGINNINGS = {
    "un": ("ax", "n"), "non": ("n", "aa", "n"), "over": ("ow1", "v", "er"), "mis": ("m", "ih", "s"),
    "dis": ("d", "ih", "s"), "under": ("ah1", "n", "d", "er"), "out": ("aw1", "t"), "super": ("s", "uw1", "p", "er"),
}  # fmt: skip
_SHORTEST_STEM = 3
_DEEPEST = 2


def inflected(word: str, known: Known, depth: int = 0) -> Phones | None:
    """The phones of a form of a known word, None when it is none that is certain."""
    if depth > _DEEPEST or len(word) <= _SHORTEST_STEM:
        return None

    def stem(letters: str) -> Phones | None:
        if len(letters) < _SHORTEST_STEM:
            return None
        return known(letters) or inflected(letters, known, depth + 1)

    return _with_s_or_ed(word, stem) or _with_ending(word, known, stem) or _with_beginning(word, stem)


def _with_s_or_ed(word: str, stem: Known) -> Phones | None:
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        for base in _stems_before_s(word):
            if phones := stem(base):
                return with_s(phones)
    if word.endswith("ed"):
        for base in (word[:-1], *_stems(word, "ed")):
            if phones := stem(base):
                return with_ed(phones)
    return None


def _stems_before_s(word: str) -> Iterator[str]:
    if word.endswith("ies"):
        yield word[:-3] + "y"
    yield word[:-1]
    if word.endswith(("ses", "xes", "zes", "ches", "shes", "oes")):
        yield word[:-2]


def _with_ending(word: str, known: Known, stem: Known) -> Phones | None:
    for ending, sound in _ENDINGS.items():
        if not word.endswith(ending):
            continue
        if ending == "in":
            full = known(word + "g")
            return (*full[:-1], "n") if full and full[-1] == "ng" else None
        for base in _stems(word, ending):
            if phones := stem(base):
                return _joined(phones, sound)
    return None


def _joined(phones: Phones, sound: Phones) -> Phones:
    """`gentle` and `-ly` share their l; the final syllabic l of `settle` loses its vowel before another vowel."""
    if sound[0] == "l" and phones[-1] == "l":
        return phones[:-1] + sound
    if is_vowel(sound[0]) and phones[-2:] == ("ax", "l") and sound != ("ax", "b", "ax", "l"):
        return (*phones[:-2], "l", *sound)
    return phones + sound


def _stems(word: str, ending: str) -> Iterator[str]:
    base = word[: -len(ending)]
    if ending == "ly" and word.endswith("bly"):
        yield word[:-1] + "e"
    yield base
    if base.endswith("i"):
        yield base[:-1] + "y"
    if ending in _VOWEL_ENDINGS or ending == "ed":
        yield base + "e"
        if len(base) > _SHORTEST_STEM and base[-1] == base[-2]:
            yield base[:-1]


def _with_beginning(word: str, stem: Known) -> Phones | None:
    for beginning, sound in _BEGINNINGS.items():
        if word.startswith(beginning) and len(word) - len(beginning) > _SHORTEST_STEM:
            phones = stem(word[len(beginning) :])
            if phones:
                return sound + phones
    return None
