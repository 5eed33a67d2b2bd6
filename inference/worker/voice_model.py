"""A voice-language model as an operator names it: loaded, checked, and the lanes it can serve."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from inference.checkpoints.errors import BrokenFile, CheckpointError, CheckpointMissing
from inference.checkpoints.locate import locate
from inference.checkpoints.tensors import read_json
from inference.codec.base import Codec
from inference.codec.encodec import EncodecCodec
from inference.codec.look_ahead import LookAheadCodec
from inference.codec.mimi import MimiCodec
from inference.codec.source_filter.codec import MODEL_TYPE, SourceFilterCodec
from inference.ears.base import Ears
from inference.engine.engine import StepEngine
from inference.engine.plans import EngineSettings
from inference.models.config import Kind
from inference.models.packed import Precision
from inference.models.tokenizer import VoilaTokenizer
from inference.models.voila import Dtype, VoilaModel
from inference.protocol import Lane
from inference.worker.composed import ComposedLane
from inference.worker.default_mouth import beside_espeak
from inference.worker.duplex import DuplexLane
from inference.worker.lanes import LaneOpener
from inference.worker.listening import Detector
from inference.worker.model_mouth import ModelMouth
from inference.worker.phone_checkpoint import phone_mouth, reads_phones
from inference.worker.shared_engine import SharedEngine
from inference.worker.turn import TurnLane

LaneChoice = Literal["auto", "duplex", "turn", "mouth"]

CODEC_FOLDER = "codec"
"""In a checkpoint's folder: the codec that comes with it."""


@dataclass(frozen=True, slots=True)
class VoiceModelFiles:
    """Folders or hub ids, pulled before. `codec` is what the checkpoint's codes are made with; empty: the one that
    comes with it."""

    model: str
    codec: str
    revision: str | None = None
    """Of the model, where it is a hub id."""

    dtype: Dtype = "float32"
    device: str = "cpu"
    packed: Precision | None = None
    """For the CPU: weights repacked in this precision."""

    slots: int = 4
    """Streams at once. Every tick costs what this many cost."""


def load_engine(files: VoiceModelFiles) -> StepEngine:
    """Raises a `CheckpointError` naming what is wrong, before any slot opens."""
    if files.device != "cpu" and not torch.cuda.is_available():
        raise CheckpointError(f"the device {files.device!r} is not there; use cpu")
    folder = locate(files.model, files.revision)
    codec_folder = _codec_folder(files, folder)
    model = VoilaModel.load(folder, dtype=files.dtype, device=files.device)
    tokenizer = VoilaTokenizer(folder, model.config.num_codebooks, model.config.codebook_size)
    codec = _load_codec(codec_folder, model.config.num_codebooks, files.device)
    if (codec.num_codebooks, codec.codebook_size) != (model.config.num_codebooks, model.config.codebook_size):
        raise BrokenFile(
            f"the codec has {codec.num_codebooks} codebooks of {codec.codebook_size}, the model speaks "
            f"{model.config.num_codebooks} of {model.config.codebook_size}"
        )
    return StepEngine(model, tokenizer, codec, EngineSettings(num_slots=files.slots, packed=files.packed))


def _codec_folder(files: VoiceModelFiles, model_folder: Path) -> Path:
    if files.codec:
        return locate(files.codec)
    beside = model_folder / CODEC_FOLDER
    if not beside.is_dir():
        raise CheckpointMissing("a voice model needs the codec its codes are made with, such as Voila-Tokenizer")
    return beside


def _load_codec(folder: Path, num_codebooks: int, device: str) -> Codec:
    kind = read_json(folder / "config.json").get("model_type")
    if kind == "encodec":
        codec = EncodecCodec.load(folder, device=device)
        return codec if codec.causal else LookAheadCodec(codec)
    if kind == "mimi":
        return MimiCodec.load(folder, num_codebooks=num_codebooks, device=device)
    if kind == MODEL_TYPE:
        return SourceFilterCodec.load(folder, device=device)
    raise BrokenFile(f"{folder}/config.json: model_type is {kind!r}; codecs are encodec, mimi or {MODEL_TYPE}")


def model_lanes(
    engine: StepEngine,
    ears: Ears,
    new_detector: Callable[[], Detector],
    choice: LaneChoice = "auto",
    folder: Path | None = None,
) -> dict[Lane, LaneOpener]:
    """The lane that this checkpoint serves: one of its own, or the composed lane with the checkpoint as its mouth.

    `folder` is the checkpoint's: one that reads phones is a mouth and nothing else. Raises `CheckpointError` when it
    cannot serve the one chosen.
    """
    kind = engine.model.kind
    by_phones = kind == "token" and folder is not None and reads_phones(folder)
    choices: dict[Kind, tuple[LaneChoice, ...]] = {
        "autonomous": ("duplex",), "token": ("mouth",) if by_phones else ("turn", "mouth"), "waveform": ("turn",)
    }  # fmt: skip
    if choice not in ("auto", *choices[kind]):
        what = "phone-reading" if by_phones else kind
        raise CheckpointError(f"a {what} checkpoint can be {' or '.join(choices[kind])}, not {choice}")
    if by_phones and folder is not None:
        return {Lane.COMPOSED: ComposedLane(ears, beside_espeak(phone_mouth(engine, folder)), new_detector)}
    shared = SharedEngine(engine)
    if choice == "mouth":
        mouth = ModelMouth(shared)
        composed = ComposedLane(ears, mouth, new_detector, pulse=shared, most_streams=shared.slots)
        return {Lane.COMPOSED: composed}
    if kind == "autonomous":
        return {Lane.DUPLEX: DuplexLane(shared, ears, new_detector)}
    return {Lane.TURN: TurnLane(shared, ears, new_detector)}
