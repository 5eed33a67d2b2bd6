"""Codecs in the `MimiModel` layout: 24 kHz, 12.5 frames a second, streamed exactly both ways.

The encoder's convolutions run at 25 Hz into a windowed transformer and are halved to 12.5; the decoder mirrors it. All
of it is causal. The first codebook (semantic) and the others (acoustic) quantise the same latent side by side.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.checkpoints.errors import BrokenFile
from inference.checkpoints.tensors import TensorFolder, read_json
from inference.codec.convolution import Conv, TransposedConv
from inference.codec.quantizer import ResidualQuantizer
from inference.codec.seanet import SeanetLoader, run_piece, run_whole
from inference.codec.state import StreamState
from inference.codec.window_transformer import WindowTransformer
from inference.errors import InvalidSpec

_USAGE_FLOOR = 1e-5
DEFAULTS = {
    "sampling_rate": 24_000,
    "upsampling_ratios": [8, 6, 5, 4],
    "use_causal_conv": True,
    "pad_mode": "constant",
    "num_residual_layers": 1,
    "dilation_growth_rate": 2,
    "use_conv_shortcut": False,
    "trim_right_ratio": 1.0,
    "codebook_size": 2048,
    "num_quantizers": 32,
    "num_semantic_quantizers": 1,
    "upsample_groups": 512,
    "hidden_size": 512,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "sliding_window": 250,
    "norm_eps": 1e-5,
}
"""What transformers' `MimiConfig` assumes where a file says nothing."""


class MimiCodec:
    """Encoder, split residual quantiser, decoder. `num_codebooks` may be fewer than stored: the first ones."""

    encoder_delay_frames = 0
    decoder_delay_frames = 0

    def __init__(self, config: dict[str, Any], tensors: TensorFolder, num_codebooks: int | None = None) -> None:
        stacks = SeanetLoader(config, tensors)
        self.encoder, self.decoder = stacks.encoder(), stacks.decoder()
        self.sample_rate_hz = int(config["sampling_rate"])
        self.samples_per_frame = 2 * math.prod(config["upsampling_ratios"])
        self.codebook_size = int(config["codebook_size"])
        self._encoder_transformer = WindowTransformer(config, tensors, "encoder_transformer.")
        self._decoder_transformer = WindowTransformer(config, tensors, "decoder_transformer.")
        self._down = Conv("downsample.", tensors.take("downsample.conv.weight"), None, 2, pad_mode="replicate")
        up, groups = tensors.take("upsample.conv.weight"), int(config["upsample_groups"])
        self._up = TransposedConv("upsample.", up, None, 2, groups=groups)
        semantic, total = int(config["num_semantic_quantizers"]), int(config["num_quantizers"])
        self.num_codebooks = num_codebooks or total
        self._semantic = _Half(tensors, "semantic", semantic, semantic)
        self._acoustic = _Half(tensors, "acoustic", total - semantic, self.num_codebooks - semantic)
        self._num_semantic = semantic

    @classmethod
    def load(cls, folder: Path, *, num_codebooks: int | None = None, device: str = "cpu") -> "MimiCodec":
        """Raises a `CheckpointError` naming what is wrong."""
        config = DEFAULTS | {
            key: value for key, value in read_json(folder / "config.json").items() if value is not None
        }
        if not config["use_causal_conv"]:
            raise BrokenFile("config.json: a Mimi that is not causal is not known")
        with TensorFolder(folder, dtype=torch.float32, device=device) as tensors:
            codec = cls(config, tensors, num_codebooks)
            tensors.finish()
        return codec

    def encoder_state(self, num_slots: int) -> StreamState:
        return StreamState(num_slots, self._down.weight.device)

    def decoder_state(self, num_slots: int) -> StreamState:
        return StreamState(num_slots, self._down.weight.device)

    def reset(self, state: StreamState, mask: Tensor) -> None:
        state.reset(mask)

    def encode(self, pcm: Tensor, state: StreamState, active: Tensor | None = None) -> Tensor:
        if pcm.shape[-1] == 0 or pcm.shape[-1] % self.samples_per_frame:
            raise InvalidSpec(f"{pcm.shape[-1]} samples are no whole number of frames of {self.samples_per_frame}")
        state.freeze(active)
        x = run_piece(self.encoder, pcm[:, None], state)
        return self._quantize(self._down.piece(self._encoder_transformer.piece(x, state), state))

    def encode_rest(self, state: StreamState, active: Tensor | None = None) -> Tensor:
        """Codes [B, K, 0]: a causal codec owes nothing."""
        return torch.zeros((state.num_slots, self.num_codebooks, 0), dtype=torch.long, device=state.device)

    def decode(self, codes: Tensor, state: StreamState, active: Tensor | None = None) -> Tensor:
        state.freeze(active)
        x = self._decoder_transformer.piece(self._up.piece(self._latents(codes), state), state)
        return run_piece(self.decoder, x, state)[:, 0]

    def encode_whole(self, pcm: Tensor) -> Tensor:
        """Codes [B, K, T] of whole signals [B, S], S a whole number of frames."""
        x = self._encoder_transformer.whole(run_whole(self.encoder, pcm[:, None]))
        return self._quantize(self._down.whole(x))

    def decode_whole(self, codes: Tensor) -> Tensor:
        """Audio [B, T * samples_per_frame] of whole codes [B, K, T]."""
        x = self._decoder_transformer.whole(self._up.whole(self._latents(codes)))
        return run_whole(self.decoder, x)[:, 0]

    def _quantize(self, latents: Tensor) -> Tensor:
        return torch.cat([self._semantic.encode(latents), self._acoustic.encode(latents)], dim=1)

    def _latents(self, codes: Tensor) -> Tensor:
        at = self._num_semantic
        return self._semantic.decode(codes[:, :at]) + self._acoustic.decode(codes[:, at:])


class _Half:
    """The semantic or the acoustic codebooks with their projections."""

    def __init__(self, tensors: TensorFolder, name: str, num_stored: int, num_used: int) -> None:
        prefix = f"quantizer.{name}_residual_vector_quantizer."
        books = []
        for level in range(num_stored):
            book = f"{prefix}layers.{level}.codebook."
            usage = tensors.take(book + "cluster_usage").clamp(min=_USAGE_FLOOR)
            vectors = tensors.take(book + "embed_sum") / usage[:, None]
            tensors.ignore(book + "initialized")
            if level < num_used:
                books.append(vectors)
        self._quantizer = ResidualQuantizer(books)
        projected = prefix + "input_proj.weight" in tensors
        self._input = tensors.take(prefix + "input_proj.weight") if projected else None
        self._output = tensors.take(prefix + "output_proj.weight") if projected else None

    def encode(self, latents: Tensor) -> Tensor:
        return self._quantizer.encode(latents if self._input is None else F.conv1d(latents, self._input))

    def decode(self, codes: Tensor) -> Tensor:
        vectors = self._quantizer.decode(codes)
        return vectors if self._output is None else F.conv1d(vectors, self._output)
