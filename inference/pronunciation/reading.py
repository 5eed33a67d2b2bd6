"""Written tokens as spoken words: the first of the rules that knows a token reads it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from inference.pronunciation.abbreviations import abbreviation, dot_ends_sentence, is_initial
from inference.pronunciation.addresses import address, letters, telephone
from inference.pronunciation.dates_and_times import date, day_of_month, month, time_of_day, weekday
from inference.pronunciation.initials import capitals, mixed, roman_numeral
from inference.pronunciation.place import Place
from inference.pronunciation.plain_words import equation, hash_sign, number_range, ordinal_number, word
from inference.pronunciation.quantities import bare_number, measure, money, simple_fraction
from inference.pronunciation.written_token import WrittenToken, break_of, stronger

_Rule = Callable[[Place], list[str] | None]

_RULES: Sequence[_Rule] = (
    day_of_month,
    time_of_day,
    date,
    money,
    measure,
    telephone,
    bare_number,
    simple_fraction,
    ordinal_number,
    number_range,
    equation,
    hash_sign,
    roman_numeral,
    month,
    weekday,
    abbreviation,
    address,
    capitals,
    mixed,
)
_PIECE = re.compile(r"[A-Za-z0-9'.,°%$£€¥]+|[&+=@]")
_LETTERS_ONLY = re.compile(r"[A-Za-z']+")
_LONGEST_LABEL = 2
"""Letters of the parts of `A+` or `a/b`, in which `a` is the letter."""

_LONGEST_CORE = 400
"""Characters; what is longer is not for the ear and is cut."""


def spoken_words(place: Place) -> list[str]:
    """Lower-case words; single letters are letter names, the letter `a` is `_a`. Empty when nothing can be said."""
    if len(place.core) > _LONGEST_CORE:
        place = _with_core(place, place.core[:_LONGEST_CORE])
    if not place.core:
        return equation(place) or []
    for rule in _RULES:
        spoken = rule(place)
        if spoken is not None:
            return spoken
    if _LETTERS_ONLY.fullmatch(place.core):
        return _word(place)
    return _pieces(place)


def _word(place: Place) -> list[str]:
    core = place.core
    if core in ("A", "a") and _is_the_letter(place):
        return ["_a"]
    bare = core.strip("'")
    if bare == "n" and place.token.opening.endswith("'"):
        return ["'n"]
    if len(bare) == 1:
        return [bare.lower()]
    return [word(core, place.lexicon)] if bare else []


def _is_the_letter(place: Place) -> bool:
    ends = not place.core_at(1) and len(place.before) == 1
    if ends or place.token.closing.strip("\"'*_"):
        return True
    return place.core == "A" and not place.starts_sentence and not place.is_shouted and not place.after[:1].isupper()


def _pieces(place: Place) -> list[str]:
    """Hyphenated words, words with slashes, and anything else, part by part."""
    parts = _PIECE.findall(place.core)
    if len(parts) == 1 and parts[0] == place.core:
        parts = re.findall(r"[A-Za-z']+|\d+(?:\.\d+)?|[&+=@°%$£€¥]", place.core)
        if len(parts) == 1 and parts[0] == place.core:
            return letters(place.core)
    spoken: list[str] = []
    for index, part in enumerate(parts):
        following = parts[index + 1].lower() if index + 1 < len(parts) else ""
        if part.lower() == "re" and following.isalpha() and following != part.lower():
            spoken.append("ree")
            continue
        if part in ("A", "a") and all(len(other) <= _LONGEST_LABEL for other in parts):
            spoken.append("_a")
        elif not _is_stutter(part.lower(), following, parts[-1].lower()):
            spoken += spoken_words(_with_core(place, part.strip("'.,")))
    return spoken


def _is_stutter(part: str, following: str, last: str) -> bool:
    """`w-w-what`: what is only begun is left out."""
    return len(part) <= 2 and part.isalpha() and following.startswith(part) and len(last) > len(part)


def _with_core(place: Place, core: str) -> Place:
    """`core` read for itself, without neighbours."""
    alone = replace(place.token, core=core, opening="", closing="")
    return Place([alone], 0, place.lexicon)


def break_after(place: Place) -> str:
    """The pause that the punctuation from this token to the next word asks for."""
    token = place.token
    closing = token.closing if token.core else token.opening + token.closing
    if token.is_dotted and token.core and _owns_dot(place) and not dot_ends_sentence(place):
        closing = closing[1:]
    found = break_of(closing)
    if found == "." and _trails_off(closing) and place.core_at(1)[:1].islower():
        found = ","
    if token.lines_after:
        found = stronger(found, "." if token.lines_after > 1 else ",")
    following = place.tokens[place.index + 1] if place.index + 1 < len(place.tokens) else None
    return stronger(found, _opening_break(following)) if following else found


def _owns_dot(place: Place) -> bool:
    """Whether the dot belongs to the word: `Mr.`, `J.`, `Nov.`, `p.m.`"""
    if abbreviation(place) is not None or is_initial(place):
        return True
    spoken = month(place) or weekday(place) or measure(place) or (time_of_day(place) if "." in place.core else None)
    return spoken is not None and spoken != [place.core.lower()]


def _trails_off(closing: str) -> bool:
    return "…" in closing or ".." in closing


def _opening_break(token: WrittenToken) -> str:
    """Brackets and dashes before a word."""
    return "," if any(char in "([{—–" for char in token.opening) or token.opening.startswith("--") else ""
