"""The codec's interface. Shapes: B slots, K codebooks, T frames, S samples."""

from typing import Any, Protocol

from torch import Tensor


class Codec(Protocol):
    """A streaming codec: weights only; what belongs to a caller is in the states."""

    sample_rate_hz: int
    samples_per_frame: int
    num_codebooks: int
    codebook_size: int

    encoder_delay_frames: int
    """How many frames later than its audio a code appears; 0 for a causal codec."""

    decoder_delay_frames: int
    """How many frames later than its codes audio appears."""

    def encoder_state(self, num_slots: int) -> Any: ...

    def decoder_state(self, num_slots: int) -> Any: ...

    def reset(self, state: Any, mask: Tensor) -> None:
        """The slots where `mask` [B] is true begin anew; the others do not notice."""

    def encode(self, pcm: Tensor, state: Any, active: Tensor | None = None) -> Tensor:
        """Audio [B, T * samples_per_frame] to codes [B, K, T]. Slots where `active` [B] is false keep their state."""

    def encode_rest(self, state: Any, active: Tensor | None = None) -> Tensor:
        """Codes [B, K, encoder_delay_frames] of the last frames before the audio's end, which is now. The slots where
        `active` [B] is true are to be reset before they encode again.
        """

    def decode(self, codes: Tensor, state: Any, active: Tensor | None = None) -> Tensor:
        """Codes [B, K, T] to audio [B, T * samples_per_frame]."""
