"""From a language model's stream of characters to words one can speak."""

import re

from characters.mind.silent_blocks import SilentBlocks

LONGEST_WAIT_CHARS = 240
"""An opened mark that is not closed within so many characters was none."""

_CLEANING: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, flags), put)
    for pattern, put, flags in (
        (r"`([^`]*)`", r"\1", 0),
        (r"!?\[([^\]]*)\]\([^)]*\)", r"\1", 0),
        (r"\[[^\]]*\]", "", 0),
        (r"\*\*([^*]+)\*\*", r"\1", 0),
        (r"\*[^*]*\*", "", 0),
        (r"\b__([^_]+)__\b|\b_([^_]+)_\b", r"\1\2", 0),
        (r"^[ \t]*(?:#{1,6}|[-+\u2022]|\d{1,2}[.)])[ \t]+", "", re.MULTILINE),
        (r"https?://\S+", "", 0),
        (r"[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f\u200d]", "", 0),
        (r"[*_`#<>|~\[\]{}]", "", 0),
        (r"\s+", " ", 0),
    )
)
_OTHER_SPEAKER = re.compile(r"\n\s*(?:user|listener|human|system|assistant)\s*:", re.IGNORECASE)


class SpokenText:
    """Feed it pieces; it gives back whole words, without markdown, actions between asterisks and thoughts."""

    def __init__(self, speaker: str = "", longest_chars: int = 700) -> None:
        """`speaker` is a name a model may put before its words; after `longest_chars` it stops at a sentence's end."""
        self._speaker = speaker
        self._longest = longest_chars
        self._blocks = SilentBlocks()
        self._held = ""
        self._at_line_start = False
        self._given_chars = 0
        self._last = " "
        self.full = False
        """Nothing more will be given."""

    def feed(self, piece: str) -> str:
        """The words now complete, or nothing."""
        if self.full:
            return ""
        self._held += self._blocks.feed(piece)
        cut = self._safe_end()
        if cut == 0:
            return ""
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._give(ready)

    def close(self) -> str:
        """What was still held."""
        ready, self._held = self._held + self._blocks.close(), ""
        words = "" if self.full else self._give(ready)
        self.full = True
        return words

    def _safe_end(self) -> int:
        """Up to where nothing opened is still open and the last word is whole."""
        text = self._held
        end = max(text.rfind(" "), text.rfind("\n"), *(text.rfind(sign) for sign in "\u3002\uff0c\uff01\uff1f")) + 1
        opened = _first_open(text[:end])
        if opened is not None and len(text) - opened < LONGEST_WAIT_CHARS:
            end = min(end, opened)
        if self._given_chars == 0 and end < len(text) and end <= len(self._speaker) + 1:
            return 0
        return end

    def _give(self, text: str) -> str:
        if self._given_chars == 0:
            text = self._without_speaker(text)
        ends_line = text.endswith("\n")
        text = self._without_others(text)
        self._at_line_start = ends_line
        for pattern, put in _CLEANING:
            text = pattern.sub(put, text)
        if self._last.isspace():
            text = text.lstrip()
        text = self._within_bounds(text)
        if text:
            self._last = text[-1]
            self._given_chars += len(text)
        return text

    def _without_speaker(self, text: str) -> str:
        names = "|".join(re.escape(name) for name in (self._speaker, "assistant") if name)
        return re.sub(rf"^\s*\**(?:{names})\**\s*:\**\s*", "", text, flags=re.IGNORECASE)

    def _without_others(self, text: str) -> str:
        """Up to where the model begins to speak for somebody else."""
        lines = ("\n" if self._at_line_start else "") + text
        other = _OTHER_SPEAKER.search(lines)
        if other is None:
            return text
        self.full = True
        return lines[: other.start()]

    def _within_bounds(self, text: str) -> str:
        """Past the bound the sentence may end; a sentence that will not is cut at twice the bound."""
        room = self._longest - self._given_chars
        if len(text) <= room:
            return text
        ends = re.search(r"[.!?\u3002\uff01\uff1f][\"'\u201d]?(?=\s|$)", text[max(room, 0) :])
        if ends:
            self.full = True
            return text[: max(room, 0) + ends.end()]
        if self._given_chars + len(text) > 2 * self._longest:
            self.full = True
        return text


def _first_open(text: str) -> int | None:
    """Place of the first mark that is opened and not closed."""
    places = []
    for sign in ("`", "*"):
        if text.count(sign) % 2:
            places.append(text.rfind(sign) if sign == "`" else _odd_asterisk(text))
    opened = text.rfind("[")
    if opened > text.rfind("]"):
        places.append(opened)
    link = re.search(r"\]\([^)]*$", text)
    if link:
        places.append(text.rfind("[", 0, link.start()))
    return min((place for place in places if place >= 0), default=None)


def _odd_asterisk(text: str) -> int:
    """Where the group of asterisks begins that has no partner."""
    place = text.rfind("*")
    while place > 0 and text[place - 1] == "*":
        place -= 1
    return place
