"""Speech that comes from a running model, frame by frame, instead of from words that are known."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from inference.mouth.base import SpokenFrame, SpokenWord
from inference.protocol import FRAME_SAMPLES, SpeechPart, StyleSpec, VoiceSpec
from inference.worker.styled_sound import StyledSound

MOST_FRAMES = 250
"""Ten seconds that may wait to be sent; beyond it the oldest go."""

LONGEST_WORD_CHARS = 24
_CJK = (("\u3040", "\u30ff"), ("\u3400", "\u9fff"), ("\uac00", "\ud7af"), ("\U00020000", "\U0003ffff"))


class LiveWords:
    """Words out of the pieces of text a model writes. A word is known when white space, or the next word, follows."""

    def __init__(self) -> None:
        self._word = ""
        self._start_sample = 0
        self._char_start = 0
        self._chars = 0

    def write(self, text: str, sample: int) -> list[SpokenWord]:
        """The words that `text`, written at `sample` of the speech, completes."""
        words: list[SpokenWord] = []
        for char in text:
            if char.isspace():
                words += self.finish(sample)
            else:
                if _stands_alone(char) or len(self._word) == LONGEST_WORD_CHARS:
                    words += self.finish(sample)
                if not self._word:
                    self._start_sample, self._char_start = sample, self._chars
                self._word += char
            self._chars += 1
        return words

    def finish(self, sample: int) -> list[SpokenWord]:
        """The word in the making, which ends at `sample`."""
        word, self._word = self._word, ""
        if not word:
            return []
        start = self._start_sample
        return [SpokenWord(word, start, max(sample, start), self._char_start, self._char_start + len(word))]


class LiveSpeech:
    """A `mouth.base.Speech` that is filled by whoever runs the model."""

    def __init__(self, style: StyleSpec) -> None:
        self._sound = StyledSound(style)
        self._known: list[SpokenWord] = []
        """Words that wait for the next frame."""

        self._frames: deque[SpokenFrame] = deque(maxlen=MOST_FRAMES)
        self._words = LiveWords()
        self._made_samples = 0
        self._ended = False

    def say(self, text: str, frames: list[NDArray[np.float32]], *, lag_samples: int = 0, last: bool = False) -> None:
        """The next frames [FRAME_SAMPLES] and the text that belongs to the first of them, which is heard `lag_samples`
        later. `last`: no word goes on after it."""
        words = self._words.write(text, self._made_samples + lag_samples)
        self._made_samples += len(frames) * FRAME_SAMPLES
        if last:
            words += self._words.finish(self._made_samples)
        self._known += words
        for pcm in self._sound.frames(frames, last=last):
            known, self._known = tuple(self._known), []
            self._frames.append(SpokenFrame(pcm, known))

    def add(self, part: SpeechPart) -> None:
        """Does nothing: the model has said it already."""

    def end(self) -> None:
        self._ended = True

    def set_style(self, style: StyleSpec) -> None:
        self._sound.set_style(style)

    def frame(self) -> SpokenFrame | None:
        return self._frames.popleft() if self._frames else None

    def close(self) -> None:
        self._frames.clear()

    @property
    def finished(self) -> bool:
        return self._ended and not self._frames


class LiveMouth:
    """A `mouth.base.Mouth` of one stream, whose speeches the stream fills itself."""

    def __init__(self) -> None:
        self.speech = LiveSpeech(StyleSpec())
        """The one begun last."""

    def prepare(self, voice: VoiceSpec) -> None:
        """Nothing: the model is loaded."""

    def begin(self, voice: VoiceSpec, style: StyleSpec) -> LiveSpeech:
        self.speech = LiveSpeech(style)
        return self.speech


def _stands_alone(char: str) -> bool:
    return any(first <= char <= last for first, last in _CJK)
