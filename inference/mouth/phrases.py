"""Text as it is written, cut into what a synthesiser can say at once: clauses, runs of one script, words.

Every piece knows its place in the text it came from, so that captions can show what was written.
"""

import re
import unicodedata
from dataclasses import dataclass

NEUTRAL_WPM = 165.0
"""Words per minute that the pauses below are meant for."""

LONGEST_PHRASE_CHARS = 180
"""A clause longer than this is cut between words: it bounds the time one synthesis takes."""

COMMA_PAUSE_S = 0.15
COLON_PAUSE_S = 0.24
SENTENCE_PAUSE_S = 0.36
ELLIPSIS_PAUSE_S = 0.5
PARAGRAPH_PAUSE_S = 0.75

_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_CJK_CHAR = re.compile(f"[{_CJK}]")
_CLOSERS = "\"'”’»)\\]」』）】*_"
_CLAUSE_END = re.compile(
    rf"(?:[.!?…]+|[,;:]|--+|[—–])[{_CLOSERS}]*(?=\s)|\s[—–-](?=\s)|—|[。！？；：，、…]+[{_CLOSERS}]*|[^\S\n]*\n\s*"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“‘])(?:mr|mrs|ms|dr|st|prof|sr|jr|vs|no|mt|e\.g|i\.e|[a-z](?:\.[a-z])*)\.$", re.IGNORECASE
)
_WORD = re.compile(rf"[{_CJK}][^\s{_CJK}\w]*|[^\s{_CJK}]+")
_MARKUP = re.compile(r"</?[A-Za-z!?][^<>\n]{0,200}>")
_READABLE_SYMBOLS = frozenset("$€£¥¢%&+=@#°©®™×÷<>")
_SPELLED = {"“": '"', "”": '"', "„": '"', "’": "'", "‘": "'", "…": ".", "—": ",", "–": ",", "\u00a0": " "}


@dataclass(frozen=True, slots=True)
class Phrase:
    """One clause. `text` is a verbatim slice of what was added, from `char_start`."""

    text: str
    char_start: int
    pause_s: float
    """Silence that follows it, before scaling."""

    continues: bool = False
    """More of the speech follows: without punctuation of its own it is spoken as one speaks before a comma."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word with the punctuation that clings to it; offsets in the phrase's text."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of a phrase in one script; offsets in the phrase's text."""

    start: int
    end: int
    is_cjk: bool


def find_phrase_end(text: str) -> int | None:
    """Index after the first complete clause of `text`, or None while none is complete."""
    for match in _CLAUSE_END.finditer(text):
        head = text[: match.end()]
        if not is_sayable(head) or _ABBREVIATION.search(head):
            continue
        return match.end()
    return None


def last_word_break(text: str, limit: int) -> int | None:
    """Index after the last white space (or CJK character) within `limit` characters, None if there is none."""
    for index in range(min(limit, len(text)), 0, -1):
        if text[index - 1].isspace() or _CJK_CHAR.match(text[index - 1]):
            return index
    return None


def pause_after(text: str) -> float:
    """Seconds of silence that the punctuation at the end of `text` asks for; 0 without any."""
    if "\n" in text[len(text.rstrip()) :]:
        return PARAGRAPH_PAUSE_S
    end = text.rstrip().rstrip("\"'”’»)]」』）】*_")
    if end.endswith(("...", "…")):
        return ELLIPSIS_PAUSE_S
    if end.endswith((".", "!", "?", "。", "！", "？")):
        return SENTENCE_PAUSE_S
    if end.endswith((";", ":", "—", "–", "-", "；", "：")):
        return COLON_PAUSE_S
    return COMMA_PAUSE_S if end.endswith((",", "，", "、")) else 0.0


def split_words(text: str) -> list[Word]:
    """Words as captions show them: by white space, each CJK character for itself; punctuation joins what it follows."""
    words: list[Word] = []
    for match in _WORD.finditer(text):
        if not words or is_sayable(match.group()):
            words.append(Word(match.group(), match.start(), match.end()))
            continue
        last = words[-1]
        words[-1] = Word(text[last.start : match.end()], last.start, match.end())
    return [word for word in words if is_sayable(word.text)]


def split_runs(text: str) -> list[Run]:
    """Stretches of CJK and of other scripts. What is neither (digits, punctuation) stays with what precedes it."""
    runs: list[Run] = []
    start, current = 0, None
    for index, char in enumerate(text):
        is_cjk = bool(_CJK_CHAR.match(char))
        if not is_cjk and not char.isalpha():
            continue
        if current is None:
            current = is_cjk
        elif is_cjk != current:
            runs.append(Run(start, index, current))
            start, current = index, is_cjk
    runs.append(Run(start, len(text), bool(current)))
    return runs


def ends_clause(text: str) -> bool:
    """Whether `text` brings its own closing punctuation."""
    return pause_after(text.rstrip()) > 0


def count_words(text: str) -> int:
    return len(split_words(text))


def speakable(text: str) -> str:
    """`text` with everything that is not for the ear blanked out; same length, so positions stay true.

    Markup, control characters, emoji and pictographs become spaces; typographic quotes and dashes the plain ones.
    """
    text = _MARKUP.sub(lambda match: " " * len(match.group()), text)
    return "".join(_speakable_char(char) for char in text)


def _speakable_char(char: str) -> str:
    if char in _SPELLED:
        return _SPELLED[char]
    if char.isspace() or char in "<>[]{}|\\^~`*_":
        return " "
    category = unicodedata.category(char)
    if category[0] in "LN" or category in ("Mn", "Mc", "Pd", "Po", "Ps", "Pe", "Pi", "Pf"):
        return char if char not in "\ufe0e\ufe0f\u20e3" else " "
    return char if char in _READABLE_SYMBOLS else " "


def is_sayable(text: str) -> bool:
    """Whether a voice can make anything of it: a letter or a digit in any script."""
    return any(char.isalnum() for char in text)
