"""The codec's part of a tick: audio of all slots to codes and codes to audio, a frame each."""

from collections.abc import Iterable

import torch
from torch import Tensor

from inference.codec.base import Codec
from inference.codec.source_filter.codec import SourceFilterCodec


class SlotSound:
    """Codec states of all slots. What a codec with look-ahead gives before its delay has passed is left out."""

    def __init__(self, codec: Codec, num_slots: int, device: torch.device | str = "cpu") -> None:
        self.codec = codec
        self._encoder, self._decoder = codec.encoder_state(num_slots), codec.decoder_state(num_slots)
        self._pcm = torch.zeros((num_slots, codec.samples_per_frame), device=device)
        self._codes = torch.zeros((num_slots, codec.num_codebooks, 1), dtype=torch.long, device=device)
        self.steering = codec.new_steering(num_slots) if isinstance(codec, SourceFilterCodec) else None
        """Pitch and voicing of each slot, where the codec can be told."""

        self._heard = [0] * num_slots
        self._spoken = [0] * num_slots

    def reset(self, slot: int) -> None:
        mask = self._mask([slot])
        self.codec.reset(self._encoder, mask)
        self.codec.reset(self._decoder, mask)
        if self.steering is not None:
            self.steering.reset(slot)
        self._heard[slot] = self._spoken[slot] = 0

    def begin_answer(self, slot: int) -> None:
        """An answer is decoded as a whole of its own, as the reference decodes it."""
        self.codec.reset(self._decoder, self._mask([slot]))
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

    def encode_rest(self, slot: int) -> list[Tensor]:
        """Codes [K] of what a codec that looks ahead still owes of a slot's audio, which ends here.

        The next turn is encoded as a whole of its own, as the reference encodes it.
        """
        owed = min(self._heard[slot], self.codec.encoder_delay_frames)
        if self._heard[slot] == 0:
            return []
        mask = self._mask([slot])
        rest = self.codec.encode_rest(self._encoder, mask)[slot].clone()
        self.codec.reset(self._encoder, mask)
        self._heard[slot] = 0
        return list(rest.T[len(rest.T) - owed :])

    def decode(self, codes: dict[int, Tensor]) -> dict[int, Tensor]:
        """Audio [samples_per_frame] by slot, of codes [K] by slot."""
        if not codes:
            return {}
        for slot, frame in codes.items():
            self._codes[slot, :, 0] = frame
        pcm = self._decoded(self._mask(codes))
        for slot in codes:
            self._spoken[slot] += 1
        return {slot: pcm[slot].clone() for slot in codes if self._spoken[slot] > self.codec.decoder_delay_frames}

    def _decoded(self, mask: Tensor) -> Tensor:
        if isinstance(self.codec, SourceFilterCodec):
            return self.codec.decode(self._codes, self._decoder, mask, self.steering)
        return self.codec.decode(self._codes, self._decoder, mask)

    def silence(self) -> Tensor:
        """Codes [K] of silence: a fresh stream's after enough frames of zeros for its look-ahead."""
        state = self.codec.encoder_state(1)
        zeros = torch.zeros_like(self._pcm[:1])
        for _ in range(self.codec.encoder_delay_frames):
            self.codec.encode(zeros, state)
        return self.codec.encode(zeros, state)[0, :, 0]

    def _mask(self, slots: Iterable[int]) -> Tensor:
        mask = torch.zeros(len(self._heard), dtype=torch.bool, device=self._pcm.device)
        mask[list(slots)] = True
        return mask
