"""The echo lane: input comes straight back. It measures the platform without a model."""

from inference.protocol import (
    AUDIO_RATE_HZ,
    SAMPLE_BYTES,
    AudioOut,
    CancelSpeech,
    ClearInput,
    Command,
    EndSpeech,
    Event,
    InputCleared,
    SessionSpec,
    SetVoice,
    SpeechFinished,
    SpeechStarted,
    StartSpeech,
    VoiceRefused,
)
from inference.worker.lanes import LaneStream, Pulse

MS_PER_SAMPLE = 1_000 / AUDIO_RATE_HZ


class EchoStream:
    """Answers each packet at once with itself, as the audio of a pseudo response `echo-EPOCH`.

    A response that the web side starts is finished, empty, when it is ended: an echo has nothing of its own to say.
    """

    def __init__(self) -> None:
        self._epoch = 0
        self._position = 0
        self._speaking = False
        self._events: list[Event] = []

    @property
    def _response_id(self) -> str:
        return f"echo-{self._epoch}"

    def command(self, now: float, command: Command) -> None:
        match command:
            case StartSpeech(response_id=response_id):
                self._events.append(SpeechStarted(response_id, self._epoch))
            case EndSpeech(response_id=response_id):
                self._events.append(SpeechFinished(response_id, self._epoch, "completed"))
            case CancelSpeech(reason=reason) if self._speaking:
                self._finish(reason)
            case ClearInput():
                self._events.append(InputCleared())
            case SetVoice(voice=voice):
                self._events.append(VoiceRefused(voice.slug, "an echo has no voice of its own"))

    def audio(self, now: float, pcm: bytes) -> None:
        if not self._speaking:
            self._speaking = True
            self._events.append(SpeechStarted(self._response_id, self._epoch))
        self._events.append(AudioOut(self._response_id, self._epoch, self._position, pcm))
        self._position += len(pcm) // SAMPLE_BYTES

    def _finish(self, reason: str) -> None:
        ms = round(self._position * MS_PER_SAMPLE)
        self._events.append(SpeechFinished(self._response_id, self._epoch, "cancelled", reason, ms, ms))
        self._epoch += 1
        self._position = 0
        self._speaking = False

    def step(self, now: float) -> list[Event]:
        events, self._events = self._events, []
        return events

    def next_due(self, now: float) -> float | None:
        return None

    @property
    def late_frames(self) -> int:
        return 0

    @property
    def dropped_pieces(self) -> int:
        return 0

    def close(self) -> None:
        self._events = []


class EchoLane:
    """Opens echo streams; there is nothing to prepare."""

    @property
    def pulse(self) -> Pulse | None:
        return None

    @property
    def most_streams(self) -> int | None:
        return None

    def prepare(self, spec: SessionSpec) -> None:
        pass

    def open(self, spec: SessionSpec, now: float) -> LaneStream:
        return EchoStream()
