"""Text cut into what is read at once, with the punctuation told apart from the words."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_TAG = re.compile(r"</?[A-Za-z!?][^<>\n]{0,200}>|(?<=\])\((?:https?://|/|#)[^()\s]{0,500}\)|\[/?style\b[^\]\n]{0,60}\]")
_EMOTICON = re.compile(r"[:;=8xX]['^]?-?[)(DPpOo3/\\|*]+|<3+|\^_*\^|[-–—]_+[-–—]|[oO]_[oO]|¯\\.*/¯")
_SPACE = re.compile(r"\s*")
_INNER_BREAK = re.compile(r"(?:—|--+|(?<=\D)–|\.{3,}|…)[\"'”’)\]*_]*(?=[\"'“‘(\[*_]*\w)")
_OPENERS = "\"'“”‘’«»‹›„([{<*_~`¡¿|"
_CLOSERS = "\"'“”‘’«»‹›)]}>*_~`|\\,;:.!?…—–-。，！？；：、）】"
_NOT_STRIPPED = re.compile(r"'(?:em|til|till|cause|twas|tis|bout|round|\d\ds?)\b", re.IGNORECASE)
_ENDS = {"?": "?", "？": "?", "!": "!", "！": "!", ".": ".", "…": ".", "。": "."} | dict.fromkeys(
    ",;:)]}—–-，；：、）】", ","
)
_FRACTION_AFTER_DIGIT = re.compile(r"(?<=\d)[¼-¾⅐-⅞]")
_STRENGTH = ("", ",", ".", "!", "?")
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"ð": "th", "Ð": "Th", "þ": "th", "Þ": "Th", "ı": "i", "’": "'", "‘": "'", "ʼ": "'", "−": "-", "‐": "-", "‑": "-"}
    | {"⁄": "/", "–": "-", "—": "-"}
)


@dataclass(frozen=True, slots=True)
class WrittenToken:
    start: int
    end: int
    core: str
    """What is read: ASCII, without the punctuation around it; may be empty."""

    opening: str
    closing: str
    """The punctuation around the core."""

    lines_after: int
    """Line breaks in the white space that follows."""

    @property
    def is_dotted(self) -> bool:
        return self.closing.startswith(".")


def written_tokens(text: str) -> list[WrittenToken]:
    """All of them, also those that are punctuation only. Markup, emoji and emoticons leave none."""
    plain = _TAG.sub(lambda match: " " * len(match.group()), text)
    return [token for start, end in _spans(plain) for token in _token(plain, start, end)]


def stronger(first: str, second: str) -> str:
    """Of two breaks."""
    return max(first, second, key=_STRENGTH.index)


def break_of(punctuation: str) -> str:
    """The strongest break that the characters ask for."""
    return max((_ENDS.get(char, "") for char in punctuation), key=_STRENGTH.index, default="")


def _spans(plain: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(r"\S+", plain):
        if _EMOTICON.fullmatch(match.group()):
            continue
        start = match.start()
        for inner in () if "://" in match.group() else _INNER_BREAK.finditer(match.group()):
            if inner.start() and any(char.isalnum() for char in plain[start : match.start() + inner.start()]):
                yield start, match.start() + inner.end()
                start = match.start() + inner.end()
        yield start, match.end()


def _token(plain: str, start: int, end: int) -> Iterator[WrittenToken]:
    written = plain[start:end]
    stem = written
    if not _NOT_STRIPPED.match(written.replace("’", "'").replace("‘", "'")):
        stem = written.lstrip(_OPENERS + "—–")
    if stem[:1] == "-" and not stem[1:2].isdecimal():
        stem = stem.lstrip("-")
    opening = written[: len(written) - len(stem)]
    core = stem.rstrip(_CLOSERS)
    space = _SPACE.match(plain, end)
    lines = space.group().count("\n") if space else 0
    yield WrittenToken(start, end, folded(core), opening, stem[len(core) :], lines)


def folded(text: str) -> str:
    """Letters without their accents, digits of any script as ours; what has no ASCII form vanishes."""
    kept: list[str] = []
    text = _FRACTION_AFTER_DIGIT.sub(r" \g<0>", text)
    for char in unicodedata.normalize("NFKD", text.translate(_LETTERS)).translate(_LETTERS):
        digit = unicodedata.decimal(char, None)
        if digit is not None:
            kept.append(str(digit))
        elif char.isascii() or char in "°£€¥¢±×÷":
            kept.append(char)
    return "".join(kept)
