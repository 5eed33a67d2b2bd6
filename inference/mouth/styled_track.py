"""Raw speech and its words in, whole frames in the style of the moment out."""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from inference.effects.chain import Chain
from inference.effects.settings import EffectSettings
from inference.mouth.base import SpokenFrame, SpokenWord
from inference.protocol import AUDIO_RATE_HZ, FRAME_SAMPLES


class StyledTrack:
    """One speech on its way through the effects. Words keep their places in the sound, however it is stretched."""

    def __init__(self, settings: EffectSettings) -> None:
        self._chain = Chain(settings)
        self._raw: NDArray[np.float32] = np.zeros(0, np.float32)
        self.raw_made = 0
        """Samples given so far."""

        self._ready: NDArray[np.float32] = np.zeros(0, np.float32)
        self._emitted = 0
        self._words: deque[SpokenWord] = deque()
        """Not yet reported, their samples counted before the effects."""

        self._ended = self._flushed = False

    @property
    def rate(self) -> float:
        """How much shorter raw speech becomes."""
        return self._chain.settings.rate

    def set(self, settings: EffectSettings) -> None:
        """From the next sample fed on."""
        self._chain.set(settings)

    def add(self, pcm: NDArray[np.float32]) -> None:
        """More raw speech [S] at `AUDIO_RATE_HZ`."""
        self._raw = np.concatenate([self._raw, pcm])
        self.raw_made += len(pcm)

    def add_silence(self, seconds: float) -> None:
        self.add(np.zeros(max(0, round(seconds * AUDIO_RATE_HZ)), np.float32))

    def add_word(self, word: SpokenWord) -> None:
        """A word with its samples counted in raw speech; words come in order."""
        self._words.append(word)

    @property
    def holds_raw(self) -> bool:
        """Whether speech waits before the effects."""
        return bool(len(self._raw))

    @property
    def waiting_samples(self) -> int:
        """Given and not yet taken, before the effects or behind them."""
        return len(self._raw) + len(self._ready)

    @property
    def over(self) -> bool:
        """Finished and all frames taken."""
        return self._flushed and not len(self._ready)

    def finish(self) -> None:
        """No more raw speech: after the last of it what the effects hold back comes out."""
        self._ended = True
        self._flush_if_done()

    def frame(self) -> SpokenFrame | None:
        """The next frame, the last one filled up with silence; None when there is none yet."""
        while len(self._ready) < FRAME_SAMPLES and len(self._raw):
            # As late as possible: a change of style is heard with the next frame.
            fed, self._raw = self._raw[:FRAME_SAMPLES], self._raw[FRAME_SAMPLES:]
            self._ready = np.concatenate([self._ready, self._chain.process(fed)])
            self._flush_if_done()
        if len(self._ready) < FRAME_SAMPLES and not (self._flushed and len(self._ready)):
            return None
        pcm, self._ready = self._ready[:FRAME_SAMPLES], self._ready[FRAME_SAMPLES:]
        self._emitted += FRAME_SAMPLES
        return SpokenFrame(np.pad(pcm, (0, FRAME_SAMPLES - len(pcm))), self._words_begun())

    def _flush_if_done(self) -> None:
        if self._ended and not self._flushed and not len(self._raw):
            self._ready = np.concatenate([self._ready, self._chain.flush()])
            self._flushed = True

    def _words_begun(self) -> tuple[SpokenWord, ...]:
        """Words whose sound begins before the end of the frame just taken."""
        begun = []
        while self._words:
            word = self._words[0]
            start = self._chain.output_sample(word.start_sample)
            if start is None or start >= self._emitted:
                break
            end = self._chain.expected_output_sample(word.end_sample)
            begun.append(SpokenWord(word.text, start, max(start, end), word.char_start, word.char_end))
            self._words.popleft()
        return tuple(begun)
