"""The voice-language model that the environment names, as lanes of the embedded worker. Importing this loads torch."""

from typing import cast

from django.conf import settings

from inference.checkpoints.locate import locate
from inference.ears.base import Ears
from inference.ears.vad import VoiceDetector
from inference.models.packed import Precision
from inference.models.voila import Dtype
from inference.protocol import Lane
from inference.worker.lanes import LaneOpener
from inference.worker.voice_model import LaneChoice, VoiceModelFiles, load_engine, model_lanes


def voice_model_lanes(ears: Ears) -> dict[Lane, LaneOpener]:
    """Loads it. Raises `CheckpointError` naming what is wrong."""
    files = VoiceModelFiles(
        model=settings.VOICE_MODEL,
        codec=settings.VOICE_MODEL_CODEC,
        revision=settings.VOICE_MODEL_REVISION or None,
        dtype=cast(Dtype, settings.VOICE_MODEL_DTYPE),
        device=settings.VOICE_MODEL_DEVICE,
        packed=None if settings.VOICE_MODEL_PACKED == "none" else cast(Precision, settings.VOICE_MODEL_PACKED),
        slots=settings.VOICE_MODEL_SLOTS,
    )
    choice = cast(LaneChoice, settings.VOICE_MODEL_LANE)
    return model_lanes(load_engine(files), ears, VoiceDetector, choice, locate(files.model, files.revision))
