"""Two mouths as one: a first that speaks what it can, and a second for everything else."""

import logging
import re

from inference.errors import AtCapacity, InferenceError, InvalidSpec, ModelFault
from inference.mouth.base import Mouth, Speech
from inference.mouth.routed_speech import RoutedSpeech, Speaks
from inference.protocol import StyleSpec, VoiceSpec

logger = logging.getLogger(__name__)

_LATIN = "\u0000-\u024f\u02b0-\u02ff\u1e00-\u1eff\u2100-\u214f\ufb00-\ufb06"
"""Latin letters with and without accents, ligatures, and what looks like letters but is a sign (`ʼ`, `℃`, `µ`)."""

_OTHER_SCRIPT = re.compile(rf"[^\W\d_{_LATIN}]")


def speaks_english(voice: VoiceSpec, text: str) -> bool:
    """Whether a mouth that knows English only can say `text`: an English voice, and no letter of another script."""
    return voice.language.lower().startswith("en") and _OTHER_SCRIPT.search(text) is None


class RoutedMouth:
    """A `Mouth` of two. Each stretch of a speech is a sub-speech of one of them, begun when its turn comes to make
    sound and closed with its last frame, so that a slot of the first mouth is held no longer than it is needed.

    Where the first mouth has no place or fails before the first frame of a stretch, the second speaks on.
    """

    def __init__(self, first: Mouth, second: Mouth, speaks: Speaks = speaks_english) -> None:
        """`speaks` says what the first mouth can speak. Either may raise `ModelFault` whenever it is asked."""
        self._first = first
        self._second = second
        self._speaks = speaks

    def prepare(self, voice: VoiceSpec) -> None:
        """Load what `voice` needs in whichever mouth speaks it: a voice of the first also in the second, if that can,
        because words of other scripts come unannounced. Raises `InvalidSpec` for a voice it cannot speak."""
        if not self._speaks(voice, ""):
            self._second.prepare(voice)
            return
        failure: InferenceError | None = None
        try:
            self._first.prepare(voice)
        except (AtCapacity, ModelFault) as error:
            failure = error
        try:
            self._second.prepare(voice)
        except (InvalidSpec, AtCapacity, ModelFault) as error:
            if failure is not None:
                raise failure from error
            logger.debug("no second mouth for the voice %s: %s", voice.slug, error)

    def begin(self, voice: VoiceSpec, style: StyleSpec) -> Speech:
        """A new speech. Raises `InvalidSpec` for a voice it cannot speak, `ModelFault` when no mouth is there."""
        self.prepare(voice)
        return RoutedSpeech(self._open, self.prepare, self._speaks, voice, style)

    def _open(self, by_first: bool, voice: VoiceSpec, style: StyleSpec) -> tuple[Speech, bool]:
        """A sub-speech, and whether the first mouth speaks it. Raises `InvalidSpec`, `AtCapacity`, `ModelFault`."""
        if not by_first:
            return self._second.begin(voice, style), False
        try:
            return self._first.begin(voice, style), True
        except (AtCapacity, ModelFault) as failure:
            try:
                speech = self._second.begin(voice, style)
            except InferenceError as error:
                raise failure from error
            logger.warning("the second mouth speaks for the first: %s", failure)
            return speech, False
