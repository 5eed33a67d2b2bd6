"""The listener's name, when they say it."""

import re
import unicodedata

_SAYS = re.compile(
    r"\b(?:my name is|my name's|call me|i am called|i'm called|they call me|the name is|the name's)\s+"
    r"([^\W\d_]+(?:[-'][^\W\d_]+)?)",
    re.IGNORECASE,
)
_SAYS_CHINESE = re.compile("(?:我叫|我的名字是|叫我)([\u4e00-\u9fff]{1,4}|[A-Za-z]+)")
_NO_NAME = frozenset(
    "a an the later back again maybe now when if not so too very just my your his her our their it that this what who "
    "tomorrow tonight today sometime anything something nothing by and or uh um whatever please stupid crazy "
    "names".split()
)
_CHINESE_ENDINGS = re.compile("(?:吧|呀|啊|哦|就好|就行|好了)+$")
_ASKS = re.compile(r"\b(?:your name|call you|who are you|whom do i)\b|\u53eb\u4ec0\u4e48", re.IGNORECASE)
LONGEST_NAME = 30


def name_said(text: str) -> str:
    """The name in "my name is Ada", "call me Ada" or "我叫小明"; empty when there is none."""
    text = unicodedata.normalize("NFKC", text)[:500]
    found = _SAYS_CHINESE.search(text)
    if found:
        return _as_name(_CHINESE_ENDINGS.sub("", found.group(1)))
    found = _SAYS.search(text)
    return _as_name(found.group(1)) if found else ""


def asks_for_name(said: str) -> bool:
    """Whether a line of the character's asks what the listener is called, as its last question."""
    return bool(_ASKS.search(said[-120:])) and said.rstrip().endswith(("?", "\uff1f"))


def bare_name(words: tuple[str, ...], text: str) -> str:
    """A name given as the whole answer: "Ada", "it's Ada", "I'm Ada"."""
    lead = 2 if words[:2] in (("it", "is"), ("i", "am")) else 0
    rest = words[lead:]
    return _as_name(rest[0]) if len(rest) == 1 and len(text) <= 40 else ""


def _as_name(word: str) -> str:
    if not word or word.lower() in _NO_NAME or len(word) > LONGEST_NAME:
        return ""
    return word if not word.islower() else word.capitalize()
