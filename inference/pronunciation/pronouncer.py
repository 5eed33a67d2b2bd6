"""Text in, phones out."""

from dataclasses import dataclass, replace

from inference.pronunciation.connected_speech import connected
from inference.pronunciation.lexicon import Lexicon
from inference.pronunciation.place import Place
from inference.pronunciation.pronounced_word import PronouncedWord
from inference.pronunciation.reading import break_after, spoken_words
from inference.pronunciation.spelling import Spelling
from inference.pronunciation.written_token import WrittenToken, stronger, written_tokens


@dataclass(frozen=True, slots=True)
class _ReadToken:
    token: WrittenToken
    spoken: list[str]
    break_after: str


class Pronouncer:
    """Holds the dictionary; thread-safe, since nothing of it changes."""

    def __init__(self, lexicon: Lexicon, spelling: Spelling) -> None:
        self._lexicon = lexicon
        self._spelling = spelling

    @classmethod
    def load(cls) -> "Pronouncer":
        """Reads the bundled files. Raises `OSError` when one is missing."""
        lexicon = Lexicon.load()
        return cls(lexicon, Spelling.load(lexicon))

    def words(self, text: str) -> list[PronouncedWord]:
        """Every written token that can be said, in order. Punctuation that stands alone sets the break before it."""
        read = self._read(text)
        flat = [word for piece in read for word in piece.spoken]
        breaks = [mark for piece in read for mark in [""] * (len(piece.spoken) - 1) + [piece.break_after]]
        phones = iter(connected(flat, breaks, self._spelling))
        pronounced: list[PronouncedWord] = []
        for piece in read:
            said = [next(phones) for _ in piece.spoken]
            starts = [sum(len(word) for word in said[:index]) for index in range(len(said))]
            start, end = piece.token.start, piece.token.end
            pronounced.append(
                PronouncedWord(
                    text=text[start:end],
                    char_start=start,
                    char_end=end,
                    phones=tuple(phone for word in said for phone in word),
                    break_after=piece.break_after,
                    inner_words=tuple(starts),
                )
            )
        return pronounced

    def spoken(self, text: str) -> list[str]:
        """The words that are said, numbers and abbreviations written out."""
        return [word for piece in self._read(text) for word in piece.spoken]

    def _read(self, text: str) -> list[_ReadToken]:
        """Tokens with something to say; the others only leave their break."""
        tokens = written_tokens(text)
        read: list[_ReadToken] = []
        for index, token in enumerate(tokens):
            place = Place(tokens, index, self._lexicon)
            spoken = [word for word in spoken_words(place) if self._spelling.phones(word)]
            mark = break_after(place)
            if spoken:
                read.append(_ReadToken(token, spoken, mark))
            elif read:
                read[-1] = replace(read[-1], break_after=stronger(read[-1].break_after, mark))
        return read
