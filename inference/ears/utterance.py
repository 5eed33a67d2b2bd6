"""One stretch of speech on its way through a leased recogniser."""

import re
import weakref

import numpy as np
from numpy.typing import NDArray

from inference.ears.base import EARS_RATE_HZ, Transcript
from inference.ears.decoder_pool import DecoderPool
from inference.ears.recogniser import CharacterModel, Recogniser, Segment
from inference.ears.trust import confidence_of, is_trusted, is_word, is_word_token
from inference.errors import StreamClosed

_SLICE_SAMPLES = EARS_RATE_HZ // 50
"""Decoding holds the interpreter lock, so it is done 20 ms of audio (about 1.5 ms) at a time."""

_PARTIAL_SAMPLES = EARS_RATE_HZ * 120 // 1000
"""A partial reading is made anew after so much more audio, not at every question."""

_LONGEST_SAMPLES = EARS_RATE_HZ * 30
"""After so much audio the reading so far is kept and decoding starts afresh, so that memory stays bounded."""

_ALTERNATIVES = 4
_DECODER_FRAME_MS = 10
_ALTERNATE = re.compile(r"\(\d+\)$")


class PocketsphinxUtterance:
    """An `Utterance`. Fed by one thread; gives its recogniser back when it is finished, abandoned or forgotten."""

    def __init__(self, pool: DecoderPool, recogniser: Recogniser, model: CharacterModel, acoustics: str = "") -> None:
        """Takes over a leased `recogniser` that has `model` loaded; `acoustics` of the speaker's last utterance."""
        self.acoustics = acoustics
        """Mean cepstrum of the speaker's voice and microphone, learned from trusted readings only."""
        recogniser.start(model, acoustics)
        self._recogniser = recogniser
        self._model = model
        self._release = weakref.finalize(self, _retire, pool, recogniser)
        self._release.atexit = False
        self._segments: list[tuple[int, Segment]] = []
        self._earlier_text = ""
        self._fed = 0
        self._began = 0
        self._partial = ""
        self._partial_at = 0

    def feed(self, pcm: NDArray[np.float32]) -> None:
        """Samples [S] at `EARS_RATE_HZ` in -1..1. Raises `StreamClosed` after `finish` or `abandon`."""
        self._check_open()
        clean = np.nan_to_num(pcm, nan=0.0, posinf=1.0, neginf=-1.0)
        samples = (np.clip(clean, -1.0, 1.0) * 32767.0).astype("<i2")
        for start in range(0, samples.size, _SLICE_SAMPLES):
            piece = samples[start : start + _SLICE_SAMPLES]
            self._recogniser.process(piece.tobytes())
            self._fed += piece.size
        if self._fed - self._began >= _LONGEST_SAMPLES:
            self._start_afresh()

    def partial(self) -> str:
        """The words so far, at most 120 ms of audio old. Empty after the end."""
        if self._release.alive and self._fed - self._partial_at >= _PARTIAL_SAMPLES:
            self._partial_at = self._fed
            self._partial = _join(self._earlier_text, clean_text(self._recogniser.hypothesis()))
        return self._partial

    def finish(self) -> Transcript:
        """The final reading; its text is empty when it cannot be trusted. Raises `StreamClosed` when called twice."""
        self._check_open()
        try:
            self._keep_reading()
            readings = [] if self._earlier_text else self._recogniser.readings(_ALTERNATIVES + 2)
            transcript = self._transcript(readings)
            if transcript.text:
                self.acoustics = self._recogniser.cepstral_mean()
        finally:
            self._release()
        return transcript

    def abandon(self) -> None:
        """Give the recogniser back without a reading. Idempotent."""
        self._release()

    def _check_open(self) -> None:
        if not self._release.alive:
            raise StreamClosed("the utterance has ended")

    def _keep_reading(self) -> None:
        self._recogniser.end()
        self._segments += [(self._began, segment) for segment in self._recogniser.segments()]

    def _start_afresh(self) -> None:
        self._keep_reading()
        self._earlier_text = " ".join(clean_word(item.token) for _, item in self._segments if is_word(item))
        self._began = self._fed
        self._recogniser.start(self._model, self._recogniser.cepstral_mean())

    def _transcript(self, readings: list[str]) -> Transcript:
        spoken = [(began, item) for began, item in self._segments if is_word(item)]
        confidence = confidence_of([item for _, item in spoken])
        if not is_trusted([item for _, item in spoken], confidence):
            return Transcript(text="", confidence=confidence)
        text = " ".join(clean_word(item.token) for _, item in spoken)
        others = dict.fromkeys(clean_text(reading) for reading in readings)
        alternatives = tuple(other for other in others if other and other != text)[:_ALTERNATIVES]
        words = tuple(_timed(began, item) for began, item in spoken)
        return Transcript(text=text, words=words, confidence=confidence, alternatives=alternatives)


def clean_word(token: str) -> str:
    """The word as written: `read(2)` is an alternate pronunciation of `read`."""
    return _ALTERNATE.sub("", token)


def clean_text(raw: str) -> str:
    return " ".join(clean_word(token) for token in raw.split() if is_word_token(token))


def _timed(began: int, segment: Segment) -> tuple[str, int, int]:
    offset_ms = began * 1000 // EARS_RATE_HZ
    start_ms = offset_ms + segment.start_frame * _DECODER_FRAME_MS
    return clean_word(segment.token), start_ms, offset_ms + (segment.end_frame + 1) * _DECODER_FRAME_MS


def _join(earlier: str, later: str) -> str:
    return f"{earlier} {later}".strip()


def _retire(pool: DecoderPool, recogniser: Recogniser) -> None:
    recogniser.stop()
    pool.give_back(recogniser)
