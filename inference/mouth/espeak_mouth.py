"""The eSpeak mouth: speech in many languages on any processor, the interim mouth of the embedded default."""

from collections import OrderedDict
from threading import Lock

from inference.mouth.base import Speech
from inference.mouth.espeak_library import EspeakLibrary, espeak_library
from inference.mouth.espeak_speech import EspeakSpeech
from inference.mouth.espeak_voice import EspeakVoice
from inference.protocol import StyleSpec, VoiceSpec

_MOST_VOICES = 256


class EspeakMouth:
    """Shared by all streams. Keeps the voices it has prepared, the least used of many forgotten first."""

    def __init__(self, library: EspeakLibrary | None = None) -> None:
        """Raises `ModelFault` naming the remedy when eSpeak NG is not installed."""
        self._library = library or espeak_library()
        self._voices: OrderedDict[VoiceSpec, EspeakVoice] = OrderedDict()
        self._lock = Lock()

    def prepare(self, voice: VoiceSpec) -> None:
        """Load the language and find the voice's pitch: tens of ms. Raises `InvalidSpec` for what it cannot speak."""
        self.voice(voice)

    def begin(self, voice: VoiceSpec, style: StyleSpec) -> Speech:
        """A new speech. Raises `InvalidSpec` for a voice it cannot speak."""
        self.voice(voice)
        return EspeakSpeech(self.voice, voice, style)

    def voice(self, spec: VoiceSpec) -> EspeakVoice:
        """The voice for `spec`, made at its first use."""
        with self._lock:
            known = self._voices.get(spec)
            if known is not None:
                self._voices.move_to_end(spec)
                return known
        made = EspeakVoice(self._library, spec)
        with self._lock:
            self._voices[spec] = made
            while len(self._voices) > _MOST_VOICES:
                self._voices.popitem(last=False)
        return made
