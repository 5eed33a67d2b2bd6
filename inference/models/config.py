"""The dimensions of a checkpoint, from its `config.json` and checked against its tensors."""

from dataclasses import dataclass
from typing import Any, Literal

from inference.checkpoints.errors import BrokenFile

SPEAKER_DIM = 256
"""Numbers of a speaker embedding (wespeaker-ResNet34, Resemblyzer)."""

Kind = Literal["token", "autonomous", "waveform"]


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Rotary positions of the backbone. `factor` 1 is plain rope; else Llama-3 scaling."""

    theta: float = 500_000.0
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_positions: int = 8192


@dataclass(frozen=True, slots=True)
class AudioTransformerConfig:
    """Fixed in the published code; a checkpoint may state others under `audio_transformer`."""

    num_layers: int = 4
    dim: int = 1024
    num_heads: int = 32
    mlp_dim: int = 2816
    norm_eps: float = 1e-5
    rope_theta: float = 10_000.0

    @property
    def head_dim(self) -> int:
        return self.dim // self.num_heads


@dataclass(frozen=True, slots=True)
class VoilaConfig:
    vocab_size: int
    hidden_size: int
    mlp_dim: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    norm_eps: float
    max_positions: int
    rope: RopeConfig
    tied_head: bool
    num_codebooks: int
    codebook_size: int
    audio: AudioTransformerConfig

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "VoilaConfig":
        """Raises `BrokenFile` naming the key that is missing or of the wrong kind."""
        read = _Reader(data)
        heads = read.whole("num_attention_heads")
        hidden = read.whole("hidden_size")
        return cls(
            vocab_size=read.whole("vocab_size"),
            hidden_size=hidden,
            mlp_dim=read.whole("intermediate_size"),
            num_layers=read.whole("num_hidden_layers"),
            num_heads=heads,
            num_kv_heads=read.whole("num_key_value_heads", heads),
            head_dim=read.whole("head_dim", hidden // heads),
            norm_eps=read.real("rms_norm_eps", 1e-5),
            max_positions=read.whole("max_position_embeddings", 8192),
            rope=_rope(data),
            tied_head=bool(data.get("tie_word_embeddings", False)),
            num_codebooks=read.whole("num_codebooks", 4),
            codebook_size=read.whole("codebook_size", 2048),
            audio=_audio(data.get("audio_transformer")),
        )


class _Reader:
    def __init__(self, data: dict[str, Any], place: str = "config.json") -> None:
        self._data = data
        self._place = place

    def whole(self, key: str, default: int | None = None) -> int:
        value = self._data.get(key)
        if value is None:
            value = default
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise BrokenFile(f"{self._place}: {key} must be a positive whole number, not {value!r}")
        return value

    def real(self, key: str, default: float | None = None) -> float:
        value = self._data.get(key)
        if value is None:
            value = default
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            raise BrokenFile(f"{self._place}: {key} must be a positive number, not {value!r}")
        return float(value)


def _rope(data: dict[str, Any]) -> RopeConfig:
    """Old keys (`rope_theta`, `rope_scaling`) and the newer `rope_parameters` alike."""
    newer = data.get("rope_parameters") or {}
    scaling = data.get("rope_scaling") or newer
    theta = _Reader({"rope_theta": data.get("rope_theta", newer.get("rope_theta"))}).real("rope_theta", 10_000.0)
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "default":
        return RopeConfig(theta=theta)
    if kind != "llama3":
        raise BrokenFile(f"config.json: rope_scaling of type {kind!r} is not known; default and llama3 are")
    read = _Reader(scaling, "config.json: rope_scaling")
    return RopeConfig(
        theta=theta,
        factor=read.real("factor"),
        low_freq_factor=read.real("low_freq_factor"),
        high_freq_factor=read.real("high_freq_factor"),
        original_positions=read.whole("original_max_position_embeddings"),
    )


def _audio(data: dict[str, Any] | None) -> AudioTransformerConfig:
    if data is None:
        return AudioTransformerConfig()
    read = _Reader(data, "config.json: audio_transformer")
    heads, dim = read.whole("n_head"), read.whole("dim")
    if read.whole("n_local_heads", heads) != heads:
        raise BrokenFile("config.json: audio_transformer: n_local_heads must equal n_head")
    if dim % heads:
        raise BrokenFile(f"config.json: audio_transformer: dim {dim} is no multiple of n_head {heads}")
    return AudioTransformerConfig(read.whole("n_layer"), dim, heads, read.whole("intermediate_size"))
