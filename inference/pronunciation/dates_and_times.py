"""Dates and times of day."""

import re

from inference.pronunciation.number_words import cardinal, decade, is_year, ordinal, year
from inference.pronunciation.place import Place

_MONTHS = "january february march april may june july august september october november december".split()
_MONTH_NAMES = {name: name for name in _MONTHS} | {name[:3]: name for name in _MONTHS} | {"sept": "september"}
_UNSURE_WITHOUT_DAY = frozenset(("may", "mar", "march", "jan", "dec", "sep", "jun"))
_DAYS = {
    "mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday", "thu": "thursday", "thur": "thursday",
    "thurs": "thursday", "fri": "friday", "sat": "saturday", "sun": "sunday",
}  # fmt: skip
_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?", re.IGNORECASE)
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(am|pm|a\.m|p\.m)?", re.IGNORECASE)
_HOUR = re.compile(r"(1[0-2]|0?[1-9])(am|pm|a\.m|p\.m)", re.IGNORECASE)
_HALF_DAY = re.compile(r"([ap])\.?m", re.IGNORECASE)
_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})")
_ISO_DATE = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})")
_DECADE = re.compile(r"'?(\d{2}|\d{3}0)'?s")
_HOUR_WORDS = frozenset("one two three four five six seven eight nine ten eleven twelve thirty".split())


def time_of_day(place: Place) -> list[str] | None:
    """`7:30`, `10am` and the `a.m.` of `10 a.m.`"""
    core = place.core
    if found := _HALF_DAY.fullmatch(core):
        before = place.before
        is_time = before.isdecimal() or _TIME.fullmatch(before) or before.lower() in _HOUR_WORDS
        return _half_day(found[1]) if is_time or "." in core else None
    if found := _HOUR.fullmatch(core):
        return [*cardinal(found[1]), *_half_day(found[2])]
    if not (found := _TIME.fullmatch(core)):
        return None
    minutes, seconds, half = found[2], found[3], found[4]
    spoken = cardinal(found[1])
    if minutes != "00":
        spoken += ["oh", *cardinal(minutes)] if minutes[0] == "0" else cardinal(minutes)
    elif not half and not seconds and not _HALF_DAY.fullmatch(place.after) and place.after.lower() != "o'clock":
        spoken += ["hundred"] if int(found[1]) > 12 or found[1][0] == "0" else ["oclock"]
    if seconds:
        spoken += ["and", *cardinal(seconds), "second" if int(seconds) == 1 else "seconds"]
    return [*spoken, *(_half_day(half) if half else [])]


def _half_day(letter: str) -> list[str]:
    return ["_a" if letter[0].lower() == "a" else "p", "m"]


def date(place: Place) -> list[str] | None:
    """`22/11/2026`, `2026-11-22` and `1990s`."""
    core = place.core
    if found := _DECADE.fullmatch(core):
        return decade(found[1]) if len(found[1]) == 4 or found[1][1] == "0" else None
    if found := _ISO_DATE.fullmatch(core):
        return _said_date(int(found[3]), found[4], found[1])
    if not (found := _NUMERIC_DATE.fullmatch(core)):
        return None
    first, second = int(found[1]), int(found[3])
    if second > 12 or (first <= 12 and found[2] != "."):
        return _said_date(first, found[3], found[4])
    return _said_date(second, found[1], found[4])


def _said_date(month: int, day: str, in_year: str) -> list[str] | None:
    if not 1 <= month <= 12 or not 1 <= int(day) <= 31:
        return None
    return [_MONTHS[month - 1], *ordinal(day), *(year(in_year) if len(in_year) == 4 else cardinal(in_year))]


def month(place: Place) -> list[str] | None:
    """`Nov.` anywhere; `Nov` and `Mar.` beside a day or a year."""
    core = place.core.lower()
    if core not in _MONTH_NAMES or not place.core[0].isupper():
        return None
    beside_number = _is_day(place.after) or is_year(place.after) or _is_day(place.before)
    if beside_number or (place.token.is_dotted and core not in _UNSURE_WITHOUT_DAY):
        return [_MONTH_NAMES[core]]
    return None


def day_of_month(place: Place) -> list[str] | None:
    """The `22` of `November 22` or of `22 November`."""
    found = _DAY.fullmatch(place.core)
    if not found or not 1 <= int(found[1]) <= 31:
        return None
    if _is_month(place.before):
        return ordinal(found[1])
    if (_is_month(place.after) and place.after.lower() not in ("may", "march", "mar")) or (
        _is_month(place.after) and is_year(place.core_at(2))
    ):
        the = [] if place.before.lower() == "the" else ["the"]
        return [*the, *ordinal(found[1]), "of"]
    return None


def weekday(place: Place) -> list[str] | None:
    """`Tue.` with a dot or before a date."""
    full = _DAYS.get(place.core.lower())
    if full and place.core[0].isupper() and (_is_month(place.core_at(1)) or _is_dotted_name(place)):
        return [full]
    return None


def _is_dotted_name(place: Place) -> bool:
    return place.token.is_dotted and place.core.lower() not in ("sun", "sat", "wed")


def _is_day(core: str) -> bool:
    found = _DAY.fullmatch(core)
    return found is not None and 1 <= int(found[1]) <= 31


def _is_month(core: str) -> bool:
    return core[:1].isupper() and core.lower() in _MONTH_NAMES
