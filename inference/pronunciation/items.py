"""Pronounced words as the items that our voice model speaks: `^.` phones `,` phones `.`.

`^` and the mark the phrase ends in begin it; `|` marks the first phone of a word; a pause inside is `,`. An item enters
the model as two tokens, what comes after it and itself (`+eh |dh`): the sound of a phone depends on the next one, and
this way both stand right before the frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.pronunciation.pronounced_word import PronouncedWord

NEXT = "_"
"""What the text head is taught to say where the next item is due, whichever it is: the words are forced."""

CLOSINGS = (".", "?", "!", ",")


@dataclass(frozen=True, slots=True)
class PhraseItems:
    items: tuple[str, ...]
    first_item: tuple[int, ...]
    """Per word, the index of its first item."""


def hint(item: str) -> str:
    """The token that announces an item."""
    return f"+{item.lstrip('|').rstrip('1')}"


def pieces(items: Sequence[str]) -> list[str]:
    """Each item with its announcement, as text of two tokens; nothing follows the last."""
    return [f"{hint(after)} {item}" for item, after in zip(items, (*items[1:], NEXT), strict=True)]


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
