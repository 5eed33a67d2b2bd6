"""Random checkpoints in the Voila layout, small enough to be made anew for a test: model, tokenizer, codec.

Weights are drawn with a seed of their own, so a checkpoint is the same on every machine up to float rounding.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

from inference.codec.encodec import EncodecCodec
from inference.models.tokenizer import CONTROL_TOKENS, VoilaTokenizer
from inference.models.voila import Dtype, VoilaModel
from inference.models.waveform import KERNELS

CODEBOOKS, CODEBOOK_SIZE = 4, 64
FRAME_TOKEN = "<au_token>"
CODEC_RATIOS = (8, 5, 4, 4)


@dataclass(frozen=True, slots=True)
class TinyShape:
    hidden: int = 48
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    mlp: int = 96
    audio_layers: int = 2
    audio_dim: int = 32
    audio_heads: int = 2
    audio_mlp: int = 64
    max_positions: int = 4096


def write_tokenizer(folder: Path) -> VoilaTokenizer:
    """A byte-level tokenizer without merges, control tokens, audio ids."""
    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in ("<eos>", "<pad>", *CONTROL_TOKENS)])
    tokenizer.add_tokens([AddedToken(f"<|{code}|>") for code in range(CODEBOOKS * CODEBOOK_SIZE)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"eos_token": "<eos>", "pad_token": "<pad>", "model_max_length": 4096}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return VoilaTokenizer(folder, CODEBOOKS, CODEBOOK_SIZE)


def write_model(
    folder: Path,
    *,
    autonomous: bool = False,
    raw_audio: bool = False,
    frame_pull: float = 3.0,
    seed: int = 1,
    shape: TinyShape | None = None,
) -> Path:
    """A checkpoint folder with its tokenizer. `frame_pull` stretches the row that asks for frames: 0 never asks."""
    shape = shape or TinyShape()
    tokenizer = write_tokenizer(folder)
    vocab = -(-len(tokenizer) // 64) * 64
    tensors = model_tensors(shape, vocab, autonomous, torch.Generator().manual_seed(seed))
    if raw_audio:
        tensors |= _front_end_tensors(shape, torch.Generator().manual_seed(seed))
    frame, eos = tokenizer.control[FRAME_TOKEN], tokenizer.eos_id
    tensors["lm_head.weight"][frame] *= frame_pull
    # A long row would end nearly every answer at once, a zero row none of them.
    tensors["lm_head.weight"][eos] *= 1.2
    write_weights(folder, tensors)
    (folder / "config.json").write_text(json.dumps(model_config(shape, vocab)), encoding="utf-8")
    return folder


def write_weights(folder: Path, tensors: dict[str, Tensor]) -> None:
    save_file({name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()},
              folder / "model.safetensors")  # fmt: skip


def load_model(folder: Path, dtype: Dtype = "float32") -> tuple[VoilaModel, VoilaTokenizer]:
    return VoilaModel.load(folder, dtype=dtype), VoilaTokenizer(folder, CODEBOOKS, CODEBOOK_SIZE)


def write_codec(
    folder: Path,
    *,
    seed: int = 2,
    filters: int = 4,
    dim: int = 16,
    ratios: tuple[int, ...] = CODEC_RATIOS,
    causal: bool = True,
) -> Path:
    """A codec with zero padding: 16 kHz, and as many samples per frame as the four ratios' product, 640."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "encodec", "use_causal_conv": causal, "upsampling_ratios": list(ratios),
        "sampling_rate": 16000, "audio_channels": 1, "codebook_size": CODEBOOK_SIZE, "codebook_dim": dim,
        "hidden_size": dim, "num_filters": filters, "num_residual_layers": 1, "dilation_growth_rate": 2,
        "kernel_size": 7, "last_kernel_size": 7, "residual_kernel_size": 3, "compress": 2, "num_lstm_layers": 1,
        "norm_type": "weight_norm", "pad_mode": "constant", "trim_right_ratio": 1.0, "use_conv_shortcut": True,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tensors = _codec_tensors(filters, dim, ratios, torch.Generator().manual_seed(seed))
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    return folder


def load_codec(folder: Path) -> EncodecCodec:
    return EncodecCodec.load(folder)


def model_config(shape: TinyShape, vocab: int) -> dict[str, Any]:
    return {
        "model_type": "llama", "vocab_size": vocab, "hidden_size": shape.hidden, "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "rms_norm_eps": 1e-5, "max_position_embeddings": shape.max_positions, "rope_theta": 500000.0,
        "tie_word_embeddings": False, "num_codebooks": CODEBOOKS, "codebook_size": CODEBOOK_SIZE,
        "audio_transformer": {
            "n_layer": shape.audio_layers, "dim": shape.audio_dim, "n_head": shape.audio_heads,
            "n_local_heads": shape.audio_heads, "intermediate_size": shape.audio_mlp,
        },
    }  # fmt: skip


def model_tensors(shape: TinyShape, vocab: int, autonomous: bool, generator: torch.Generator) -> dict[str, Tensor]:
    def weight(rows: int, columns: int, gain: float = 1.0) -> Tensor:
        return torch.randn(rows, columns, generator=generator) * gain / columns**0.5

    hidden, head_dim = shape.hidden, shape.hidden // shape.heads
    tensors = {
        "model.embed_tokens.weight": weight(vocab, hidden, hidden**0.5),
        "lm_head.weight": weight(vocab, hidden, 2.0),
        "model.norm.weight": torch.ones(hidden),
        "ref_emb_linear.weight": weight(hidden, 256, 4.0),
        "ref_emb_linear.bias": torch.zeros(hidden),
    }
    for i in range(shape.layers):
        prefix = f"model.layers.{i}."
        kv = shape.kv_heads * head_dim
        for name, rows, columns in (
            ("self_attn.q_proj", hidden, hidden), ("self_attn.k_proj", kv, hidden), ("self_attn.v_proj", kv, hidden),
            ("self_attn.o_proj", hidden, hidden), ("mlp.gate_proj", shape.mlp, hidden),
            ("mlp.up_proj", shape.mlp, hidden), ("mlp.down_proj", hidden, shape.mlp),
        ):  # fmt: skip
            tensors[f"{prefix}{name}.weight"] = weight(rows, columns, 1.5)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{prefix}{name}.weight"] = torch.ones(hidden)
    tensors |= _audio_tensors(shape, weight)
    if autonomous:
        tensors["voila_predictor.0.weight"] = weight(2, hidden)
        tensors["voila_predictor.0.bias"] = torch.tensor([0.5, 0.0])
    return tensors


def _front_end_tensors(shape: TinyShape, generator: torch.Generator, channels: int = 12) -> dict[str, Tensor]:
    """What hears raw audio, loud enough beside the embeddings to be noticed."""
    extractor, adapter = "feature_extractor.conv_layers.", "audio_feature_extractor_adapter."
    tensors = {}
    for i, kernel in enumerate(KERNELS):
        inputs = channels if i else 1
        weight = torch.randn(channels, inputs, kernel, generator=generator)
        tensors[f"{extractor}{i}.conv.weight"] = weight * 2 / (inputs * kernel) ** 0.5
    pooling = torch.randn(channels, channels, 2, generator=generator) / (2 * channels) ** 0.5
    projection = torch.randn(shape.hidden, channels, generator=generator) * 2 / channels**0.5
    tensors |= {
        f"{adapter}conv_layers.conv.weight": pooling,
        f"{adapter}feat_proj.projection.weight": projection,
        f"{adapter}feat_proj.projection.bias": torch.randn(shape.hidden, generator=generator) * 0.1,
    }
    for norm in (f"{extractor}0", f"{adapter}conv_layers", f"{adapter}feat_proj"):
        tensors[f"{norm}.layer_norm.weight"] = torch.ones(channels)
        tensors[f"{norm}.layer_norm.bias"] = torch.randn(channels, generator=generator) * 0.1
    return tensors


def _audio_tensors(shape: TinyShape, weight: Any) -> dict[str, Tensor]:
    dim, prefix = shape.audio_dim, "audio_transformer."
    tensors = {
        f"{prefix}embeddings.weight": weight(CODEBOOK_SIZE, dim, dim**0.5),
        f"{prefix}input_proj.weight": weight(dim, shape.hidden),
        f"{prefix}norm.weight": torch.ones(dim),
        f"{prefix}token_head.weight": weight(CODEBOOK_SIZE, dim, 2.0),
    }
    for j in range(shape.audio_layers):
        layer = f"{prefix}layers.{j}."
        tensors |= {
            f"{layer}attention.wqkv.weight": weight(3 * dim, dim),
            f"{layer}attention.wo.weight": weight(dim, dim),
            f"{layer}feed_forward.w1.weight": weight(shape.audio_mlp, dim),
            f"{layer}feed_forward.w3.weight": weight(shape.audio_mlp, dim),
            f"{layer}feed_forward.w2.weight": weight(dim, shape.audio_mlp),
            f"{layer}attention_norm.weight": torch.ones(dim),
            f"{layer}ffn_norm.weight": torch.ones(dim),
        }
    return tensors


def _codec_tensors(filters: int, dim: int, ratios: tuple[int, ...], generator: torch.Generator) -> dict[str, Tensor]:
    """The encoder's layers and the decoder's, numbered as EnCodec numbers them (activations count)."""
    tensors: dict[str, Tensor] = {}

    def conv(name: str, rows: int, columns: int, kernel: int, bias: int | None = None) -> None:
        spread = (columns * kernel) ** 0.5
        tensors[f"{name}.weight"] = torch.randn(rows, columns, kernel, generator=generator) / spread
        tensors[f"{name}.bias"] = torch.randn(bias or rows, generator=generator) * 0.05

    def residual(name: str, width: int) -> None:
        conv(f"{name}.block.1.conv", width // 2, width, 3)
        conv(f"{name}.block.3.conv", width, width // 2, 1)
        conv(f"{name}.shortcut.conv", width, width, 1)

    def lstm(name: str, width: int) -> None:
        for part, shape in (("weight_ih", (4 * width, width)), ("weight_hh", (4 * width, width)),
                            ("bias_ih", (4 * width,)), ("bias_hh", (4 * width,))):  # fmt: skip
            tensors[f"{name}.lstm.{part}_l0"] = torch.randn(shape, generator=generator) / width**0.5

    conv("encoder.layers.0.conv", filters, 1, 7)
    at, width = 1, filters
    for ratio in reversed(ratios):
        residual(f"encoder.layers.{at}", width)
        conv(f"encoder.layers.{at + 2}.conv", 2 * width, width, 2 * ratio)
        at, width = at + 3, 2 * width
    lstm(f"encoder.layers.{at}", width)
    conv(f"encoder.layers.{at + 2}.conv", dim, width, 7)
    conv("decoder.layers.0.conv", width, dim, 7)
    lstm("decoder.layers.1", width)
    at = 2
    for ratio in ratios:
        conv(f"decoder.layers.{at + 1}.conv", width, width // 2, 2 * ratio, width // 2)
        at, width = at + 2, width // 2
        residual(f"decoder.layers.{at}", width)
        at += 1
    conv(f"decoder.layers.{at + 1}.conv", 1, width, 7)
    for level in range(CODEBOOKS):
        book = torch.randn(CODEBOOK_SIZE, dim, generator=generator) * 0.5**level
        tensors[f"quantizer.layers.{level}.codebook.embed"] = book
    return tensors
