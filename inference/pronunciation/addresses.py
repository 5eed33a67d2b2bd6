"""E-mail addresses, web addresses, file names and telephone numbers."""

import re

from inference.pronunciation.number_words import cardinal, spelled_digits
from inference.pronunciation.place import Place

_WEB = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?((?:[\w-]+\.)+[a-z]{2,}(?::\d+)?(?:/[^\s?#]*)?)(?:[?#]\S*)?", re.IGNORECASE
)
_EMAIL = re.compile(r"(?:mailto:)?([\w.+-]+@[\w-]+(?:\.[\w-]+)+)", re.IGNORECASE)
_ENDINGS = frozenset(
    "com org net edu gov io ai app dev uk de fr cn jp eu us tv co info biz me html htm py txt pdf js css json zip exe "
    "md csv png jpg mp3 wav yaml".split()
)
_SAID_ENDINGS = frozenset(("com", "org", "net", "info", "biz", "dev", "app", "zip", "me"))
_SIGNS = {".": "dot", "@": "at", "-": "dash", "_": "underscore", "/": "slash", "+": "plus", ":": "colon", "~": "tilde"}
_PHONE = re.compile(r"\+?\d{0,3}[-. ]?\(?\d{2,4}\)?(?:[-.]\d{2,4}){1,4}|\+\d{7,15}")
_YEARS = re.compile(r"(?:1[1-9]|20)\d\d-(?:1[1-9]|20)\d\d")
_GROUP = re.compile(r"\d{2,4}(?:-\d{2,4})?")
_FEWEST_PHONE_DIGITS = 7


def address(place: Place) -> list[str] | None:
    core = place.core.rstrip("/")
    if found := _EMAIL.fullmatch(core):
        return _read(found[1], place)
    found = _WEB.fullmatch(core)
    if not found:
        return None
    host = found[1].split("/")[0].split(":")[0].lower()
    is_meant = "://" in core or host.startswith("www.") or "/" in found[1]
    ending = found[1].split("/")[0].rsplit(".", 1)[-1]
    if is_meant or (ending in _ENDINGS and not core[0].isdecimal()):
        return _read(found[1].rstrip("/"), place)
    return None


def _read(text: str, place: Place) -> list[str]:
    spoken: list[str] = []
    for part in re.findall(r"[A-Za-z]+|\d+|[^A-Za-z\d\s]", text):
        if part in _SIGNS:
            spoken.append(_SIGNS[part])
        elif part.isdecimal():
            spoken += cardinal(part) if len(part) < 4 and part[0] != "0" else spelled_digits(part)
        elif part.isalpha():
            spoken += _name(part.lower(), place)
    return spoken


def _name(part: str, place: Place) -> list[str]:
    is_word = part in place.lexicon if len(part) > 2 else part in ("me", "my", "to", "go", "no", "we", "in", "on")
    if part in _SAID_ENDINGS or is_word or (len(part) > 3 and any(char in "aeiouy" for char in part)):
        return [part]
    return letters(part)


def letters(text: str) -> list[str]:
    """The names of letters; `_a` is the letter, not the article."""
    return ["_a" if char == "a" else char for char in text.lower() if char.isascii() and char.isalpha()]


def telephone(place: Place) -> list[str] | None:
    """Digit by digit: `555-123-4567`, `+44 20 7946 0958`, `(555) 123-4567`."""
    core = place.core
    digits = re.sub(r"\D", "", core)
    if _PHONE.fullmatch(core) and not _YEARS.fullmatch(core) and len(digits) >= _FEWEST_PHONE_DIGITS:
        return [*(["plus"] if core[0] == "+" else []), *spelled_digits(digits)]
    if not digits or not re.fullmatch(r"\+?[\d-]+", core):
        return None
    if core[0] == "+" and _GROUP.fullmatch(place.core_at(1)):
        return ["plus", *spelled_digits(digits)]
    if _GROUP.fullmatch(core) and _in_telephone(place):
        return spelled_digits(digits)
    return None


def _in_telephone(place: Place) -> bool:
    """Whether a group of digits continues a number that began with `+`, or is an area code in brackets."""
    if "(" in place.token.opening and ")" in place.token.closing:
        return bool(re.fullmatch(r"\d{3}-\d{4}", place.core_at(1)))
    if re.fullmatch(r"\d{3}-\d{4}", place.core):
        return True
    offset = -1
    while offset >= -5 and _GROUP.fullmatch(place.core_at(offset)):
        offset -= 1
    return bool(re.fullmatch(r"\+\d{1,3}", place.core_at(offset)))
