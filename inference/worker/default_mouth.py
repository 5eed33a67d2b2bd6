"""The mouth of the embedded default: the bundled voice for English, eSpeak NG for every other language."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inference.errors import InferenceError, InvalidSpec, ModelFault
from inference.mouth import open_espeak
from inference.mouth.base import Mouth, Speech
from inference.mouth.routed import RoutedMouth
from inference.protocol import StyleSpec, VoiceSpec
from inference.worker.deferred_mouth import DeferredMouth

logger = logging.getLogger(__name__)

MouthChoice = Literal["auto", "bundled", "espeak"]
"""`auto`: whatever of the two is there, each for what it speaks best."""

Packed = Literal["float32", "bfloat16", "int8"]
"""`inference.models.packed.Precision`, without importing torch."""


@dataclass(frozen=True, slots=True)
class BundledVoice:
    """How the bundled voice is run."""

    folder: Path | None = None
    """Another checkpoint in its place."""

    slots: int = 8
    """Phrases made at once. Every tick costs what this many cost."""

    packed: Packed | None = None
    """Weights repacked in this precision."""

    def open(self) -> Mouth:
        """Takes a second or two. Raises a `CheckpointError` naming what is wrong, `ModelFault`."""
        # Only here, because it brings torch, which nothing else of the embedded default needs.
        from inference.worker.bundled_voice import BUNDLED, open_mouth

        return open_mouth(self.folder or BUNDLED, slots=self.slots, packed=self.packed)


class EnglishOnly:
    """Stands in the place of a mouth for other languages and says why there is none."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def prepare(self, voice: VoiceSpec) -> None:
        """Raises `InvalidSpec`."""
        raise InvalidSpec(f"the voice {voice.slug} speaks {voice.language}, but {self._reason}")

    def begin(self, voice: VoiceSpec, style: StyleSpec) -> Speech:
        """Raises `InvalidSpec`."""
        raise InvalidSpec(f"the voice {voice.slug} was given words of another language, but {self._reason}")


def default_mouth(choice: MouthChoice = "auto", voice: BundledVoice | None = None) -> Mouth:
    """What is chosen by name is loaded at once and must be there. `auto` loads the bundled voice with the first voice
    that is prepared, and without it lets eSpeak NG speak alone; without eSpeak NG it speaks English only.

    Raises `ModelFault` or `CheckpointError`, naming the remedy, when nothing can speak.
    """
    voice = voice or BundledVoice()
    match choice:
        case "espeak":
            return open_espeak()
        case "bundled":
            return RoutedMouth(voice.open(), EnglishOnly("only the bundled voice is in use, and it speaks English"))
        case "auto":
            return _whatever_is_there(voice)


def beside_espeak(first: Mouth) -> Mouth:
    """A mouth that knows English, with eSpeak NG for the rest; where that is not installed, English only."""
    try:
        return RoutedMouth(first, open_espeak())
    except ModelFault as failure:
        logger.warning("only English can be spoken: %s", failure)
        return RoutedMouth(first, EnglishOnly(str(failure)))


def _whatever_is_there(voice: BundledVoice) -> Mouth:
    try:
        espeak = open_espeak()
    except ModelFault as failure:
        try:
            return beside_espeak(voice.open())
        except InferenceError as error:
            raise ModelFault(f"nothing can speak: {error}; {failure}") from error
    return DeferredMouth(lambda: _opened_beside(voice, espeak))


def _opened_beside(voice: BundledVoice, espeak: Mouth) -> Mouth:
    try:
        bundled = voice.open()
    except InferenceError as error:
        logger.warning("eSpeak NG speaks for every character, because the bundled voice cannot be used: %s", error)
        return espeak
    logger.info("the bundled voice is loaded")
    return RoutedMouth(bundled, espeak)
