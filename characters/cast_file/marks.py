"""Marks in a spoken line: `[pause 0.8]`, `[style whisper]...[/style]`, `[voice salt]...[/voice]`, `{name}`."""

import re
from dataclasses import dataclass

from inference.protocol.speech import LONGEST_PAUSE_S


@dataclass(frozen=True, slots=True)
class PauseMark:
    seconds: float


@dataclass(frozen=True, slots=True)
class StyleMark:
    """From here on this preset; None goes back to what was before the mark."""

    slug: str | None


@dataclass(frozen=True, slots=True)
class VoiceMark:
    """From here on this voice; None goes back to what was before the mark."""

    slug: str | None


LinePiece = str | PauseMark | StyleMark | VoiceMark

NAME_SLOT = "{name}"
_MARK = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{([^{}]*)\}")
_SPACES = re.compile(r"\s+")
_REMEDY = "Known marks: [pause 0.8], [style SLUG]...[/style], [voice SLUG]...[/voice]."


class MarkError(ValueError):
    """A mark that means nothing. `remedy` says what to write instead."""

    def __init__(self, what: str, remedy: str = _REMEDY) -> None:
        super().__init__(what)
        self.remedy = remedy


def parse_line(line: str, slots: frozenset[str] = frozenset({"name"})) -> tuple[LinePiece, ...]:
    """A line as text and marks, white space made single. Raises `MarkError`.

    `slots` are the names that may stand in braces.
    """
    pieces: list[LinePiece] = []
    open_marks: list[str] = []
    at = 0
    for found in _MARK.finditer(line):
        _add_text(pieces, line[at : found.start()], slots)
        pieces.append(_mark(found.group(1).strip(), open_marks))
        at = found.end()
    _add_text(pieces, line[at:], slots)
    if open_marks:
        raise MarkError(f"[{open_marks[-1]} ...] is never closed.", f"Write [/{open_marks[-1]}] after its last word.")
    return tuple(pieces)


def plain_text(line: str) -> str:
    """A line without its marks, as it is read: `{name}` and other slots are kept."""
    return _SPACES.sub(" ", _MARK.sub(" ", line)).strip()


def _add_text(pieces: list[LinePiece], text: str, slots: frozenset[str]) -> None:
    for found in _SLOT.finditer(text):
        if found.group(1) not in slots:
            known = ", ".join(f"{{{slot}}}" for slot in sorted(slots))
            raise MarkError(f"{found.group(0)} means nothing here.", f"Known here: {known}.")
    if re.search(r"[\[\]{}]", _SLOT.sub("", text)):
        raise MarkError("A bracket or brace stands alone.", f"Take it out or complete the mark. {_REMEDY}")
    text = _SPACES.sub(" ", text)
    last_text = next((piece for piece in reversed(pieces) if isinstance(piece, str)), " ")
    if last_text.endswith(" "):
        text = text.lstrip(" ")
    if text:
        pieces.append(text)


def _mark(inner: str, open_marks: list[str]) -> LinePiece:
    word, _, rest = inner.partition(" ")
    rest = rest.strip()
    if word == "pause":
        return PauseMark(_pause_s(rest))
    if word in ("style", "voice"):
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", rest):
            raise MarkError(f"[{inner}] names no {word}.")
        if word in open_marks:
            raise MarkError(f"[{inner}] stands inside another [{word} ...].", f"Close that one first with [/{word}].")
        open_marks.append(word)
        return StyleMark(rest) if word == "style" else VoiceMark(rest)
    if inner in ("/style", "/voice"):
        if not open_marks or open_marks[-1] != inner[1:]:
            raise MarkError(f"[{inner}] closes nothing that is open here.", "Marks close in the reverse order.")
        open_marks.pop()
        return StyleMark(None) if inner == "/style" else VoiceMark(None)
    raise MarkError(f"[{inner}] is no mark.")


def _pause_s(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise MarkError(f"[pause {text}] has no length.", "Write the seconds, such as [pause 0.8].") from None
    if not 0 < seconds <= LONGEST_PAUSE_S:
        raise MarkError(f"[pause {text}] is out of range.", f"A pause lasts up to {LONGEST_PAUSE_S:g} seconds.")
    return seconds
