"""What an operator sets for a worker process: the same names and meanings as on the web side."""

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from inference.client.stream_token import KEY_BYTES_MIN
from inference.worker.default_mouth import MouthChoice, Packed
from inference.worker.process import environment
from inference.worker.process.environment import Address, SettingError
from inference.worker.process.report import Purpose

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PACKED = ("none", "float32", "bfloat16", "int8")
_EVERYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class MouthSettings:
    choice: MouthChoice = "auto"
    slots: int = 8
    packed: Packed | None = None


@dataclass(frozen=True, slots=True)
class VoiceModelSettings:
    """See `inference.worker.voice_model.VoiceModelFiles`."""

    model: str
    codec: str
    revision: str
    lane: str
    dtype: str
    device: str
    packed: str
    slots: int


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """What the worker can do."""

    echo_only: bool
    mouth: MouthSettings
    voice_model: VoiceModelSettings | None
    cache: Path | None
    """Where ears keep their language models; None: where they like."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    id: str
    listen: Address
    url: str
    """Where the web side finds it; empty: where it listens."""

    key: str
    webs: tuple[str, ...]
    purpose: Purpose
    slots: int
    drain_s: float
    lanes: LaneSettings


def read_settings() -> WorkerSettings:
    """From the environment. Raises `SettingError` naming the variable and a remedy."""
    listen = environment.address("WORKER_LISTEN", "127.0.0.1:9100")
    advertised = environment.urls("WORKER_URL", ("ws", "wss"))
    if listen.host in _EVERYWHERE and not advertised:
        raise SettingError(
            f"WORKER_LISTEN={listen.netloc} takes calls on every address; set WORKER_URL to the one that the web side "
            "is to use, such as ws://10.0.0.5:9100/stream"
        )
    return WorkerSettings(
        id=_worker_id(),
        listen=listen,
        url=advertised[0] if advertised else "",
        key=environment.secret("WORKER_KEY", bytes_min=KEY_BYTES_MIN),
        webs=environment.urls("TROUPE_WEB", ("http", "https")),
        purpose=cast(Purpose, environment.choice("WORKER_PURPOSE", "live", ("live", "batch"))),
        slots=environment.integer("INFERENCE_SLOTS", 8, low=1, high=1024),
        drain_s=environment.number("WORKER_DRAIN_S", 60.0, low=0.0, high=7200.0),
        lanes=_lanes(),
    )


def _worker_id() -> str:
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()).strip(".-")[:48] or "worker"
    value = environment.text("WORKER_ID", f"{host}-{os.getpid()}")
    if not _ID.fullmatch(value):
        raise SettingError(f"WORKER_ID={value!r} must be up to 64 letters, digits, dots, dashes and underscores")
    return value


def _lanes() -> LaneSettings:
    packed = environment.choice("MOUTH_PACKED", "none", _PACKED)
    var = environment.folder("TROUPE_VAR_DIR")
    return LaneSettings(
        echo_only=environment.choice("INFERENCE_LANE", "composed", ("composed", "echo")) == "echo",
        mouth=MouthSettings(
            choice=cast(MouthChoice, environment.choice("MOUTH", "auto", ("auto", "bundled", "espeak"))),
            slots=environment.integer("MOUTH_SLOTS", 8, low=1, high=256),
            packed=None if packed == "none" else cast(Packed, packed),
        ),
        voice_model=_voice_model(),
        cache=None if var is None else var / "cache",
    )


def _voice_model() -> VoiceModelSettings | None:
    model = environment.text("VOICE_MODEL")
    settings = VoiceModelSettings(
        model=model,
        codec=environment.text("VOICE_MODEL_CODEC"),
        revision=environment.text("VOICE_MODEL_REVISION"),
        lane=environment.choice("VOICE_MODEL_LANE", "auto", ("auto", "duplex", "turn", "mouth")),
        dtype=environment.choice("VOICE_MODEL_DTYPE", "float32", ("float32", "bfloat16")),
        device=environment.choice("VOICE_MODEL_DEVICE", "cpu", ("cpu", "cuda")),
        packed=environment.choice("VOICE_MODEL_PACKED", "none", _PACKED),
        slots=environment.integer("VOICE_MODEL_SLOTS", 4, low=1, high=256),
    )
    return settings if model else None
