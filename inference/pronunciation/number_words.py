"""Numbers as they are said in American English.

(`inflect` would do, but takes two seconds to import, and `num2words` is LGPL.)
"""

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_LONGEST_CARDINAL = 3 * len(_SCALES)
"""Digits; longer ones are read one by one."""

_LARGEST_DENOMINATOR = 100


def cardinal(digits: str) -> list[str]:
    """`1,234` or `0042`: the number; longer ones than anyone names, digit by digit."""
    digits = digits.replace(",", "").lstrip("0") or "0"
    if len(digits) > _LONGEST_CARDINAL:
        return spelled_digits(digits)
    number, words = int(digits), []
    if number == 0:
        return ["zero"]
    for power in range(len(_SCALES) - 1, -1, -1):
        group = number // 1000**power % 1000
        if group:
            words += [*_below_thousand(group), *([_SCALES[power]] if power else [])]
    return words


def _below_thousand(number: int) -> list[str]:
    words = [_ONES[number // 100], "hundred"] if number >= 100 else []
    rest = number % 100
    if rest >= 20:
        words.append(_TENS[rest // 10])
        rest %= 10
    return [*words, _ONES[rest]] if rest else words


def spelled_digits(digits: str) -> list[str]:
    return [_ONES[int(digit)] for digit in digits]


def ordinal(digits: str) -> list[str]:
    *first, last = cardinal(digits)
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return [*first, last]


def decimal(text: str) -> list[str]:
    """`3.14`, `.5` or `1,200`."""
    whole, _, parts = text.partition(".")
    spoken = cardinal(whole) if whole else []
    return [*(spoken or ["zero"]), "point", *spelled_digits(parts)] if parts else spoken


def year(digits: str) -> list[str]:
    """Four digits, said in pairs where one does so."""
    century, rest = digits[:2], digits[2:]
    if digits[1:3] == "00" or (digits[1] == "0" and digits[0] == "1"):
        return cardinal(digits)
    if rest == "00":
        return [*cardinal(century), "hundred"]
    return [*cardinal(century), *(["oh", *cardinal(rest)] if rest[0] == "0" else cardinal(rest))]


def is_year(digits: str) -> bool:
    """Whether four digits alone are more likely a year than a number."""
    return len(digits) == 4 and digits.isdecimal() and 1100 <= int(digits) <= 2099


def decade(digits: str) -> list[str]:
    """`1990` of `1990s`, or `90` of `'90s`."""
    *first, last = year(digits) if len(digits) == 4 else cardinal(digits)
    return [*first, plural(last)]


def plural(word: str) -> str:
    return word[:-1] + "ies" if word.endswith("y") else word + ("es" if word.endswith("x") else "s")


def fraction(top: str, bottom: str) -> list[str]:
    above, below = cardinal(top), int(bottom) if len(bottom) < 4 else 0
    if not 2 <= below <= _LARGEST_DENOMINATOR:
        return [*above, "over", *cardinal(bottom)]
    names = {2: ["half"], 4: ["quarter"]}.get(below) or ordinal(bottom)
    if above != ["one"]:
        names = [*names[:-1], "halves" if below == 2 else names[-1] + "s"]
    return [*above, *names]
