"""The lanes that a worker's settings ask for."""

from dataclasses import dataclass
from typing import cast

from inference.ears import default_ears
from inference.ears.base import Ears
from inference.errors import ModelFault
from inference.mouth import open_espeak
from inference.protocol import Lane
from inference.worker.default_lanes import default_lanes
from inference.worker.default_mouth import BundledVoice, default_mouth
from inference.worker.echo import EchoLane
from inference.worker.lanes import LaneOpener
from inference.worker.process.report import ANY_LANGUAGE
from inference.worker.process.settings import LaneSettings, MouthSettings, VoiceModelSettings

ENGLISH_ONLY = ("en",)


@dataclass(frozen=True, slots=True)
class OpenLanes:
    openers: dict[Lane, LaneOpener]
    languages: tuple[str, ...]
    """What can be spoken; `*` is anything."""

    @property
    def main(self) -> Lane:
        """The one that most of its calls will use."""
        known = (Lane.DUPLEX, Lane.TURN, Lane.COMPOSED, Lane.ECHO)
        return next(lane for lane in known if lane in self.openers)


def open_lanes(settings: LaneSettings) -> OpenLanes:
    """Takes seconds. Raises `InferenceError` naming the setting whose wish cannot be met."""
    if settings.echo_only:
        return OpenLanes({Lane.ECHO: EchoLane()}, ANY_LANGUAGE)
    ears = default_ears(settings.cache)
    mouth = settings.mouth
    voice = BundledVoice(slots=mouth.slots, packed=mouth.packed)
    openers = default_lanes(ears, default_mouth(mouth.choice, voice))
    if settings.voice_model is not None:
        openers |= voice_model_lanes(settings.voice_model, ears)
    return OpenLanes(openers, _languages(mouth))


def _languages(mouth: MouthSettings) -> tuple[str, ...]:
    if mouth.choice == "bundled":
        return ENGLISH_ONLY
    try:
        open_espeak()
    except ModelFault:
        return ENGLISH_ONLY
    return ANY_LANGUAGE


def voice_model_lanes(settings: VoiceModelSettings, ears: Ears) -> dict[Lane, LaneOpener]:
    """Loads the model that these settings name. Raises `CheckpointError` naming what is wrong."""
    # Only here, because it brings torch, which a worker with echo or eSpeak NG alone does not need.
    from inference.checkpoints.locate import locate
    from inference.ears.vad import VoiceDetector
    from inference.models.packed import Precision
    from inference.models.voila import Dtype
    from inference.worker.voice_model import LaneChoice, VoiceModelFiles, load_engine, model_lanes

    files = VoiceModelFiles(
        model=settings.model,
        codec=settings.codec,
        revision=settings.revision or None,
        dtype=cast(Dtype, settings.dtype),
        device=settings.device,
        packed=None if settings.packed == "none" else cast(Precision, settings.packed),
        slots=settings.slots,
    )
    folder = locate(files.model, files.revision)
    return model_lanes(load_engine(files), ears, VoiceDetector, cast(LaneChoice, settings.lane), folder)
