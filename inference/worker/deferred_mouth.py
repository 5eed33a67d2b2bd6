"""A mouth that is loaded when its first voice is prepared."""

from collections.abc import Callable
from threading import Lock

from inference.mouth.base import Mouth, Speech
from inference.protocol import StyleSpec, VoiceSpec


class DeferredMouth:
    """Calls are prepared off the loop and before they begin, so a start does not wait for what takes seconds."""

    def __init__(self, load: Callable[[], Mouth]) -> None:
        """`load` runs once, unless it raises: then it is tried again with the next voice."""
        self._load = load
        self._mouth: Mouth | None = None
        self._lock = Lock()

    def prepare(self, voice: VoiceSpec) -> None:
        """Loads the mouth, then what `voice` needs in it. Raises what either raises."""
        self._loaded().prepare(voice)

    def begin(self, voice: VoiceSpec, style: StyleSpec) -> Speech:
        """A new speech. Raises what the mouth raises."""
        return self._loaded().begin(voice, style)

    def _loaded(self) -> Mouth:
        with self._lock:
            if self._mouth is None:
                self._mouth = self._load()
            return self._mouth
