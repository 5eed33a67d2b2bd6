"""Text as the words one compares: case, width, punctuation, contractions, spellings and figures made alike."""

import re
import unicodedata

_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_CHINESE}]|[^\W_{_CHINESE}]+(?:'[^\W_{_CHINESE}]+)*")
_ONE_CHINESE = re.compile(rf"[{_CHINESE}]")

_WHOLE = {
    "can't": "can not",
    "cannot": "can not",
    "won't": "will not",
    "shan't": "shall not",
    "let's": "let us",
    "wanna": "want to",
    "gonna": "going to",
    "gotta": "got to",
    "gimme": "give me",
    "lemme": "let me",
    "dunno": "do not know",
    "ok": "okay",
    "yeah": "yes",
    "yep": "yes",
    "yup": "yes",
    "yea": "yes",
    "nope": "no",
    "nah": "no",
    "bye": "goodbye",
    "hi": "hello",
    "hey": "hello",
    "mum": "mom",
    "colour": "color",
    "favourite": "favorite",
    "grey": "gray",
    "theatre": "theater",
    "centre": "center",
    "programme": "program",
    "ai": "artificial intelligence",
    "a.i": "artificial intelligence",
}
_ENDINGS = {"n't": " not", "'re": " are", "'m": " am", "'ll": " will", "'ve": " have", "'d": " would"}
_IS_AFTER = frozenset(
    "what who where when why how that it he she there here this name one everything something nothing".split()
)
FILLERS = frozenset("uh um er erm hmm hm mm mhm huh eh uhm".split())
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_BEFORE_BYE = ("good", "goodbye")
LARGEST_NUMBER = 9999


def is_chinese(text: str) -> bool:
    """Whether the text holds a Chinese character."""
    return bool(_ONE_CHINESE.search(text))


def words_of(text: str) -> tuple[str, ...]:
    """The text's words, contractions written out, figures spelled, fillers left out; a Chinese character is a word."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'").replace("\u2018", "'")
    spelled: list[str] = []
    for token in _TOKEN.findall(plain):
        spelled.extend(_spelled(token))
    words = [word for word in spelled if word not in FILLERS] or spelled
    # "good bye" and "bye bye" are one goodbye.
    after = [*words[1:], ""]
    return tuple(
        word for word, following in zip(words, after, strict=False) if following != "goodbye" or word not in _BEFORE_BYE
    )


def _spelled(token: str) -> list[str]:
    if token in _WHOLE:
        return _WHOLE[token].split()
    if token.isdecimal():
        return _number(token)
    if "'" not in token:
        return [token]
    for ending, full in _ENDINGS.items():
        if token.endswith(ending) and len(token) > len(ending):
            return (token[: -len(ending)] + full).split()
    stem, _, rest = token.partition("'")
    if rest == "s":
        return [stem, "is"] if stem in _IS_AFTER else [stem]
    return [token.replace("'", "")]


def _number(token: str) -> list[str]:
    value = int(token) if len(token) <= 4 else LARGEST_NUMBER + 1
    if value > LARGEST_NUMBER or (token.startswith("0") and len(token) > 1):
        return [_UNITS[int(digit)] for digit in token[:20]]
    words: list[str] = []
    if value >= 1000:
        words += [_UNITS[value // 1000], "thousand"]
        value %= 1000
    if value >= 100:
        words += [_UNITS[value // 100], "hundred"]
        value %= 100
    if value >= 20:
        words.append(_TENS[value // 10])
        value = value % 10
        return [*words, _UNITS[value]] if value else words
    return [*words, _UNITS[value]] if value or not words else words
