"""What is left when numbers and abbreviations are read: signs, ranges, hyphens, slashes, and words."""

import re

from inference.pronunciation.lexicon import Lexicon
from inference.pronunciation.number_words import ordinal, year
from inference.pronunciation.place import Place
from inference.pronunciation.quantities import is_number, number_words

_ORDINAL = re.compile(r"([\d,]+)(?:st|nd|rd|th)", re.IGNORECASE)
_RANGE = re.compile(r"(\d[\d,.]*)-(\d[\d,.]*)")
_RATIO = re.compile(r"(\d{1,3}):(\d{1,3})")
_EQUATION = re.compile(r"\d[\d.,+*/=×÷x<>^-]*\d")
_SIGNS = {
    "&": "and", "+": "plus", "=": "equals", "@": "at", "%": "percent", "°": "degrees", "×": "times", "÷": "divided by",
    "±": "plus or minus", "<": "is less than", ">": "is greater than", "$": "dollars", "£": "pounds", "€": "euros",
    "¥": "yen", "¢": "cents", "#": "number", "*": "times", "/": "over", "^": "to the power of", "-": "minus",
}  # fmt: skip
_ALONE = frozenset("&+=@%°×÷±$£€¥¢")
_STRETCHED = re.compile(r"([a-z])\1{2,}")
_HUM = re.compile(r"h+m+|m{2,}")


def ordinal_number(place: Place) -> list[str] | None:
    found = _ORDINAL.fullmatch(place.core)
    return ordinal(found[1]) if found and found[1].strip(",") else None


def number_range(place: Place) -> list[str] | None:
    """`10-20`, `1990–1995`, `16:9`."""
    found = _RANGE.fullmatch(place.core) or _RATIO.fullmatch(place.core)
    if not found or not is_number(found[1]) or not is_number(found[2]):
        return None
    return [*_either(found[1]), "to", *_either(found[2])]


def _either(number: str) -> list[str]:
    is_year = len(number) == 4 and number.isdecimal() and "1100" <= number <= "2099"
    return year(number) if is_year else number_words(number)


def equation(place: Place) -> list[str] | None:
    """`2+2=4`, and the bare `x` or `-` of `3 - 1`."""
    core = place.core or (place.token.opening + place.token.closing)[:1]
    between_numbers = is_number(place.core_at(-1)) and is_number(place.core_at(1))
    if core in _SIGNS and (core in _ALONE or between_numbers):
        return _SIGNS[core].split()
    if core == "x" and between_numbers:
        return ["times"]
    if not _EQUATION.fullmatch(core) or core.isdecimal():
        return None
    spoken: list[str] = []
    for part in re.findall(r"\d[\d,]*(?:\.\d+)?|[^\d.,]", core):
        sign = ["times"] if part == "x" else _SIGNS.get(part, "").split()
        spoken += number_words(part) if part[0].isdecimal() else sign
    return spoken


def hash_sign(place: Place) -> list[str] | None:
    """`#5` is number five, `#troupe` a hashtag."""
    rest = place.core[1:]
    if place.core[:1] != "#" or not rest[:1].isalnum():
        return None
    return ["number", *number_words(rest)] if rest.isdecimal() else ["hashtag", rest.lower()]


def word(written: str, lexicon: Lexicon) -> str:
    """A lower-case word, without the letters that only stretch it."""
    bare = written.lower()
    if _HUM.fullmatch(bare):
        return "mm" if bare[0] == "m" else "hmm"
    if bare.replace("'", "") in lexicon:
        return bare
    if not _STRETCHED.search(bare):
        return bare
    shorter = [_shortened(bare, ending, inside) for ending, inside in ((1, 2), (1, 1), (2, 2), (2, 1))]
    return next((choice for choice in shorter if choice in lexicon), shorter[1])


def _shortened(bare: str, ending: int, inside: int) -> str:
    def cut(match: re.Match[str]) -> str:
        return match[1] * (ending if match.end() == len(bare) else inside)

    return _STRETCHED.sub(cut, bare)
