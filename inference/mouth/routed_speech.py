"""One response spoken by two mouths in turn: parts are cut into segments, frames come in order."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from inference.errors import AtCapacity, InferenceError, InvalidSpec, ModelFault
from inference.mouth.base import Speech, SpokenFrame
from inference.mouth.phrases import LONGEST_PHRASE_CHARS, find_phrase_end, is_sayable
from inference.mouth.segment import Segment
from inference.mouth.speech_text import MOST_CHARS, MOST_PARTS
from inference.protocol import FRAME_SAMPLES, Deliver, Pause, Song, SpeechPart, StyleSpec, VoiceSpec, Words

logger = logging.getLogger(__name__)

Speaks = Callable[[VoiceSpec, str], bool]
"""Whether the first mouth can speak a text in a voice. A text is speakable if each of its letters is; the empty text
asks about the voice alone."""

Begin = Callable[[bool, VoiceSpec, StyleSpec], tuple[Speech, bool]]
"""Begins a sub-speech by the first mouth if asked and possible; says whether it is the first that speaks."""


class RoutedSpeech:
    """Letters decide who speaks; what is no letter stays with the mouth that speaks when it comes. Text is read letter
    by letter, so that segments do not depend on the pieces it arrives in.

    Only the segment whose turn it is holds a sub-speech. Once the first mouth was replaced, at an opening or before its
    first frame, the second speaks all that follows: a voice should not change in the middle of what it says.
    """

    def __init__(
        self, begin: Begin, prepare: Callable[[VoiceSpec], None], speaks: Speaks, voice: VoiceSpec, style: StyleSpec
    ) -> None:
        self._begin = begin
        self._prepare = prepare
        self._speaks = speaks
        self._voice = voice
        self._voice_is_new = False
        """The last segment does not know the voice yet."""

        self._session_style = style
        self._delivered_style: StyleSpec | None = None
        self._is_first: bool | None = None
        """Who speaks; None: the next letter says."""

        self._held = ""
        """Text that waits for that letter."""

        self._segments: deque[Segment] = deque()
        self._parts = 0
        """Segments, and what they got that is no text."""

        self._chars = 0
        """Of the text that is in segments."""

        self._taken_samples = 0
        self._fell_back = False
        self._failure: InferenceError | None = None
        self._ended = False
        self._closed = False

    def add(self, part: SpeechPart) -> None:
        """The next part. Raises `InvalidSpec` for a voice that cannot be spoken or a speech that becomes too long, and
        what opening a sub-speech raises."""
        if self._closed:
            return
        match part:
            case Words(text):
                self._check_length(len(text))
                self._add_words(text)
            case Song():
                self._check_length(len(part.lyrics))
                self._add_song(part)
            case Pause():
                self._settle()
                self._count_part()
                (self._last() or self._new(self._decided())).add(part)
            case Deliver():
                self._deliver(part)
        self._advance()
        if self._failure is not None:
            raise self._failure

    def end(self) -> None:
        if self._ended or self._closed:
            return
        self._ended = True
        try:
            self._settle()
            if (last := self._last()) is not None:
                last.end()
        except InferenceError as error:
            self._failure = error
        self._advance()

    def set_style(self, style: StyleSpec) -> None:
        self._session_style = style
        for segment in self._segments:
            if segment.speech is not None:
                segment.speech.set_style(style)

    def frame(self) -> SpokenFrame | None:
        """The next frame. Raises what a sub-speech raises, also in opening."""
        self._advance()
        while self._segments and self._failure is None:
            segment = self._segments[0]
            frame = self._frame_of(segment)
            if frame is not None:
                self._taken_samples += FRAME_SAMPLES
                self._advance()
                return _placed(frame, segment)
            if not segment.finished:
                return None
            self._advance()
        if self._failure is not None:
            raise self._failure
        return None

    @property
    def finished(self) -> bool:
        return self._ended and self._failure is None and all(segment.finished for segment in self._segments)

    def close(self) -> None:
        self._closed = True
        for segment in self._segments:
            segment.close()
        self._segments.clear()
        self._held = ""

    # --- who speaks what ---

    def _wants_first(self, text: str) -> bool:
        return not self._fell_back and self._speaks(self._voice, text)

    def _decided(self) -> bool:
        """Who speaks what has no letters."""
        return self._wants_first("") if self._is_first is None else self._is_first

    def _add_words(self, text: str) -> None:
        known = len(self._held)
        text = self._held + text
        start = 0
        for index in range(known, len(text)):
            is_first = self._reading(text, index)
            if self._is_first is not None and is_first not in (None, self._is_first):
                self._say(text[start:index])
                start = index
            if is_first is not None:
                self._is_first = is_first
        self._held = text[start:]
        if self._is_first is not None:
            self._say(self._held)
            self._held = ""

    def _reading(self, text: str, index: int) -> bool | None:
        """Who the character at `index` asks for. Digits alone ask for nobody, until a clause of them is whole."""
        if text[index].isalpha():
            return self._wants_first(text[index])
        if self._is_first is None:
            clause = text[: index + 1]
            if find_phrase_end(clause) is not None or len(clause) >= LONGEST_PHRASE_CHARS:
                return self._wants_first("")
        return None

    def _settle(self) -> None:
        """Something other than text follows: no letter decides about the text that waits."""
        if is_sayable(self._held):
            self._is_first = self._decided()
            self._say(self._held)
            self._held = ""

    def _add_song(self, song: Song) -> None:
        """A song is not cut: the first mouth sings it if it can speak all of its lyrics."""
        self._settle()
        has_letters = any(char.isalpha() for char in song.lyrics)
        self._is_first = self._wants_first(song.lyrics) if has_letters else self._decided()
        self._say(self._held)
        self._held = ""
        self._count_part()
        self._segment(self._is_first).add(song)
        self._chars += len(song.lyrics)

    def _deliver(self, change: Deliver) -> None:
        if change.voice is not None:
            self._prepare(change.voice)
        self._settle()
        self._count_part()
        if change.style is not None:
            # Back in the session's own style, later changes of that style are heard again.
            self._delivered_style = None if change.style == self._session_style else change.style
            if (last := self._last()) is not None:
                last.add(Deliver(style=change.style))
        if change.voice not in (None, self._voice):
            self._voice, self._voice_is_new = change.voice, True
            self._is_first = None

    # --- segments ---

    def _say(self, text: str) -> None:
        if text:
            self._segment(self._decided()).add(Words(text))
            self._chars += len(text)

    def _segment(self, is_first: bool) -> Segment:
        """The last segment if that mouth speaks it, else a new one; it knows the voice."""
        last = self._last()
        if last is None or last.is_first != is_first:
            return self._new(is_first)
        if self._voice_is_new:
            last.add(Deliver(voice=self._voice))
            self._voice_is_new = False
        return last

    def _new(self, is_first: bool) -> Segment:
        if (last := self._last()) is not None:
            last.give_way()
        self._count_part()
        self._voice_is_new = False
        self._segments.append(Segment(is_first, self._voice, self._delivered_style, self._chars))
        return self._segments[-1]

    def _last(self) -> Segment | None:
        return self._segments[-1] if self._segments else None

    def _count_part(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise InvalidSpec(f"a speech has at most {MOST_PARTS} parts")

    def _check_length(self, added: int) -> None:
        if self._chars + len(self._held) + added > MOST_CHARS:
            raise InvalidSpec(f"a speech has at most {MOST_CHARS} characters")

    # --- sub-speeches ---

    def _frame_of(self, segment: Segment) -> SpokenFrame | None:
        try:
            return segment.frame()
        except (AtCapacity, ModelFault) as failure:
            if not segment.may_change_mouth:
                raise
            self._take_over(segment, failure)
            return segment.frame()

    def _take_over(self, segment: Segment, failure: InferenceError) -> None:
        """The second mouth begins the segment anew. Raises `failure` where it cannot either."""
        try:
            speech, _ = self._begin(False, segment.voice, self._session_style)
            segment.open(speech, self._taken_samples)
        except InferenceError as error:
            raise failure from error
        logger.warning("the second mouth speaks for the first: %s", failure)
        self._fall_back()

    def _advance(self) -> None:
        """Closes what is finished and opens what comes next; a failure to open is told by the next `frame`."""
        while self._segments and self._failure is None:
            segment = self._segments[0]
            if segment.speech is None:
                self._open(segment)
            if not segment.finished:
                return
            segment.close()
            self._segments.popleft()

    def _open(self, segment: Segment) -> None:
        try:
            speech, is_first = self._begin(segment.is_first, segment.voice, self._session_style)
            if is_first != segment.is_first:
                self._fall_back()
            segment.open(speech, self._taken_samples)
        except InferenceError as error:
            self._failure = error

    def _fall_back(self) -> None:
        self._fell_back = True
        self._is_first = None if self._is_first is None else False
        for segment in self._segments:
            segment.is_first = False


def _placed(frame: SpokenFrame, segment: Segment) -> SpokenFrame:
    """A sub-speech's frame as one of the whole speech."""
    samples, chars = segment.sample_start, segment.char_start
    if not frame.words or not (samples or chars):
        return frame
    words = tuple(
        replace(
            word,
            start_sample=word.start_sample + samples,
            end_sample=word.end_sample + samples,
            char_start=word.char_start + chars,
            char_end=word.char_end + chars,
        )
        for word in frame.words
    )
    return SpokenFrame(frame.pcm, words)
