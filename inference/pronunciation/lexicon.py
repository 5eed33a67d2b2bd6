"""The bundled dictionary: words, and for some of them other ways by part of speech.

`lexicon.txt.xz` is derived from CMUDICT 0.4 in the form the Festival project gives it (festlex-cmu, Copyright (c) 1996,
1997 Centre for Speech Technology Research, University of Edinburgh; free use, modification and distribution under the
conditions of `LICENCE.festlex-cmu`, which lies beside it). `supplement.yaml` is ours and goes first.
"""

import lzma
from pathlib import Path

import yaml

from inference.pronunciation.phones import Phones

HERE = Path(__file__).parent
LEXICON_FILE = HERE / "lexicon.txt.xz"
LETTERS_FILE = HERE / "letters.txt.xz"
_SUPPLEMENT_FILE = HERE / "supplement.yaml"

Entries = dict[str, str]
"""`word` or `word/part` (part of speech: n noun, v verb, j adjective) to phones separated by spaces."""


class Lexicon:
    """Keys are lower-case words without apostrophes."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries

    @classmethod
    def load(cls) -> "Lexicon":
        """Raises `OSError` when a bundled file is missing."""
        entries = read_entries(LEXICON_FILE)
        own = yaml.safe_load(_SUPPLEMENT_FILE.read_text(encoding="utf-8"))
        for key, phones in own.items():
            if "/" not in key:
                for part in "nvj":
                    entries.pop(f"{key}/{part}", None)
            entries[key] = phones
        return cls(entries)

    def __contains__(self, word: str) -> bool:
        return word in self._entries

    def phones(self, word: str, part: str = "") -> Phones | None:
        """How `word` is said as that part of speech, or as usual when it makes no difference; None when unknown."""
        found = (part and self._entries.get(f"{word}/{part}")) or self._entries.get(word)
        return tuple(found.split()) if found else None


def read_entries(path: Path) -> Entries:
    """A file of lines `key phones`."""
    with lzma.open(path, "rt", encoding="ascii") as lines:
        return dict(line.rstrip("\n").split(" ", 1) for line in lines)


def write_entries(entries: Entries, path: Path) -> None:
    text = "".join(f"{key} {value}\n" for key, value in sorted(entries.items()))
    path.write_bytes(lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
