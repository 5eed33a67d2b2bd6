"""Codecs in the `EncodecModel` layout (Voila-Tokenizer), streamed frame by frame.

Causal checkpoints stream exactly: pieces equal the whole to float tolerance. With `pad_mode: reflect` the whole file
begins with a reflection of its first frames, so exactness there needs `first=True` and a first piece of at least
`first_piece_frames`; a live stream begins after zeros instead and differs at its start only. Non-causal checkpoints
look ahead: see `inference.codec.look_ahead`.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.checkpoints.errors import BrokenFile
from inference.checkpoints.tensors import TensorFolder, read_json
from inference.codec.quantizer import ResidualQuantizer
from inference.codec.seanet import SeanetLoader, run_piece, run_whole
from inference.codec.state import StreamState
from inference.errors import InvalidSpec


class EncodecCodec:
    """Encoder, residual quantiser, decoder."""

    encoder_delay_frames = 0
    decoder_delay_frames = 0

    def __init__(self, config: dict[str, Any], tensors: TensorFolder) -> None:
        self._config = config
        self.causal = bool(config["use_causal_conv"])
        self.sample_rate_hz = int(config["sampling_rate"])
        self.samples_per_frame = math.prod(config["upsampling_ratios"])
        self.codebook_size = int(config["codebook_size"])
        stacks = SeanetLoader(config, tensors)
        self.encoder, self.decoder = stacks.encoder(), stacks.decoder()
        levels = sorted({int(name.split(".")[2]) for name in tensors.names if name.startswith("quantizer.layers.")})
        dim = int(config.get("codebook_dim") or config["hidden_size"])
        books = [tensors.take(f"quantizer.layers.{level}.codebook.embed", self.codebook_size, dim) for level in levels]
        self.quantizer = ResidualQuantizer(books)
        self.num_codebooks = len(books)
        # Kept by the trainer of the codebooks; nothing here needs them.
        tensors.ignore(*(f"quantizer.layers.{level}.codebook.{name}" for level in levels
                         for name in ("cluster_size", "embed_avg", "inited")))  # fmt: skip

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "EncodecCodec":
        """Raises a `CheckpointError` naming what is wrong."""
        config = read_json(folder / "config.json")
        if config.get("norm_type", "weight_norm") != "weight_norm" or config.get("audio_channels", 1) != 1:
            raise BrokenFile("config.json: only weight_norm and one audio channel are known")
        with TensorFolder(folder, dtype=torch.float32, device=device) as tensors:
            try:
                codec = cls(config, tensors)
            except KeyError as error:
                raise BrokenFile(f"config.json: {error} is missing") from error
            tensors.finish()
        return codec

    @property
    def first_piece_frames(self) -> int:
        """Frames a first piece needs so that reflected padding is that of the whole file."""
        if self._config["pad_mode"] != "reflect":
            return 1
        # The widest kernel at the frames' own rate: the encoder's last or the decoder's first.
        return max(int(self._config["last_kernel_size"]), int(self._config["kernel_size"]))

    # --- the interface ---

    def encoder_state(self, num_slots: int) -> StreamState:
        return StreamState(num_slots, self.quantizer.codebooks[0].device)

    def decoder_state(self, num_slots: int) -> StreamState:
        return StreamState(num_slots, self.quantizer.codebooks[0].device)

    def reset(self, state: StreamState, mask: Tensor) -> None:
        state.reset(mask)

    def encode(self, pcm: Tensor, state: StreamState, active: Tensor | None = None, *, first: bool = False) -> Tensor:
        self._must_stream()
        if pcm.shape[-1] == 0 or pcm.shape[-1] % self.samples_per_frame:
            raise InvalidSpec(f"{pcm.shape[-1]} samples are no whole number of frames of {self.samples_per_frame}")
        state.freeze(active)
        return self.quantizer.encode(run_piece(self.encoder, pcm[:, None], state, first=first))

    def encode_rest(self, state: StreamState, active: Tensor | None = None) -> Tensor:
        """Codes [B, K, 0]: a causal codec owes nothing."""
        return torch.zeros((state.num_slots, self.num_codebooks, 0), dtype=torch.long, device=state.device)

    def decode(self, codes: Tensor, state: StreamState, active: Tensor | None = None, *, first: bool = False) -> Tensor:
        self._must_stream()
        state.freeze(active)
        return run_piece(self.decoder, self.quantizer.decode(codes), state, first=first)[:, 0]

    # --- whole files ---

    def latents(self, pcm: Tensor) -> Tensor:
        """Encoder output [B, D, T] of whole signals [B, S], T = ceil(S / samples_per_frame)."""
        return run_whole(self.encoder, pcm[:, None])

    def encode_whole(self, pcm: Tensor) -> Tensor:
        """Codes [B, K, T] of whole signals [B, S]."""
        return self.quantizer.encode(self.latents(pcm))

    def decode_whole(self, codes: Tensor) -> Tensor:
        """Audio [B, T * samples_per_frame] of whole codes [B, K, T]."""
        return run_whole(self.decoder, self.quantizer.decode(codes))[:, 0]

    # --- inside ---

    def _must_stream(self) -> None:
        if not self.causal:
            raise InvalidSpec("this codec is not causal; stream it through inference.codec.look_ahead")
