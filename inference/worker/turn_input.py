"""What the user says to a model that takes whole turns: cut to the turn, as codes."""

from collections import deque

import torch
from torch import Tensor

from inference.codec.base import Codec
from inference.worker.model_sound import HeardFrames

PREROLL_S = 0.3
"""Heard before a voice was noticed, and part of it: a soft onset."""

LONGEST_WAIT_S = 30.0
"""Of sound that waits for its turn to begin, or to be ended by the client."""


class TurnInput:
    """The user's audio of one stream. Times count from the first sample, as in `VoiceStarted` and `Heard`."""

    def __init__(self, codec: Codec, device: torch.device) -> None:
        self._codec = codec
        self._device = device
        self._frame_s = codec.samples_per_frame / codec.sample_rate_hz
        self._frames = HeardFrames(codec)
        self._waiting: deque[Tensor] = deque(maxlen=round(LONGEST_WAIT_S / self._frame_s) + 1)
        """Frames that the model has not been given."""

        self._heard_s = 0.0
        self._encoder = codec.encoder_state(1)
        self._early = codec.encoder_delay_frames
        """Codes that a codec which looks ahead is still to give before those of the turn's first frame."""

        self._given: list[Tensor] = []

    def hear(self, pcm: bytes) -> None:
        """Takes PCM16 at `AUDIO_RATE_HZ`, any length."""
        frames = self._frames.cut(pcm)
        self._heard_s += len(frames) * self._frame_s
        self._waiting.extend(frames)

    def begin_turn(self, at_ms: int) -> None:
        """A turn's voice began at `at_ms`: what lies before it is no part of it."""
        self._begin_anew()
        from_s = at_ms / 1000 - PREROLL_S
        while self._waiting and self._heard_s - (len(self._waiting) - 1) * self._frame_s <= from_s:
            self._waiting.popleft()

    def take_frames(self) -> list[Tensor]:
        """Frames [samples_per_frame] heard since the last time, for a model that hears raw audio."""
        frames = list(self._waiting)
        self._waiting.clear()
        return frames

    def take(self, *, ends: bool = False) -> Tensor | None:
        """Codes [K, T] of what was heard since the last time; where the turn `ends`, also of what a codec that looks
        ahead still owes. None: there are no new ones."""
        frames = self.take_frames()
        pieces: list[Tensor] = []
        with torch.inference_mode():
            if frames:
                pieces.append(self._codec.encode(torch.cat(frames)[None].to(self._device), self._encoder)[0])
            if ends:
                pieces.append(self._codec.encode_rest(self._encoder)[0])
        codes = torch.cat(pieces, dim=1) if pieces else torch.zeros((self._codec.num_codebooks, 0), dtype=torch.long)
        early = min(self._early, codes.shape[1])
        self._early -= early
        if codes.shape[1] == early:
            return None
        self._given.append(codes[:, early:].cpu())
        return codes[:, early:]

    def end_turn(self) -> Tensor | None:
        """All codes [K, T] that were taken of this turn, which is over."""
        given = torch.cat(self._given, dim=1) if self._given else None
        self._begin_anew()
        return given

    def clear(self) -> None:
        """What was said is forgotten."""
        self._waiting.clear()
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._encoder = self._codec.encoder_state(1)
        self._early = self._codec.encoder_delay_frames
        self._given = []
