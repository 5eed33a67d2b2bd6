"""How one word is said: by the dictionary, as a form or a compound of words it has, or by its letters."""

import re

from inference.pronunciation.inflections import Known, inflected
from inference.pronunciation.letter_model import LetterModel
from inference.pronunciation.lexicon import LETTERS_FILE, Lexicon
from inference.pronunciation.phones import STRESS, Phones, is_vowel, with_ed, with_s

_SHORTEST_PART, _SHORTEST_COMPOUND = 4, 9
"""Letters: below these, letters alone say more words right."""

_BRITISH = tuple(
    (re.compile(british), american)
    for british, american in (
        (r"our(?=$|s$|ed$|ing$|er|ful|less|ite|able|hood|ly)", "or"),
        (r"is(?=e$|es$|ed$|er$|ers$|ing$|ation$|ations$)", "iz"),
        (r"ys(?=e$|es$|ed$|er$|ing$)", "yz"),
        (r"tre(?=$|s$)", "ter"),
        (r"ogue(?=$|s$)", "og"),
        (r"ll(?=ed$|ing$|er$|ers$|ous$|ery$)", "l"),
        (r"ence(?=$|s$)", "ense"),
        (r"ae|oe", "e"),
        (r"grey", "gray"),
        (r"pyjama", "pajama"),
    )
)

_LONGEST_WORD = 40
"""Letters; what is longer is cut up and said in stretches of so many."""


class Spelling:
    """Words are lower case, with `'` at most; `_a` is the letter."""

    def __init__(self, lexicon: Lexicon, letters: LetterModel) -> None:
        self._lexicon = lexicon
        self._letters = letters

    @classmethod
    def load(cls, lexicon: Lexicon) -> "Spelling":
        """With the bundled model of letters. Raises `OSError` when it is missing."""
        return cls(lexicon, LetterModel.load(LETTERS_FILE))

    def phones(self, word: str, part: str = "") -> Phones:
        """Empty when there is nothing to say. `part` of speech: n, v, j or empty."""
        if word == "_a":
            return ("ey1",)
        bare = word.replace("'", "")
        if "'" in word:
            found = self._lexicon.phones(word) or self._with_clitic(word) or self._lexicon.phones(bare, part)
        else:
            found = self._lexicon.phones(word, part)
        return found or self._guessed(bare)

    def _with_clitic(self, word: str) -> Phones | None:
        stem, _, clitic = word.rpartition("'")
        if not stem.strip("'") or clitic not in ("s", "ll", "ve", "d", "re", "m"):
            return None
        phones = self.phones(stem)
        if not phones or clitic == "s":
            return with_s(phones) if phones else None
        if clitic == "d":
            return with_ed(phones) if phones[-1] in ("t", "d") else (*phones, "d")
        if clitic in ("re", "m"):
            return (*phones, "er" if clitic == "re" else "m")
        consonant = clitic[0]
        return (*phones, consonant) if is_vowel(phones[-1]) else (*phones, "ax", consonant)

    def _guessed(self, word: str) -> Phones:
        if len(word) > _LONGEST_WORD:
            return self._guessed(word[:_LONGEST_WORD]) + self._guessed(word[_LONGEST_WORD:])
        known: Known = self._lexicon.phones
        return self._american(word) or inflected(word, known) or self._compound(word) or self._by_letters(word)

    def _american(self, word: str) -> Phones | None:
        """British spellings, which the dictionary mostly lacks: `neighbour`, `apologise`."""
        for british, american in _BRITISH:
            respelled = british.sub(american, word)
            if respelled == word:
                continue
            if found := self._lexicon.phones(respelled) or inflected(respelled, self._lexicon.phones):
                return found
        return None

    def _compound(self, word: str) -> Phones | None:
        """Two words of the dictionary in one, cut nearest to the middle."""
        if len(word) < _SHORTEST_COMPOUND:
            return None
        cuts = range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1)
        for cut in sorted(cuts, key=lambda cut: abs(len(word) - 2 * cut)):
            first, second = self._lexicon.phones(word[:cut]), self._lexicon.phones(word[cut:])
            if first and second:
                return first + second
        return None

    def _by_letters(self, word: str) -> Phones:
        if not any(char in "aeiouy" for char in word):
            return tuple(phone for letter in word for phone in self._lexicon.phones(letter) or ())
        phones = self._letters.phones(word)
        return phones if any(phone.endswith(STRESS) for phone in phones) else _with_first_stressed(phones)


def _with_first_stressed(phones: Phones) -> Phones:
    """A word said by itself has a stressed vowel: the first that is not reduced."""
    full = [index for index, phone in enumerate(phones) if is_vowel(phone) and phone != "ax"]
    if not full:
        return phones
    return (*phones[: full[0]], phones[full[0]] + STRESS, *phones[full[0] + 1 :])
