"""Between the wire and a codec: PCM16 at `AUDIO_RATE_HZ` to codec frames, and codec frames to whole wire frames."""

from collections import deque
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.codec.base import Codec
from inference.engine.plans import StreamOutput
from inference.protocol import AUDIO_RATE_HZ, FRAME_SAMPLES

QUALITY = "LQ"
"""Holds 2.5 ms; better qualities hold up to 29 ms of a live stream."""

MOST_WAITING_FRAMES = 50
"""User frames that may wait for their tick: callers send in pieces of up to a second."""

REVIEW_FRAMES = 50
"""What waited throughout so many ticks is no cushion but delay."""

_PROBE_FRAMES = 64


class HeardFrames:
    """The user's audio of one stream, cut into the codec's frames."""

    def __init__(self, codec: Codec) -> None:
        self._samples_per_frame = codec.samples_per_frame
        self._resampler = _resampler(AUDIO_RATE_HZ, codec.sample_rate_hz)
        self._odd_byte = b""
        self._samples: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    def cut(self, pcm: bytes) -> list[Tensor]:
        """The frames [samples_per_frame] that PCM16 of any length completes."""
        pcm = self._odd_byte + pcm
        whole = len(pcm) // 2 * 2
        self._odd_byte = pcm[whole:]
        samples = np.frombuffer(pcm, dtype="<i2", count=whole // 2).astype(np.float32) / 32_768
        self._samples = np.concatenate([self._samples, self._resampler.resample_chunk(samples)])
        size = self._samples_per_frame
        count = len(self._samples) // size
        frames = [torch.from_numpy(self._samples[i * size : (i + 1) * size].copy()) for i in range(count)]
        self._samples = self._samples[count * size :]
        return frames


class WaitingFrames:
    """The user's frames on their way to a model that takes one per tick. Delay does not stay: the oldest frames go, and
    are counted, when more waited all the time than is ever used up."""

    def __init__(self) -> None:
        self._frames: deque[Tensor] = deque()
        self._takes = 0
        self._least = MOST_WAITING_FRAMES
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frames: list[Tensor]) -> None:
        self._frames.extend(frames)
        self._drop(len(self._frames) - MOST_WAITING_FRAMES)

    def take(self) -> Tensor | None:
        frame = self._frames.popleft() if self._frames else None
        self._least = min(self._least, len(self._frames))
        self._takes += 1
        if self._takes == REVIEW_FRAMES:
            self._drop(self._least - 1)
            self._takes, self._least = 0, MOST_WAITING_FRAMES
        return frame

    def clear(self) -> None:
        self._frames.clear()

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._frames.popleft()
            self.dropped += 1


class SpokenSound:
    """The model's audio of one stream as wire frames: for every codec frame the same time of sound, at once."""

    def __init__(self, codec: Codec) -> None:
        self._resampler = _resampler(codec.sample_rate_hz, AUDIO_RATE_HZ)
        self.held_samples = _most_held(codec.sample_rate_hz, codec.samples_per_frame)
        """How much later than its codec frame a sound leaves, so that no frame ever waits for the resampler."""

        self._samples = np.zeros(self.held_samples, dtype=np.float32)

    def frames(self, pcm: Tensor) -> list[NDArray[np.float32]]:
        """Wire frames [FRAME_SAMPLES] in -1..1 for one codec frame [samples_per_frame]."""
        resampled = self._resampler.resample_chunk(pcm.to("cpu", torch.float32).numpy())
        self._samples = np.concatenate([self._samples, resampled])
        count = len(self._samples) // FRAME_SAMPLES
        whole, self._samples = self._samples[: count * FRAME_SAMPLES], self._samples[count * FRAME_SAMPLES :]
        return list(whole.reshape(count, FRAME_SAMPLES))


@dataclass(frozen=True, slots=True)
class Said:
    """What a model made in one frame of time."""

    text: str
    speaking: bool
    frames: list[NDArray[np.float32]]
    """Wire frames [FRAME_SAMPLES]."""


class ModelVoice:
    """Joins the words and the sound of each frame again, however far the codec looks ahead."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._sound = SpokenSound(codec)
        self.lag_samples = self._sound.held_samples
        """How much later than its word a sound lies in the wire frames."""

        self._made: deque[tuple[str, bool]] = deque(maxlen=codec.decoder_delay_frames + 1)
        self._text = ""

    def take(self, output: StreamOutput) -> Said | None:
        """The frame whose sound this tick completes, if it does."""
        self._text += output.text
        if output.codes is not None:
            self._made.append((self.take_text(), output.speaking))
        if output.pcm is None or not self._made:
            return None
        text, speaking = self._made.popleft()
        return Said(text, speaking, self._sound.frames(output.pcm))

    @property
    def owes_sound(self) -> bool:
        """Frames were made whose sound is still in the codec."""
        return bool(self._made)

    def finish(self) -> Said:
        """The end of an answer: words after its last frame, and the sound that the resampler holds back."""
        silence = torch.zeros(self._codec.samples_per_frame)
        return Said(self.take_text(), False, self._sound.frames(silence))

    def take_text(self) -> str:
        """The words since the last frame."""
        text, self._text = self._text, ""
        # A model may well write control characters; no page or database wants them.
        return "".join(char for char in text if char.isprintable() or char in " \n\t")


def _resampler(from_hz: int, to_hz: int) -> soxr.ResampleStream:
    return soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality=QUALITY)


@lru_cache(maxsize=8)
def _most_held(rate_hz: int, samples_per_frame: int) -> int:
    """The most samples by which the resampler, which works in blocks, falls behind."""
    resampler = _resampler(rate_hz, AUDIO_RATE_HZ)
    silence = np.zeros(samples_per_frame, dtype=np.float32)
    given, most = 0, 0
    for number in range(1, _PROBE_FRAMES + 1):
        given += len(resampler.resample_chunk(silence))
        most = max(most, number * samples_per_frame * AUDIO_RATE_HZ // rate_hz - given)
    return most
