"""The lanes of the embedded default: echo, and the composed lane with the default ears and mouth."""

from inference.ears import default_ears
from inference.ears.base import Ears
from inference.ears.vad import VoiceDetector
from inference.mouth.base import Mouth
from inference.protocol import Lane
from inference.worker.composed import ComposedLane
from inference.worker.default_mouth import default_mouth
from inference.worker.echo import EchoLane
from inference.worker.lanes import LaneOpener


def default_lanes(ears: Ears | None = None, mouth: Mouth | None = None) -> dict[Lane, LaneOpener]:
    """Lanes for `start_worker`. `ears` and `mouth` are the defaults unless given; little is loaded yet."""
    composed = ComposedLane(ears or default_ears(), mouth or default_mouth(), VoiceDetector)
    return {Lane.ECHO: EchoLane(), Lane.COMPOSED: composed}
