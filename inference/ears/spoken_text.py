"""Written text as a recogniser's words."""

import re
import unicodedata
from collections.abc import Iterator

_MARK = re.compile(r"\[[^\]]*\]|\{[^}]*\}")
_BREAK = re.compile(r"[.!?;:…\n。！？]+|\s[-–—]+\s|--+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*'?")


def sentences(text: str) -> Iterator[list[str]]:
    """The sentences of `text` as lower-case words; marks like `[pause 1]` vanish.

    A token that is no English word (a number in digits, Chinese) ends a sentence: what stands around it is not spoken
    in one breath as written.
    """
    plain = _MARK.sub(" ", text).replace("’", "'").replace("‘", "'").lower()
    plain = "".join(char for char in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(char))
    for part in _BREAK.split(plain):
        words: list[str] = []
        for token in re.split(r"[\s\-–—/]+", part):
            bare = token.strip("\"'“”,()*_«»、，")
            if not bare:
                continue
            if _WORD.fullmatch(bare):
                words.append(bare)
            else:
                if words:
                    yield words
                words = []
        if words:
            yield words
