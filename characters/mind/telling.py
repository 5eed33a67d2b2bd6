"""One response in the making: lines become parts, and its text is counted so that what was heard can be found again."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from characters.cast_file import LinePiece, PauseMark, StyleMark, VoiceMark, parse_line
from characters.mind.sentences import Sentence, sentences_of
from characters.mind.stage import Stage
from characters.mind.variants import VariantPicker
from inference.protocol import Deliver, Pause, Song, SpeechPart, StyleSpec, VoiceSpec, Words

Delivery = tuple[StyleSpec | None, VoiceSpec | None]
NO_DELIVERY: Delivery = (None, None)
_SLOTS = frozenset({"name", "right", "total"})
_NAME_BETWEEN_COMMAS = re.compile(r",[^,.!?;:]*\{name\}[^,.!?;:]*(?=[,.!?;:]|$)")
_NAME_FIRST = re.compile(r"(^|[.!?]\s+)[^,.!?;:]*\{name\}[^,.!?;:]*,\s*(\w)")
_NAME_ALONE = re.compile(r"\s*\{name\}")


def without_name(line: str) -> str:
    """The line for a listener whose name is unknown: `{name}` goes, with the words between commas around it."""
    line = _NAME_BETWEEN_COMMAS.sub("", line)
    line = _NAME_FIRST.sub(lambda found: found.group(1) + found.group(2).upper(), line)
    return _NAME_ALONE.sub("", line)


class Telling:
    """Turns lines into parts for one response, in the delivery in force."""

    def __init__(
        self,
        stage: Stage,
        picker: VariantPicker,
        *,
        name: str = "",
        session: Delivery = NO_DELIVERY,
        role: Delivery | None = None,
    ) -> None:
        """`session` is how the session speaks by itself; `role` how the role played speaks instead."""
        self._stage = stage
        self._picker = picker
        self._name = name
        self._session = session
        self._style, self._voice = role or session
        self._overridden = role is not None
        self._style_mark: str | None = None
        self._voice_mark: str | None = None
        self.text = ""
        self.marks: list[tuple[int, int, int]] = []
        """Where told sentences begin: place in `text`, number of the paragraph, number of the sentence."""

    def open(self) -> Iterator[SpeechPart]:
        """What must come first: the delivery of a role."""
        if self._overridden:
            yield Deliver(style=self._style, voice=self._voice)

    def pick(self, key: str, lines: Sequence[str]) -> str:
        return self._picker.pick(key, lines)

    def say_one(self, key: str, lines: Sequence[str], **slots: object) -> Iterator[SpeechPart]:
        """One of these lines, or nothing when there are none."""
        if lines:
            yield from self.say(self._picker.pick(key, lines), **slots)

    def say(self, line: str, **slots: object) -> Iterator[SpeechPart]:
        """A line with its marks."""
        for sentence in sentences_of(self._pieces(line, slots)):
            yield from self._sentence(sentence)
        yield from self._space()

    def say_plain(self, text: str) -> Iterator[SpeechPart]:
        """Text that holds no marks, exactly as it is."""
        yield from self._words(text)
        yield from self._space()

    def tell(self, line: str, paragraph: int, from_sentence: int = 0) -> Iterator[SpeechPart]:
        """A paragraph, marking where each sentence begins, from a given sentence on."""
        for number, sentence in enumerate(sentences_of(self._pieces(line, {}))):
            if number >= from_sentence:
                self.marks.append((len(self.text), paragraph, number))
                yield from self._sentence(sentence)
        yield from self._space()

    def mark(self, paragraph: int) -> None:
        """Note that this part of an activity begins here."""
        self.marks.append((len(self.text), paragraph, 0))

    def sing(self, song: Song, phrase: int) -> Iterator[SpeechPart]:
        """A phrase of a song, marked like a sentence."""
        self.marks.append((len(self.text), phrase, 0))
        self.text += song.lyrics
        yield song
        yield from self._words("\n")

    def enter_role(self, style: StyleSpec | None, voice: VoiceSpec | None) -> Iterator[SpeechPart]:
        """From here on speak like this; marks return to it. None stands for the session's own."""
        self._style, self._voice = style or self._session[0], voice or self._session[1]
        self._overridden = True
        yield Deliver(style=self._style, voice=self._voice)

    def leave_role(self) -> Iterator[SpeechPart]:
        """Speak as the session does by itself."""
        self._style, self._voice = self._session
        if self._overridden:
            self._overridden = False
            yield Deliver(style=self._style, voice=self._voice)

    def restyle(self, style: StyleSpec | None) -> Iterator[SpeechPart]:
        """The session's style changed. A role's own style would hide that, so it is said again."""
        self._style = style
        if self._overridden and style:
            yield Deliver(style=style)

    def snapshot(self) -> dict[str, Any]:
        """What was told so far, as plain data."""
        return {"text": self.text, "marks": [list(mark) for mark in self.marks]}

    def restore(self, data: dict[str, Any]) -> None:
        self.text = str(data["text"])
        self.marks = [(int(at), int(paragraph), int(sentence)) for at, paragraph, sentence in data["marks"]]

    def call(self, name: str) -> None:
        """The listener's name is now known."""
        self._name = name

    def _pieces(self, line: str, slots: dict[str, object]) -> tuple[LinePiece, ...]:
        line = line.replace("{name}", self._name) if self._name else without_name(line)
        for slot, value in slots.items():
            line = line.replace(f"{{{slot}}}", str(value))
        return parse_line(line, _SLOTS)

    def _sentence(self, sentence: Sentence) -> Iterator[SpeechPart]:
        yield from self._deliver(sentence.style, sentence.voice)
        for piece in sentence.pieces:
            match piece:
                case str():
                    yield from self._words(piece)
                case PauseMark(seconds):
                    yield Pause(seconds)
                case StyleMark(slug):
                    yield from self._deliver(slug, self._voice_mark)
                case VoiceMark(slug):
                    yield from self._deliver(self._style_mark, slug)

    def _deliver(self, style: str | None, voice: str | None) -> Iterator[SpeechPart]:
        new_style, new_voice = style != self._style_mark, voice != self._voice_mark
        self._style_mark, self._voice_mark = style, voice
        if new_style or new_voice:
            styled = (self._stage.styles.get(style) if style else None) or self._style
            voiced = (self._stage.voices.get(voice) if voice else None) or self._voice
            yield Deliver(style=styled if new_style else None, voice=voiced if new_voice else None)

    def _words(self, text: str) -> Iterator[SpeechPart]:
        if not self.text or self.text[-1].isspace():
            text = text.lstrip()
        if text:
            self.text += text
            yield Words(text)

    def _space(self) -> Iterator[SpeechPart]:
        """Lines join as written, so something must stand between them."""
        if self.text and not self.text[-1].isspace():
            yield from self._words(" ")
