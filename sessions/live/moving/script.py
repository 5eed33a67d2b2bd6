"""What is being said on a stream, kept so that another worker can go on with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from inference.protocol import (
    AUDIO_RATE_HZ,
    SAMPLE_BYTES,
    AudioOut,
    Deliver,
    Pause,
    Song,
    SpeechFinished,
    SpeechPart,
    StyleSpec,
    VoiceSpec,
    Words,
    WordSpoken,
)
from sessions.live.pace import spoken_text

TRUSTED_AFTER_ACK_MS = 250
"""As in the worker: between two acknowledgements the player is taken to go on for so long."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a response goes on: what lies before it was sent, or told."""

    samples: int
    chars: int


@dataclass(slots=True)
class Script:
    """One response: the parts that were handed over, and what the worker reported of them.

    `written` responses are worded by the web side and can go on elsewhere; others belong to the model that began them.
    """

    response_id: str
    epoch: int = 0
    written: bool = True
    interruptible: bool = True
    parts: list[SpeechPart] = field(default_factory=list)
    ended: bool = False
    cancelled: str | None = None
    """The reason, once the web side has asked for it."""

    started: bool = False
    """`SpeechStarted` was told."""

    sent_samples: int = 0
    acked_ms: float | None = None
    words: list[WordSpoken] = field(default_factory=list)
    text_written: str = ""

    # --- what happens to it ---

    def sent(self, audio: AudioOut) -> None:
        self.sent_samples = max(self.sent_samples, audio.position + len(audio.pcm) // SAMPLE_BYTES)

    def acknowledged(self, played_samples: int) -> None:
        self.acked_ms = max(self.acked_ms or 0.0, played_samples * 1000 / AUDIO_RATE_HZ)

    # --- where it stands ---

    @property
    def sent_ms(self) -> float:
        return self.sent_samples * 1000 / AUDIO_RATE_HZ

    @property
    def text(self) -> str:
        return "".join(spoken_text(part) for part in self.parts)

    def place(self) -> Place:
        """After the last word whose sound was sent to its end: one cut in its middle is said again."""
        whole = [word for word in self.words if word.end_ms <= self.sent_ms]
        return Place(
            samples=self.sent_samples,
            chars=whole[-1].char_end if whole else 0,
        )

    def rest(self, place: Place) -> tuple[int, list[SpeechPart]]:
        """Where in the text the rest begins, and its parts, headed by the delivery in force there."""
        whole = [word for word in self.words if word.char_end <= place.chars]
        silent_s = max(0.0, (self.sent_ms - (whole[-1].end_ms if whole else 0)) / 1000)
        if self.words and self.words[-1].char_end > place.chars:
            silent_s = 0.0  # What was sent since is the beginning of a word.
        return rest_of(self.parts, place.chars, silent_s)

    def finished(self, status: str, reason: str, *, acknowledges: bool) -> SpeechFinished:
        """How it ended, where no worker can tell: what was sent counts as heard, as far as the player says so."""
        heard_ms = self.sent_ms
        if acknowledges:
            heard_ms = min(heard_ms, (self.acked_ms or 0.0) + TRUSTED_AFTER_ACK_MS)
        chars = max((word.char_end for word in self.words if word.start_ms < heard_ms), default=0)
        text = self.text
        if status == "completed":
            heard_ms, chars = self.sent_ms, len(text)
        heard = text[:chars] if self.written else " ".join(word.text for word in self.words if word.start_ms < heard_ms)
        return SpeechFinished(
            response_id=self.response_id,
            epoch=self.epoch,
            status=status,  # type: ignore[arg-type]
            reason=reason,
            sent_ms=round(self.sent_ms),
            heard_ms=round(heard_ms),
            heard_text=heard or self.text_written,
            heard_chars=chars,
        )


def rest_of(parts: Sequence[SpeechPart], chars: int, silent_s: float) -> tuple[int, list[SpeechPart]]:
    """The parts after character `chars` of their text, `silent_s` of wordless sound already played after it.

    Returns where in the text they begin, and them, headed by the voice and style in force there.
    """
    rest: list[SpeechPart] = []
    style: StyleSpec | None = None
    voice: VoiceSpec | None = None
    begins: int | None = None
    at = 0
    for part in parts:
        text, start = spoken_text(part), at
        at += len(text)
        if isinstance(part, Deliver):
            if rest:
                rest.append(part)
            else:
                style, voice = part.style or style, part.voice or voice
        elif text and at > chars:
            skipped, kept = _cut_off(part, chars - start) if begins is None else (0, [part])
            if kept and begins is None:
                begins = start + skipped
            elif not kept:
                chars = at  # Only white space was left of it: what follows is next.
            rest.extend(kept)
        elif not text and begins is not None:
            rest.append(part)
        elif not text and start == chars:
            kept, silent_s = _silently(part, silent_s)
            rest.extend(kept)
    head = [Deliver(style, voice)] if rest and (style is not None or voice is not None) else []
    return at if begins is None else begins, [*head, *rest]


def _cut_off(part: SpeechPart, chars: int) -> tuple[int, list[SpeechPart]]:
    """The part without about its first `chars` characters, and how many those were."""
    if chars <= 0:
        return 0, [part]
    match part:
        case Words(text=text):
            kept = text[chars:].lstrip()
            return len(text) - len(kept), [Words(kept)] if kept else []
        case Song():
            return _later_notes(part, chars)
        case _:
            return 0, [part]


def _later_notes(song: Song, chars: int) -> tuple[int, list[SpeechPart]]:
    """From the first note whose syllable begins a word at or after `chars` of the lyrics."""
    lyrics = song.lyrics
    for first, note in enumerate(song.notes):
        if not note.lyric and note.midi is not None:
            continue  # It holds a vowel that is sung already.
        later = replace(song, notes=song.notes[first:])
        start = len(lyrics) - len(later.lyrics)
        if start >= chars and lyrics.endswith(later.lyrics) and (start == 0 or lyrics[start - 1] == " "):
            return start, [later]
        if start >= chars and not later.lyrics:
            return start, [later]
    return len(lyrics), []


def _silently(part: SpeechPart, silent_s: float) -> tuple[list[SpeechPart], float]:
    """What is left of a part without words after `silent_s`, and what is left of those seconds."""
    match part:
        case Pause(seconds=seconds):
            left = seconds - silent_s
            return ([Pause(left)] if left > 0 else []), max(0.0, silent_s - seconds)
        case Song(notes=notes):
            for number, note in enumerate(notes):
                if silent_s < note.seconds / 2:
                    return [Song(notes[number:])], 0.0
                silent_s = max(0.0, silent_s - note.seconds)
            return [], silent_s
        case _:
            return [part], silent_s
