"""A stretch of one speech that one mouth speaks: it waits as parts until its turn to make sound."""

from inference.mouth.base import Speech, SpokenFrame
from inference.protocol import Deliver, Pause, Song, SpeechPart, StyleSpec, VoiceSpec, Words


class Segment:
    """Parts wait until `open`; from then on they go straight to the sub-speech. They are kept until its first frame:
    so long another mouth can take the segment over."""

    def __init__(self, is_first: bool, voice: VoiceSpec, style: StyleSpec | None, char_start: int) -> None:
        self.is_first = is_first
        """Whether the first mouth speaks it; the second may still take its place."""

        self.voice = voice
        """At the segment's beginning."""

        self.char_start = char_start
        self.sample_start = 0
        """In the whole speech; known once it is open."""

        self.speech: Speech | None = None
        self._parts: list[SpeechPart] = [] if style is None else [Deliver(style=style)]
        self._text: list[str] = []
        """Of the last part kept, when that is `Words`: joined when it is needed, because letters come one by one."""

        self._sounded = False

        self._ends_in_words = False
        self._ended = False

    @property
    def finished(self) -> bool:
        return self.speech is not None and self.speech.finished

    def add(self, part: SpeechPart) -> None:
        """The next part. Raises what the sub-speech raises."""
        match part:
            case Words():
                self._ends_in_words = True
            case Pause() | Song():
                self._ends_in_words = False
        if self.speech is not None:
            self.speech.add(part)
        if self._sounded:
            return
        if isinstance(part, Words):
            self._text.append(part.text)
        else:
            self._join_text()
            self._parts.append(part)

    def give_way(self) -> None:
        """No more parts, but another segment follows: the last words are spoken as ones that go on, with the silence
        that their punctuation asks for. At the end of a speech no mouth makes any."""
        if self._ends_in_words:
            # White space closes the clause, and a pause that takes no time says that more follows.
            self.add(Words(" "))
            self.add(Pause(0.0))
        self.end()

    def end(self) -> None:
        """No more parts."""
        self._ended = True
        if self.speech is not None:
            self.speech.end()

    def open(self, speech: Speech, sample_start: int) -> None:
        """Its turn has come, or a sub-speech that has made no frame is replaced: `speech` gets all parts so far.
        Raises what that raises."""
        self.close()
        self.speech = speech
        self.sample_start = sample_start
        self._join_text()
        for part in self._parts:
            speech.add(part)
        if self._ended:
            speech.end()

    def frame(self) -> SpokenFrame | None:
        """The sub-speech's next frame; None before its turn. Raises what the sub-speech raises."""
        frame = self.speech.frame() if self.speech is not None else None
        if frame is not None and not self._sounded:
            self._sounded = True
            self._parts.clear()
            self._text.clear()
        return frame

    @property
    def may_change_mouth(self) -> bool:
        """The first mouth is to speak it and has made no sound of it."""
        return self.is_first and not self._sounded

    def close(self) -> None:
        """Gives back what the sub-speech holds. Idempotent."""
        if self.speech is not None:
            self.speech.close()

    def _join_text(self) -> None:
        if self._text:
            self._parts.append(Words("".join(self._text)))
            self._text.clear()
