"""The user's side of a composed stream: PCM in, voice chunks and readings out."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from inference.ears.base import EARS_RATE_HZ, Ears, Transcript, Utterance
from inference.errors import AtCapacity
from inference.protocol import AUDIO_RATE_HZ, EarsSpec

CHUNK_SAMPLES = 512
"""At `EARS_RATE_HZ`: the 32 ms the voice detector takes."""

CHUNK_S = CHUNK_SAMPLES / EARS_RATE_HZ
PREROLL_CHUNKS = 12
"""0.38 s kept from before a voice is noticed: two chunks until it is, and 0.3 s of soft onset."""

RESTART_CHUNKS = 36
"""1.15 s read again when a turn is found to have begun in the middle of echo: about what finding out takes."""

WAITING_CHUNKS = 160
"""Five seconds that may wait for a recogniser when all are in use."""

PARTIAL_EVERY = 4
"""Chunks between two questions for the words so far."""


class Detector(Protocol):
    """Voice activity of one stream (`inference.ears.vad.VoiceDetector`)."""

    def detect(self, pcm: NDArray[np.float32]) -> float:
        """Probability of voice, 0..1, in `pcm` [512] at `EARS_RATE_HZ`."""

    def reset(self) -> None: ...


@dataclass(frozen=True, slots=True)
class HeardChunk:
    pcm: NDArray[np.float32]
    """[512] at `EARS_RATE_HZ`."""

    start_s: float
    end_s: float
    """Position in the stream's input."""

    probability: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What was heard in a turn; word times in ms of the input."""

    text: str = ""
    words: tuple[tuple[str, int, int], ...] = ()
    confidence: float = 0.0
    alternatives: tuple[str, ...] = ()

    def then(self, later: "Reading") -> "Reading":
        """Both as one. Alternatives of a joined reading are not kept: they belong to its parts."""
        if not self.text:
            return later
        if not later.text:
            return self
        long, short = len(self.text), len(later.text)
        confidence = (self.confidence * long + later.confidence * short) / (long + short)
        return Reading(f"{self.text} {later.text}", self.words + later.words, confidence)


class Listening:
    """Used by the loop's thread. Recognises only what it is told to `attend`."""

    def __init__(self, ears: Ears, spec: EarsSpec, detector: Detector) -> None:
        self._ears = ears
        self._spec = spec
        self._detector = detector
        # LQ holds 2.5 ms; better qualities hold up to 29 ms of a live stream.
        self._resampler = soxr.ResampleStream(AUDIO_RATE_HZ, EARS_RATE_HZ, 1, dtype="float32", quality="LQ")
        self._odd_byte = b""
        self._samples: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._position = 0
        self._recent: deque[HeardChunk] = deque(maxlen=RESTART_CHUNKS)
        self._waiting: deque[HeardChunk] = deque(maxlen=WAITING_CHUNKS)
        self._utterance: Utterance | None = None
        self._last_utterance: Utterance | None = None
        self._utterance_start_s = 0.0
        self._earlier = Reading()
        self._since_partial = 0

    def chunks(self, pcm: bytes) -> Iterator[HeardChunk]:
        """The whole chunks that PCM16 at `AUDIO_RATE_HZ`, of any length, completes."""
        pcm = self._odd_byte + pcm
        whole = len(pcm) // 2 * 2
        self._odd_byte = pcm[whole:]
        samples = np.frombuffer(pcm, dtype="<i2", count=whole // 2).astype(np.float32) / 32_768
        self._samples = np.concatenate([self._samples, self._resampler.resample_chunk(samples)])
        while len(self._samples) >= CHUNK_SAMPLES:
            piece, self._samples = self._samples[:CHUNK_SAMPLES], self._samples[CHUNK_SAMPLES:]
            start_s = self._position / EARS_RATE_HZ
            self._position += CHUNK_SAMPLES
            chunk = HeardChunk(piece, start_s, start_s + CHUNK_S, self._detector.detect(piece))
            self._recent.append(chunk)
            yield chunk

    @property
    def attending(self) -> bool:
        return self._utterance is not None or bool(self._waiting)

    def attend(self, chunk: HeardChunk) -> None:
        """Recognises `chunk`, the newest; the first one brings what came just before it."""
        if self._utterance is not None:
            self._utterance.feed(chunk.pcm)
        else:
            self._waiting.extend([chunk] if self._waiting else list(self._recent)[-PREROLL_CHUNKS:])
            self._begin()
        self._since_partial += 1

    def _begin(self) -> None:
        try:
            utterance = self._ears.listen(self._spec, after=self._last_utterance)
        except AtCapacity:
            return
        self._utterance = self._last_utterance = utterance
        self._utterance_start_s = self._waiting[0].start_s
        for chunk in self._waiting:
            utterance.feed(chunk.pcm)
        self._waiting.clear()

    def restart(self) -> None:
        """Reads anew from a second ago: what came before was the character's own voice."""
        if self._utterance is not None:
            self.forget()
            self._waiting.extend(self._recent)
            self._begin()

    def partial(self) -> str | None:
        """The words of the turn so far, or None when it is too early to ask again."""
        if self._utterance is None or self._since_partial < PARTIAL_EVERY:
            return None
        self._since_partial = 0
        return " ".join(filter(None, (self._earlier.text, self._utterance.partial())))

    def rest(self) -> None:
        """Closes the utterance at a long pause but keeps its reading for the turn."""
        utterance, self._utterance = self._utterance, None
        self._waiting.clear()
        self._recent.clear()
        if utterance is not None:
            self._earlier = self._earlier.then(_placed(utterance.finish(), self._utterance_start_s))

    def read(self) -> Reading:
        """The final reading of the turn. Empty when no recogniser was free."""
        if self._utterance is None and self._waiting:
            self._begin()
        self.rest()
        reading, self._earlier = self._earlier, Reading()
        return reading

    def forget(self) -> None:
        """Drops the turn without a reading."""
        utterance, self._utterance = self._utterance, None
        self._waiting.clear()
        self._earlier = Reading()
        if utterance is not None:
            utterance.abandon()


def _placed(transcript: Transcript, start_s: float) -> Reading:
    offset_ms = round(start_s * 1000)
    words = tuple((word, start + offset_ms, end + offset_ms) for word, start, end in transcript.words)
    return Reading(transcript.text, words, transcript.confidence, transcript.alternatives)
