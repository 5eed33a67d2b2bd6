"""Pronounced words as the items that our voice model speaks: `^.` phones `,` phones `.`.

`^` and the mark the phrase ends in begin it; `|` marks the first phone of a word; a pause inside is `,`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.pronunciation.pronounced_word import PronouncedWord

LEAD = 2
"""How many items text runs ahead of the sound."""

NEXT = "_"
"""After the last item, `LEAD` of these let the sound catch up."""

CLOSINGS = (".", "?", "!", ",")


@dataclass(frozen=True, slots=True)
class PhraseItems:
    items: tuple[str, ...]
    first_item: tuple[int, ...]
    """Per word, the index of its first item."""


def beginning(closing: str) -> str:
    return f"^{closing if closing in CLOSINGS else '.'}"


def phrase_items(words: Sequence[PronouncedWord], closing: str) -> PhraseItems:
    """The items of one phrase, its beginning and `closing` mark included."""
    items, firsts = [beginning(closing)], []
    for number, word in enumerate(words):
        firsts.append(len(items))
        starts = set(word.inner_words)
        items += [f"|{phone}" if place in starts else phone for place, phone in enumerate(word.phones)]
        if word.break_after and number + 1 < len(words):
            items.append(",")
    items.append(closing if closing in CLOSINGS else ".")
    return PhraseItems(tuple(items), tuple(firsts))
