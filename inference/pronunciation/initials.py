"""Capitals, Roman numerals, and letters mixed with digits."""

import re

from inference.pronunciation.abbreviations import letters_with_s
from inference.pronunciation.addresses import letters
from inference.pronunciation.number_words import cardinal, ordinal, spelled_digits
from inference.pronunciation.place import Place

_CAPITALS = re.compile(r"([A-Z]{2,})('?s)?")
_SPELLED = frozenset(
    "AM PM US USA IT UK EU UN AI PC PCS TV CD DJ PR HR IQ ID DIY FAQ CEO CFO CTO FBI CIA BBC CNN NBC ABC CBS URL USB "
    "GPS IP OS UI UX QA GPU CPU API SDK HTML CSS SQL PDF DVD ATM DNA RNA MIT UCLA NYC LA DC HIV BMW MBA PHD UFO VIP "
    "SUV LED VHS KGB NHL NBA NFL MLB IBM ATT AOL ISP IOU ETA TBD FYI LOL OMG BTW IMO".split()
)
_ROMAN = re.compile(r"(?=[IVXLC])(?:C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
_NUMBERED = frozenset(
    "chapter part act book volume scene section article appendix phase level stage war type title figure table verse "
    "canto episode season division class grade group".split()
)
_RULERS = frozenset(
    "henry louis elizabeth george charles edward james william richard mary john paul pius benedict leo gregory "
    "napoleon catherine peter ivan frederick philip alexander nicholas francis ferdinand christian harald margrethe "
    "juan felipe otto ramses ramesses ptolemy innocent clement urban boniface".split()
)
_MIXED = re.compile(r"[A-Za-z]+|\d+")
_CAMEL = re.compile(r"[A-Z]?[a-z']+|[A-Z]+(?![a-z])|[A-Z]")
_LONGEST_LETTERS = 4


def roman_numeral(place: Place) -> list[str] | None:
    """`Chapter IV` is four, `Henry VIII` the eighth, `Rocky II` two."""
    core = place.core
    if not _ROMAN.fullmatch(core) or not place.before[:1].isalpha() or place.tokens[place.index - 1].is_dotted:
        return None
    before = place.before.lower()
    if before in _NUMBERED and (core != "I" or (place.before[0].isupper() and not place.after[:1].islower())):
        return cardinal(str(_value(core)))
    if not place.before[0].isupper() or set(core) - set("IVX") or place.is_shouted:
        return None
    if before in _RULERS and (len(core) > 1 or core in "VX" or _is_first(place)):
        return ["the", *ordinal(str(_value(core)))]
    return cardinal(str(_value(core))) if len(core) > 1 else None


def _is_first(place: Place) -> bool:
    """`I` after a name is a number only where no verb can follow."""
    return bool(place.token.closing) and place.before.lower() in ("elizabeth", "charles", "james", "napoleon", "peter")


def _value(roman: str) -> int:
    values = [_ROMAN_VALUES[char] for char in roman]
    return sum(-value if value < later else value for value, later in zip(values, [*values[1:], 0], strict=True))


def capitals(place: Place) -> list[str] | None:
    """Initials letter by letter, unless the dictionary says them as a word or somebody shouts."""
    found = _CAPITALS.fullmatch(place.core)
    if not found:
        return None
    word = found[1].lower()
    if place.is_shouted and word in place.lexicon:
        return None
    if found[1] in _SPELLED or (word not in place.lexicon and _is_spelled(word, place)):
        return letters_with_s(place.core)
    return None


def _is_spelled(word: str, place: Place) -> bool:
    has_vowel = any(char in "aeiouy" for char in word)
    return not has_vowel or (len(word) <= _LONGEST_LETTERS and not place.is_shouted)


def mixed(place: Place) -> list[str] | None:
    """`H2O`, `B12`, `3D`, `GPT4`, `iPhone`."""
    core = place.core
    if core.isalnum() and any(char.isdecimal() for char in core) and not core.isdecimal():
        return [word for part in _MIXED.findall(core) for word in _part(part, place)]
    if not core.isalpha() or core.lower() in place.lexicon or core[1:].islower() or core.isupper():
        return None
    return [word for part in _CAMEL.findall(core) for word in _part(part, place)]


def _part(part: str, place: Place) -> list[str]:
    if part.isdecimal():
        return spelled_digits(part) if (part[0] == "0" and len(part) > 1) or len(part) > 4 else cardinal(part)
    is_word = part.lower() in place.lexicon and not (part.isupper() and len(part) <= _LONGEST_LETTERS)
    if (is_word and len(part) > 1) or (len(part) > _LONGEST_LETTERS and not part.isupper()):
        return [part.lower()]
    has_vowel = any(char in "aeiouy" for char in part.lower())
    return [part.lower()] if has_vowel and part[1:].islower() and len(part) > 2 else letters(part)
