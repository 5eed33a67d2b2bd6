"""Words among words: weak forms, and words spelled alike but said by their part of speech."""

from collections.abc import Sequence

from inference.pronunciation.homographs import part_of_speech
from inference.pronunciation.phones import Phones, is_vowel
from inference.pronunciation.spelling import Spelling


def connected(words: Sequence[str], breaks: Sequence[str], spelling: Spelling) -> list[Phones]:
    """The phones of each word; `breaks[i]` is what follows word i."""
    said = [spelling.phones(word, part_of_speech(words, breaks, index)) for index, word in enumerate(words)]
    return [_weak_form(word, breaks[index], said, index) for index, word in enumerate(words)]


def _weak_form(word: str, mark: str, said: Sequence[Phones], index: int) -> Phones:
    """`the` with a full vowel before vowels, `to` in full before a break."""
    following = said[index + 1] if index + 1 < len(said) else ()
    if word == "the" and following and not mark and is_vowel(following[0]):
        return ("dh", "iy")
    if word == "to" and mark:
        return ("t", "uw1")
    return said[index]
