"""The phones: those of the CMU dictionary as festival's and flite's American English name them."""

VOWELS = frozenset("aa ae ah ao aw ax ay eh er ey ih iy ow oy uh uw".split())
CONSONANTS = frozenset("b ch d dh f g hh jh k l m n ng p r s sh t th v w y z zh".split())
PHONES = VOWELS | CONSONANTS

STRESS = "1"

_HISSES = frozenset(("s", "z", "sh", "zh", "ch", "jh"))
_VOICELESS = frozenset(("p", "t", "k", "f", "th"))

Phones = tuple[str, ...]


def is_vowel(phone: str) -> bool:
    return phone.removesuffix(STRESS) in VOWELS


def with_s(phones: Phones) -> Phones:
    """The plural, possessive or third person of a word."""
    if phones[-1] in _HISSES:
        return (*phones, "ax", "z")
    return (*phones, "s" if phones[-1] in _VOICELESS else "z")


def with_ed(phones: Phones) -> Phones:
    """The regular past tense."""
    if phones[-1] in ("t", "d"):
        return (*phones, "ax", "d")
    voiceless = phones[-1] in _VOICELESS or phones[-1] in ("s", "sh", "ch")
    return (*phones, "t" if voiceless else "d")
