"""The voice-language model that the environment names, as lanes of the embedded worker."""

from django.conf import settings

from inference.ears.base import Ears
from inference.protocol import Lane
from inference.worker.lanes import LaneOpener
from inference.worker.process.configured_lanes import voice_model_lanes
from inference.worker.process.settings import VoiceModelSettings


def configured_voice_model(ears: Ears) -> dict[Lane, LaneOpener]:
    """Loads it, and torch with it. Raises `CheckpointError` naming what is wrong."""
    named = VoiceModelSettings(
        model=settings.VOICE_MODEL,
        codec=settings.VOICE_MODEL_CODEC,
        revision=settings.VOICE_MODEL_REVISION,
        lane=settings.VOICE_MODEL_LANE,
        dtype=settings.VOICE_MODEL_DTYPE,
        device=settings.VOICE_MODEL_DEVICE,
        packed=settings.VOICE_MODEL_PACKED,
        slots=settings.VOICE_MODEL_SLOTS,
    )
    return voice_model_lanes(named, ears)
