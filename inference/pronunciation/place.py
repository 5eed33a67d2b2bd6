"""A token among its neighbours, which is how it is read: `St` before a name, `No` before a number."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inference.pronunciation.lexicon import Lexicon
from inference.pronunciation.written_token import WrittenToken

_CAPITALS = re.compile(r"[A-Z][A-Z']+")


@dataclass(frozen=True, slots=True)
class Place:
    """One of `tokens`. Outside the text there are empty tokens."""

    tokens: Sequence[WrittenToken]
    index: int
    lexicon: Lexicon

    @property
    def token(self) -> WrittenToken:
        return self.tokens[self.index]

    @property
    def core(self) -> str:
        return self.token.core

    def core_at(self, offset: int) -> str:
        """The core `offset` tokens on, empty when there is none."""
        index = self.index + offset
        return self.tokens[index].core if 0 <= index < len(self.tokens) else ""

    @property
    def before(self) -> str:
        """The core before, if nothing but space is between."""
        if not self.index or self.tokens[self.index - 1].closing.strip(".\"'"):
            return ""
        return self.core_at(-1)

    @property
    def after(self) -> str:
        """The core after, if at most a dot is between."""
        return "" if self.token.closing.strip(".") else self.core_at(1)

    @property
    def starts_sentence(self) -> bool:
        if not self.index:
            return True
        last = self.tokens[self.index - 1]
        return not last.core or any(char in last.closing for char in '.!?:…"”') or last.lines_after > 0

    @property
    def is_shouted(self) -> bool:
        """In a stretch of capitals: they mean loudness, not initials."""
        return any(_is_shout(self.core_at(offset)) for offset in (-1, 1))


def _is_shout(core: str) -> bool:
    return bool(_CAPITALS.fullmatch(core)) and any(char in "AEIOUY" for char in core)
