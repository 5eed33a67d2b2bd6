"""One response on its way: the speech being made, what of it was sent, and what was heard."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.mouth.base import Speech, SpokenFrame, SpokenWord
from inference.protocol import AUDIO_RATE_HZ, Song, SpeechFinished, SpeechPart, Words
from inference.worker.playhead import Playhead

MS_PER_SAMPLE = 1_000 / AUDIO_RATE_HZ


@dataclass(frozen=True, slots=True)
class _Sent:
    start_sample: int
    char_end: int


class Delivery:
    """Keeps the response's text and word places, so that what was heard can be told at any time."""

    def __init__(self, response_id: str, epoch: int, speech: Speech, playhead: Playhead) -> None:
        self.response_id = response_id
        self.epoch = epoch
        self.speech = speech
        self.playhead = playhead
        self.ended = False
        self.has_words = False
        self._parts: list[str] = []
        self._words: list[_Sent] = []

    def add(self, part: SpeechPart) -> None:
        """Raises `InvalidSpec` when the mouth cannot say it."""
        if isinstance(part, Words):
            self._parts.append(part.text)
        elif isinstance(part, Song):
            self._parts.append(part.lyrics)
        self.has_words = self.has_words or isinstance(part, Words | Song)
        self.speech.add(part)

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.speech.end()

    def send(self, now: float, frame: SpokenFrame) -> int:
        """Notes that `frame` leaves now; returns the sample where it begins."""
        position = self.playhead.sent
        self._words += [_Sent(word.start_sample, word.char_end) for word in frame.words]
        self.playhead.send(now, len(frame.pcm))
        return position

    @property
    def all_sent(self) -> bool:
        return self.ended and self.speech.finished

    def finished(self, now: float, status: str, reason: str = "") -> SpeechFinished:
        """How it ended: heard up to the last word begun before the playhead, or in full."""
        heard = self.playhead.heard(now)
        text = "".join(self._parts)
        whole = status == "completed" and heard >= self.playhead.sent
        chars = len(text) if whole else max((w.char_end for w in self._words if w.start_sample < heard), default=0)
        return SpeechFinished(
            response_id=self.response_id,
            epoch=self.epoch,
            status=status,  # type: ignore[arg-type]
            reason=reason,
            sent_ms=round(self.playhead.sent * MS_PER_SAMPLE),
            heard_ms=round(heard * MS_PER_SAMPLE),
            heard_text=text[:chars],
            heard_chars=chars,
        )


def to_pcm16(pcm: NDArray[np.float32]) -> bytes:
    """Samples in -1..1 as PCM16, clipped."""
    return (np.clip(pcm, -1.0, 1.0) * 32_767).astype("<i2").tobytes()


def to_ms(word: SpokenWord) -> tuple[int, int]:
    """Start and end of a word in ms of its response."""
    return round(word.start_sample * MS_PER_SAMPLE), round(word.end_sample * MS_PER_SAMPLE)
