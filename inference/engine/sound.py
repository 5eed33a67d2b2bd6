"""The codec's part of a tick: audio of all slots to codes and codes to audio, a frame each."""

import torch
from torch import Tensor

from inference.codec.base import Codec


class SlotSound:
    """Codec states of all slots. What a codec with look-ahead gives before its delay has passed is left out."""

    def __init__(self, codec: Codec, num_slots: int, device: torch.device | str = "cpu") -> None:
        self.codec = codec
        self._encoder, self._decoder = codec.encoder_state(num_slots), codec.decoder_state(num_slots)
        self._pcm = torch.zeros((num_slots, codec.samples_per_frame), device=device)
        self._codes = torch.zeros((num_slots, codec.num_codebooks, 1), dtype=torch.long, device=device)
        self._heard = [0] * num_slots
        self._spoken = [0] * num_slots

    def reset(self, slot: int) -> None:
        mask = torch.zeros(len(self._heard), dtype=torch.bool, device=self._pcm.device)
        mask[slot] = True
        self.codec.reset(self._encoder, mask)
        self.codec.reset(self._decoder, mask)
        self._heard[slot] = self._spoken[slot] = 0

    def begin_answer(self, slot: int) -> None:
        """An answer is decoded as a whole of its own, as the reference decodes it."""
        mask = torch.zeros(len(self._spoken), dtype=torch.bool, device=self._pcm.device)
        mask[slot] = True
        self.codec.reset(self._decoder, mask)
        self._spoken[slot] = 0

    def encode(self, frames: dict[int, Tensor]) -> dict[int, Tensor]:
        """Codes [K] by slot, of audio [samples_per_frame] by slot."""
        if not frames:
            return {}
        for slot, frame in frames.items():
            self._pcm[slot] = frame
        codes = self.codec.encode(self._pcm, self._encoder, self._mask(frames))[:, :, 0]
        for slot in frames:
            self._heard[slot] += 1
        return {slot: codes[slot].clone() for slot in frames if self._heard[slot] > self.codec.encoder_delay_frames}

    def decode(self, codes: dict[int, Tensor]) -> dict[int, Tensor]:
        """Audio [samples_per_frame] by slot, of codes [K] by slot."""
        if not codes:
            return {}
        for slot, frame in codes.items():
            self._codes[slot, :, 0] = frame
        pcm = self.codec.decode(self._codes, self._decoder, self._mask(codes))
        for slot in codes:
            self._spoken[slot] += 1
        return {slot: pcm[slot].clone() for slot in codes if self._spoken[slot] > self.codec.decoder_delay_frames}

    def silence(self) -> Tensor:
        """Codes [K] of silence: a fresh stream's after enough frames of zeros for its look-ahead."""
        state = self.codec.encoder_state(1)
        zeros = torch.zeros_like(self._pcm[:1])
        for _ in range(self.codec.encoder_delay_frames):
            self.codec.encode(zeros, state)
        return self.codec.encode(zeros, state)[0, :, 0]

    def _mask(self, slots: dict[int, Tensor]) -> Tensor:
        mask = torch.zeros(len(self._heard), dtype=torch.bool, device=self._pcm.device)
        mask[list(slots)] = True
        return mask
