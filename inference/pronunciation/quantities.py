"""Money, percentages and measures."""

import re

from inference.pronunciation.number_words import cardinal, decimal, fraction, is_year, plural, year
from inference.pronunciation.place import Place

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_IS_NUMBER = re.compile(rf"[-+±~]?(?:{NUMBER})")
_SCALE_WORDS = frozenset("hundred thousand million billion trillion".split())
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion"}
_MONEY = re.compile(rf"(-?)(US|CA|AU|HK|NZ)?([$£€¥])(-?)({NUMBER})(k|m|mn|b|bn|t)?", re.IGNORECASE)
_MONEY_AFTER = re.compile(rf"()()(-?)({NUMBER})([$£€¥¢])()")
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
    "¢": ("cent", "cents", "", ""),
}
_MEASURE = re.compile(rf"([-+~]?)({NUMBER})([a-zA-Z°%][a-zA-Z°/%2-3]*)")
UNITS = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "kg": "kilogram", "g": "gram",
    "mg": "milligram", "lb": "pound", "lbs": "pound", "oz": "ounce", "mi": "mile", "ft": "foot", "yd": "yard",
    "mph": "mile per hour", "km/h": "kilometer per hour", "kph": "kilometer per hour", "kmh": "kilometer per hour",
    "m/s": "meter per second", "s": "second", "sec": "second", "secs": "second", "ms": "millisecond",
    "min": "minute", "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "kb": "kilobyte", "mb": "megabyte",
    "gb": "gigabyte", "tb": "terabyte", "hz": "hertz", "khz": "kilohertz", "mhz": "megahertz", "ghz": "gigahertz",
    "w": "watt", "kw": "kilowatt", "kwh": "kilowatt hour", "v": "volt", "l": "liter", "ml": "milliliter",
    "px": "pixel", "db": "decibel", "fps": "frame per second", "°c": "degree celsius", "°f": "degree fahrenheit",
    "c": "degree celsius", "f": "degree fahrenheit", "°": "degree", "m2": "square meter", "km2": "square kilometer",
    "m3": "cubic meter", "%": "percent", "kcal": "kilocalorie", "in": "inch", "pt": "point", "x": "time",
}  # fmt: skip
_ONLY_ATTACHED = frozenset(("in", "x", "c", "f", "pt", "s", "h", "v", "w"))
_IRREGULAR = {"foot": "feet", "hertz": "hertz", "percent": "percent", "inch": "inches"}
_FRACTION = re.compile(r"(\d{1,9})/(\d{1,9})")
_MIXED = re.compile(r"(\d{1,9}) (\d{1,2})/(\d{1,2})")


def is_number(core: str) -> bool:
    return bool(_IS_NUMBER.fullmatch(core))


def number_words(core: str) -> list[str]:
    """`-1,200.5` with its sign."""
    signs = {"-": ["minus"], "+": ["plus"], "~": ["about"], "±": ["plus", "or", "minus"]}
    return [*signs.get(core[0], []), *decimal(core.lstrip("-+~±"))]


def money(place: Place) -> list[str] | None:
    """`$5.20`, `£3`, `5€`; the currency of `€1.5 million` is said after the million."""
    if place.core.lower() in _SCALE_WORDS and (found := _MONEY.fullmatch(place.before)):
        return [place.core.lower(), _CURRENCIES[found[3]][1]]
    if found := _MONEY.fullmatch(place.core):
        minus, sign, amount, scale = found[1] or found[4], found[3], found[5], found[6]
    elif found := _MONEY_AFTER.fullmatch(place.core):
        minus, amount, sign, scale = found[3], found[4], found[5], None
    else:
        return None
    spoken = ["minus"] if minus else []
    if scale:
        return [*spoken, *decimal(amount), _SCALES[scale.lower()], _CURRENCIES[sign][1]]
    if place.after.lower() in _SCALE_WORDS:
        return [*spoken, *decimal(amount)]
    return [*spoken, *_amount(amount, sign)]


def _amount(amount: str, sign: str) -> list[str]:
    one, many, small_one, small_many = _CURRENCIES[sign]
    whole, _, rest = amount.partition(".")
    if rest and (len(rest) != 2 or not small_one):
        return [*decimal(amount), many]
    spoken = [*cardinal(whole), one if int(whole.replace(",", "")) == 1 else many] if whole else []
    if not rest.strip("0"):
        return spoken
    small = [*cardinal(rest), small_one if int(rest) == 1 else small_many]
    if not whole.strip("0,"):
        return small
    return [*spoken, "and", *small]


def measure(place: Place) -> list[str] | None:
    """`5km`, `20°C`, `50%` and the `km` of `5 km`."""
    key = place.core.lower()
    if key in UNITS and key not in _ONLY_ATTACHED and is_number(place.before):
        return unit_words(key, place.before)
    found = _MEASURE.fullmatch(place.core)
    if not found:
        return None
    unit = found[3].lower()
    if unit in UNITS and found[3] not in ("M", "G"):
        return [*number_words(found[1] + found[2]), *unit_words(unit, found[2])]
    if found[3] in ("k", "K", "M", "mn", "bn") and not found[1]:
        return [*decimal(found[2]), _SCALES[unit]]
    return None


def unit_words(unit: str, amount: str) -> list[str]:
    first, *rest = UNITS[unit].split()
    if amount.lstrip("-+~") != "1":
        if first in ("square", "cubic"):
            rest = [plural(rest[0])]
        elif first == "kilowatt" and rest:
            rest = ["hours"]
        else:
            first = _IRREGULAR.get(first) or plural(first)
    return [first, *rest]


def bare_number(place: Place) -> list[str] | None:
    """Cardinals, decimals and years."""
    core = place.core
    if not is_number(core):
        return None
    unit_follows = place.after.lower() in UNITS and place.after.lower() not in _ONLY_ATTACHED
    if is_year(core) and not unit_follows:
        return year(core)
    if len(core) > 1 and core[0] == "0" and core.isdecimal():
        return [word for digit in core for word in cardinal(digit)]
    return number_words(core)


def simple_fraction(place: Place) -> list[str] | None:
    """`1/2`, and `and a half` in `1 1/2`."""
    if found := _MIXED.fullmatch(place.core):
        return [*cardinal(found[1]), "and", *_part_of_one(found[2], found[3])]
    found = _FRACTION.fullmatch(place.core)
    if not found:
        return None
    top, bottom = found[1], found[2]
    if (top, bottom) in (("24", "7"), ("50", "50")):
        return [*cardinal(top), *cardinal(bottom)]
    if place.before.isdecimal() and int(top) < int(bottom):
        return ["and", *_part_of_one(top, bottom)]
    return fraction(top, bottom)


def _part_of_one(top: str, bottom: str) -> list[str]:
    spoken = fraction(top, bottom)
    return ["a", *spoken[1:]] if top == "1" else spoken
