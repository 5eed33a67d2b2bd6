"""A line cut into sentences, each knowing the delivery it begins in: the places a story can go on from."""

import re
from dataclasses import dataclass

from characters.cast_file import LinePiece, StyleMark, VoiceMark

_END = re.compile(r"(?<=[.!?\u2026])[\"'\u201d\u2019)]*\s+|(?<=[\u3002\uff01\uff1f])[\u201d\u2019]*")
_NOT_AN_END = re.compile(r"\b(?:mr|mrs|ms|dr|st|no|vs)\.\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Pieces of a line up to the end of a sentence, and the style and voice marks in force where it begins."""

    style: str | None
    voice: str | None
    pieces: tuple[LinePiece, ...]


def sentences_of(pieces: tuple[LinePiece, ...]) -> tuple[Sentence, ...]:
    """The sentences of a parsed line, in order; their texts join to the text of the line."""
    found: list[Sentence] = []
    current: list[LinePiece] = []
    style = voice = None
    opening: tuple[str | None, str | None] = (None, None)
    for piece in pieces:
        if isinstance(piece, str):
            *whole, rest = _split(piece)
            for text in whole:
                found.append(Sentence(*opening, (*current, text)))
                current, opening = [], (style, voice)
            if rest:
                current.append(rest)
            continue
        if isinstance(piece, StyleMark):
            style = piece.slug
        elif isinstance(piece, VoiceMark):
            voice = piece.slug
        if current:
            current.append(piece)
        elif found:
            last = found[-1]
            found[-1] = Sentence(last.style, last.voice, (*last.pieces, piece))
            opening = (style, voice)
        else:
            current.append(piece)
    if current:
        found.append(Sentence(*opening, tuple(current)))
    return tuple(found)


def _split(text: str) -> list[str]:
    """Whole sentences, then what remains (maybe nothing)."""
    parts: list[str] = []
    at = 0
    for found in _END.finditer(text):
        if not _NOT_AN_END.search(text[: found.end()]):
            parts.append(text[at : found.end()])
            at = found.end()
    rest = text[at:]
    if re.search(r"[.!?\u2026\u3002\uff01\uff1f][\"'\u201d\u2019)]*$", rest):
        return [*parts, rest, ""]
    return [*parts, rest]
