"""The mouth that the environment chooses for the embedded worker."""

from typing import cast

from django.conf import settings

from inference.mouth.base import Mouth
from inference.worker.default_mouth import BundledVoice, MouthChoice, Packed, default_mouth


def configured_mouth() -> Mouth:
    """Raises `InferenceError` when what `MOUTH` asks for cannot speak."""
    packed = None if settings.MOUTH_PACKED == "none" else cast(Packed, settings.MOUTH_PACKED)
    return default_mouth(cast(MouthChoice, settings.MOUTH), BundledVoice(slots=settings.MOUTH_SLOTS, packed=packed))
