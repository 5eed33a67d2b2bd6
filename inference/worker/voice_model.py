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
from inference.ears.base import Ears
from inference.engine.engine import StepEngine
from inference.engine.plans import EngineSettings
from inference.models.config import Kind
from inference.models.packed import Precision
from inference.models.tokenizer import VoilaTokenizer
from inference.models.voila import Dtype, VoilaModel
from inference.protocol import Lane
from inference.worker.composed import ComposedLane
from inference.worker.duplex import DuplexLane
from inference.worker.lanes import LaneOpener
from inference.worker.listening import Detector
from inference.worker.model_mouth import ModelMouth
from inference.worker.shared_engine import SharedEngine
from inference.worker.turn import TurnLane

LaneChoice = Literal["auto", "duplex", "turn", "mouth"]


@dataclass(frozen=True, slots=True)
class VoiceModelFiles:
    """Folders or hub ids, pulled before. `codec` is what the checkpoint's codes are made with."""

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
    if not files.codec:
        raise CheckpointMissing("a voice model needs the codec its codes are made with, such as Voila-Tokenizer")
    if files.device != "cpu" and not torch.cuda.is_available():
        raise CheckpointError(f"the device {files.device!r} is not there; use cpu")
    folder = locate(files.model, files.revision)
    model = VoilaModel.load(folder, dtype=files.dtype, device=files.device)
    tokenizer = VoilaTokenizer(folder, model.config.num_codebooks, model.config.codebook_size)
    codec = _load_codec(locate(files.codec), model.config.num_codebooks, files.device)
    if (codec.num_codebooks, codec.codebook_size) != (model.config.num_codebooks, model.config.codebook_size):
        raise BrokenFile(
            f"the codec has {codec.num_codebooks} codebooks of {codec.codebook_size}, the model speaks "
            f"{model.config.num_codebooks} of {model.config.codebook_size}"
        )
    return StepEngine(model, tokenizer, codec, EngineSettings(num_slots=files.slots, packed=files.packed))


def _load_codec(folder: Path, num_codebooks: int, device: str) -> Codec:
    kind = read_json(folder / "config.json").get("model_type")
    if kind == "encodec":
        codec = EncodecCodec.load(folder, device=device)
        return codec if codec.causal else LookAheadCodec(codec)
    if kind == "mimi":
        return MimiCodec.load(folder, num_codebooks=num_codebooks, device=device)
    raise BrokenFile(f"{folder}/config.json: model_type is {kind!r}; codecs are encodec or mimi")


def model_lanes(
    engine: StepEngine, ears: Ears, new_detector: Callable[[], Detector], choice: LaneChoice = "auto"
) -> dict[Lane, LaneOpener]:
    """The lane that this checkpoint serves: one of its own, or the composed lane with the checkpoint as its mouth.

    Raises `CheckpointError` when it cannot serve the one chosen.
    """
    kind = engine.model.kind
    choices: dict[Kind, tuple[LaneChoice, ...]] = {
        "autonomous": ("duplex",), "token": ("turn", "mouth"), "waveform": ("turn",)
    }  # fmt: skip
    if choice not in ("auto", *choices[kind]):
        raise CheckpointError(f"a {kind} checkpoint can be {' or '.join(choices[kind])}, not {choice}")
    shared = SharedEngine(engine)
    if choice == "mouth":
        mouth = ModelMouth(shared)
        composed = ComposedLane(ears, mouth, new_detector, pulse=shared, most_streams=shared.slots)
        return {Lane.COMPOSED: composed}
    if kind == "autonomous":
        return {Lane.DUPLEX: DuplexLane(shared, ears, new_detector)}
    return {Lane.TURN: TurnLane(shared, ears, new_detector)}
