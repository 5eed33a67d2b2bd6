"""A written word and how it is said."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PronouncedWord:
    """A token between white space (or dashes, or dots of an ellipsis), its punctuation included."""

    text: str
    """As written."""

    char_start: int
    char_end: int
    """In the given text: `text == given[char_start:char_end]`."""

    phones: tuple[str, ...]
    """Never empty. Stressed vowels end in `1`, other phones have no digit: `("hh", "ax", "l", "ow1")`."""

    break_after: str
    """Empty inside a phrase, else `,` (comma, colon, semicolon, dash, brackets), `.`, `?` or `!`."""

    inner_words: tuple[int, ...]
    """Indices in `phones` at which a spoken word begins, 0 first: `25` is twenty and five."""
