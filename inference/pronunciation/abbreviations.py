"""Abbreviations said in full."""

import re

from inference.pronunciation.addresses import letters
from inference.pronunciation.place import Place

_TITLES = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor", "prof": "professor", "sr": "senior", "jr": "junior",
    "gov": "governor", "sen": "senator", "rep": "representative", "gen": "general", "col": "colonel", "capt": "captain",
    "lt": "lieutenant", "sgt": "sergeant", "rev": "reverend", "hon": "honorable", "pres": "president", "mme": "madame",
    "mx": "mix", "fr": "father", "messrs": "messers", "mt": "mount", "ft": "fort",
}  # fmt: skip
_BARE_TITLES = frozenset("mr mrs ms dr prof jr mx messrs sgt capt lt".split())
_DOTTED = {
    "vs": "versus", "approx": "approximately", "dept": "department", "est": "established", "fig": "figure",
    "figs": "figures", "govt": "government", "inc": "incorporated", "ltd": "limited", "co": "company",
    "corp": "corporation", "vol": "volume", "ch": "chapter", "ave": "avenue", "blvd": "boulevard", "rd": "road",
    "bros": "brothers", "ext": "extension", "max": "maximum", "min": "minimum", "misc": "miscellaneous",
    "tel": "telephone", "univ": "university", "temp": "temperature", "ed": "edition", "eds": "editors",
    "sec": "second", "hr": "hour", "hrs": "hours", "mins": "minutes", "lb": "pound", "lbs": "pounds", "oz": "ounces",
}  # fmt: skip
_ANYWHERE = {
    "etc": "et cetera", "vs": "versus", "e.g": "for example", "eg": "for example", "i.e": "that is", "ie": "that is",
    "ph.d": "p h d", "phd": "p h d", "a.k.a": "_a k _a", "aka": "_a k _a", "w/": "with", "w/o": "without",
    "p.s": "p s", "approx": "approximately", "dept": "department", "govt": "government", "blvd": "boulevard",
    "ltd": "limited", "o'clock": "oclock", "n/a": "not applicable", "b/c": "because", "24/7": "twenty four seven",
    "&c": "et cetera", "at&t": "_a t and t", "c#": "c sharp", "mr": "mister", "mrs": "missus",
}  # fmt: skip
_BEFORE_NUMBER = {"no": "number", "nos": "numbers", "p": "page", "pp": "pages", "ch": "chapter", "vol": "volume",
                  "fig": "figure", "sec": "section", "art": "article", "op": "opus"}  # fmt: skip
_INITIALS = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]('?s)?")
_ENDS_SENTENCE = frozenset(
    "etc inc ltd co corp jr sr st ave rd blvd a.m p.m u.s u.k e.u ph.d dept hrs mins lbs".split()
)
_ALSO_LOWER = frozenset("approx dept govt fig figs vol ext max min misc tel temp hr hrs mins lb lbs oz sec".split())
_ALSO_WORDS = frozenset("max min ed fig temp sec est".split())


def abbreviation(place: Place) -> list[str] | None:
    core, is_dotted = place.core.lower(), place.token.is_dotted
    if core == "st" and (is_dotted or place.core == "St"):
        return ["saint"] if place.after[:1].isupper() and place.after.lower() not in ("and",) else ["street"]
    if core == "dr" and _follows_street_name(place):
        return ["drive"]
    if is_dotted and core in _BEFORE_NUMBER and place.core_at(1)[:1].isdecimal():
        return [_BEFORE_NUMBER[core]]
    if core in _ANYWHERE and (core not in ("ie", "eg") or place.core.islower()):
        return _ANYWHERE[core].split()
    if core in _TITLES and (is_dotted or core in _BARE_TITLES) and place.core[0].isupper():
        return [_TITLES[core]]
    if is_dotted and core in _DOTTED and (place.core[0].isupper() or core in _ALSO_LOWER) and _is_cut(place, core):
        return [_DOTTED[core]]
    if _INITIALS.fullmatch(place.core):
        return letters_with_s(place.core)
    return None


def _is_cut(place: Place, core: str) -> bool:
    """Not the whole word `max` or `Ed` at the end of a sentence."""
    return core not in _ALSO_WORDS or place.core_at(1)[:1].isdecimal() or place.before[:1].isdecimal()


def _follows_street_name(place: Place) -> bool:
    return place.before[:1].isupper() and not place.after[:1].isupper() and place.core_at(-2)[:1].isdecimal()


def letters_with_s(text: str) -> list[str]:
    """`U.S.'s` or `GPUs`: letter names, the ending marked for the last of them."""
    stem = re.sub(r"'?s$", "", text)
    names = letters(stem)
    return [*names[:-1], names[-1] + "'s"] if stem != text and names else names


def dot_ends_sentence(place: Place) -> bool:
    """Whether the dot after an abbreviation may also end the sentence: `etc. Then`, `at 10 a.m. We`."""
    following = place.core_at(1)
    if not following or place.token.lines_after > 1:
        return True
    if place.core.lower() == "st" and abbreviation(place) == ["saint"]:
        return False
    return following[0].isupper() and place.core.lower() in _ENDS_SENTENCE


def is_initial(place: Place) -> bool:
    """The `J` of `J. Smith`."""
    core = place.core
    if len(core) != 1 or not core.isupper() or not place.core_at(1)[:1].isupper():
        return False
    return core not in "AI" or len(place.core_at(1)) == 1
