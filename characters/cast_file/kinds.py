"""The kinds of text and value a cast file is made of."""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from characters.cast_file.marks import MarkError, parse_line
from characters.cast_file.problems import mistake

LONGEST_LINE_CHARS = 4000
LONGEST_CUE_CHARS = 120


class Strict(BaseModel):
    """A part of a cast file: unknown keys are mistakes, and what was checked stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Text(Strict):
    """Text for the page in English and, where it exists, in Chinese."""

    en: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    zh: Annotated[str, StringConstraints(max_length=2000)] = ""

    @model_validator(mode="before")
    @classmethod
    def _plain_is_english(cls, value: Any) -> Any:
        return {"en": value} if isinstance(value, str) else value

    def in_language(self, language: str) -> str:
        """The Chinese twin for a Chinese tag (`zh`, `zh-hans`, `cmn`) if there is one, else the English text."""
        return self.zh if self.zh and language.lower().startswith(("zh", "cmn")) else self.en


def _checked_line(line: str, slots: frozenset[str]) -> str:
    try:
        pieces = parse_line(line, slots)
    except MarkError as error:
        raise mistake(str(error), error.remedy) from None
    if not any(isinstance(piece, str) and piece.strip() for piece in pieces):
        raise mistake("The line says nothing.", "Write some words, or take the line out.")
    return line


def as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _check_plain_line(line: str) -> str:
    return _checked_line(line, frozenset({"name"}))


def _check_recap_line(line: str) -> str:
    return _checked_line(line, frozenset({"name", "right", "total"}))


def _check_cue(cue: str) -> str:
    if not re.search(r"\w", cue):
        raise mistake(f"The cue {cue!r} holds no word.", "Write what a listener would say.")
    if re.search(r"[\[\]{}<>*]", cue):
        raise mistake(f"The cue {cue!r} holds a mark.", "Cues are plain words.")
    return cue.lower()


def _check_cues(cues: tuple[str, ...]) -> tuple[str, ...]:
    repeated = first_repeated(cues)
    if repeated:
        raise mistake(f"The cue {repeated!r} stands here twice.", "Take one of them out.")
    return cues


def first_repeated(words: Iterable[str]) -> str:
    """The first word that occurs a second time, or an empty string."""
    seen: set[str] = set()
    for word in words:
        if word in seen:
            return word
        seen.add(word)
    return ""


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_LINE_CHARS), AfterValidator(_check_plain_line)]
RecapLine = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_LINE_CHARS), AfterValidator(_check_recap_line)
]
Variants = Annotated[tuple[Line, ...], BeforeValidator(as_list), Field(min_length=1, max_length=100)]
"""Lines that say the same in different words; a single string counts as a list of one."""

OptionalVariants = Annotated[tuple[Line, ...], BeforeValidator(as_list), Field(max_length=100)]
RecapVariants = Annotated[tuple[RecapLine, ...], BeforeValidator(as_list), Field(max_length=100)]
Cue = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_CUE_CHARS), AfterValidator(_check_cue)]
Cues = Annotated[
    tuple[Cue, ...], BeforeValidator(as_list), Field(min_length=1, max_length=200), AfterValidator(_check_cues)
]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=8000)]
