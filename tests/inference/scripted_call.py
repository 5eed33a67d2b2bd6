"""A composed stream on a virtual clock, with ears and a mouth that really work on the audio they are given.

A *tone word* is a word spoken as a tone: every word of the vocabulary has its own pitch. `ToneEars` recognise them from
the samples alone, so that lost pre-roll, wrong times or mixed-up streams show in what is heard. `ToneMouth` speaks
at a steady level and three words a second.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from inference.ears.base import EARS_RATE_HZ, Transcript, Utterance
from inference.errors import AtCapacity, InvalidSpec
from inference.mouth.base import SpokenFrame, SpokenWord
from inference.protocol import (
    AUDIO_RATE_HZ,
    FRAME_SAMPLES,
    AudioOut,
    Command,
    Deliver,
    EarsSpec,
    EndSpeech,
    Event,
    Pause,
    PlaybackAck,
    SessionSpec,
    SpeakPart,
    SpeechPart,
    StartSpeech,
    StyleSpec,
    VoiceSpec,
    Words,
)
from inference.worker.composed import ComposedLane

VOCABULARY = (
    "green apples grow here who lives there tell me a story and pears stop mhm yes no the keeper sings once upon time"
).split()
PACKET_S = 0.02
WORD_S = 0.2
SPOKEN_WORD_S = 0.32
SPOKEN_LEVEL = 0.5
EventT = TypeVar("EventT")


def tone(word: str, seconds: float = WORD_S) -> NDArray[np.float32]:
    """[S] at `AUDIO_RATE_HZ`."""
    hz = 300 + 100 * VOCABULARY.index(word)
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * AUDIO_RATE_HZ)) / AUDIO_RATE_HZ)).astype(np.float32)


class LevelDetector:
    """Anything loud is voice."""

    def detect(self, pcm: NDArray[np.float32]) -> float:
        return 1.0 if float(np.sqrt(np.mean(pcm**2))) > 0.02 else 0.0

    def reset(self) -> None:
        pass


class ToneUtterance:
    def __init__(self, ears: "ToneEars") -> None:
        self._ears = ears
        self._samples: list[NDArray[np.float32]] = []
        self._open = True

    def feed(self, pcm: NDArray[np.float32]) -> None:
        assert self._open
        self._samples.append(pcm)

    def partial(self) -> str:
        return self._read().text

    def finish(self) -> Transcript:
        transcript = self._read()
        self.abandon()
        return transcript

    def abandon(self) -> None:
        if self._open:
            self._open = False
            self._ears.in_use -= 1

    def _read(self) -> Transcript:
        hop = EARS_RATE_HZ // 50
        samples = np.concatenate(self._samples)
        tokens = [_word_in(samples[at : at + hop]) for at in range(0, len(samples) - hop + 1, hop)]
        words: list[tuple[str, int, int]] = []
        for index, token in enumerate(tokens):
            if not token:
                continue
            if words and words[-1][0] == token and words[-1][2] == index * 20:
                words[-1] = (token, words[-1][1], index * 20 + 20)
            else:
                words.append((token, index * 20, index * 20 + 20))
        whole = tuple(word for word in words if word[2] - word[1] >= 100)
        return Transcript(" ".join(word for word, _, _ in whole), whole)


def _word_in(hop: NDArray[np.float32]) -> str:
    spectrum = np.abs(np.fft.rfft(hop * np.hanning(len(hop))))
    peak = int(np.argmax(spectrum))
    hz = peak * EARS_RATE_HZ / len(hop)
    index = round((hz - 300) / 100)
    loud = float(np.sqrt(np.mean(hop**2))) > 0.1
    return VOCABULARY[index] if loud and 0 <= index < len(VOCABULARY) else ""


class ToneEars:
    """Recognises tone words. At most `most` utterances at a time."""

    def __init__(self, most: int = 4) -> None:
        self.most = most
        self.in_use = 0

    def prepare(self, spec: EarsSpec) -> None:
        pass

    def listen(self, spec: EarsSpec, after: Utterance | None = None) -> ToneUtterance:
        if self.in_use >= self.most:
            raise AtCapacity("every recogniser is in use")
        self.in_use += 1
        return ToneUtterance(self)


class ToneSpeech:
    def __init__(self, style: StyleSpec) -> None:
        self.style = style
        self.voices: list[str] = []
        self._chars = 0
        self._due: list[tuple[str, int, int, float]] = []
        self._samples = np.zeros(0, dtype=np.float32)
        self._words: list[SpokenWord] = []
        self._made = 0
        self._taken = 0
        self._ended = False

    def add(self, part: SpeechPart) -> None:
        match part:
            case Words(text):
                at = 0
                for word in text.split():
                    at = text.index(word, at)
                    self._make(SPOKEN_WORD_S, word, self._chars + at)
                    at += len(word)
                self._chars += len(text)
            case Pause(seconds):
                self._make(seconds)
            case Deliver(voice=VoiceSpec(slug=slug)):
                if slug == "kazoo":
                    raise InvalidSpec("no such voice: kazoo")
                self.voices.append(slug)

    def _make(self, seconds: float, word: str = "", char_start: int = 0) -> None:
        length = round(seconds * AUDIO_RATE_HZ)
        start = self._made
        self._made += length
        level = SPOKEN_LEVEL if word else 0.0
        self._samples = np.concatenate([self._samples, np.full(length, level, dtype=np.float32)])
        if word:
            self._words.append(SpokenWord(word, start, start + length, char_start, char_start + len(word)))

    def end(self) -> None:
        self._ended = True

    def set_style(self, style: StyleSpec) -> None:
        self.style = style

    def frame(self) -> SpokenFrame | None:
        left = self._made - self._taken
        if left <= 0 or (left < FRAME_SAMPLES and not self._ended):
            return None
        pcm = self._samples[:FRAME_SAMPLES]
        self._samples = self._samples[FRAME_SAMPLES:]
        end = self._taken + FRAME_SAMPLES
        words = tuple(word for word in self._words if self._taken <= word.start_sample < end)
        self._taken = end
        return SpokenFrame(np.pad(pcm, (0, FRAME_SAMPLES - len(pcm))), words)

    def close(self) -> None:
        pass

    @property
    def finished(self) -> bool:
        return self._ended and self._taken >= self._made


class ToneMouth:
    def __init__(self) -> None:
        self.speeches: list[ToneSpeech] = []

    def prepare(self, voice: VoiceSpec) -> None:
        if voice.slug == "kazoo":
            raise InvalidSpec("no such voice: kazoo")

    def begin(self, voice: VoiceSpec, style: StyleSpec) -> ToneSpeech:
        self.prepare(voice)
        self.speeches = [*self.speeches[-1:], ToneSpeech(style)]
        return self.speeches[-1]


class ScriptedCall:
    """Drives a composed stream in steps of a packet; `reply` answers events as a session would."""

    def __init__(self, spec: SessionSpec | None = None, ears: ToneEars | None = None) -> None:
        self.now = 500.0
        self.ears = ears or ToneEars()
        self.mouth = ToneMouth()
        lane = ComposedLane(self.ears, self.mouth, LevelDetector, clock=lambda: self.now)
        spec = spec or SessionSpec(session_id="call", character="mira@1")
        lane.prepare(spec)
        self.stream = lane.open(spec, self.now)
        self.log: list[tuple[float, Event]] = []
        self.reply: Callable[[Event], list[Command]] = lambda event: []
        self.keep_log = True
        self.packet_s = PACKET_S

    def say(self, text: str, gap_s: float = 0.02) -> "ScriptedCall":
        """The listener says tone words."""
        gap = np.zeros(round(gap_s * AUDIO_RATE_HZ), dtype=np.float32)
        self._send(np.concatenate([np.concatenate([tone(word), gap]) for word in text.split()]))
        return self

    def quiet(self, seconds: float) -> "ScriptedCall":
        self._send(np.zeros(round(seconds * AUDIO_RATE_HZ), dtype=np.float32))
        return self

    def noise(self, seconds: float) -> "ScriptedCall":
        """A loud sound that is no word."""
        rng = np.random.default_rng(7)
        self._send(rng.normal(0, 0.08, round(seconds * AUDIO_RATE_HZ)).astype(np.float32))
        return self

    def hear_pcm(self, pcm: NDArray[np.float32]) -> "ScriptedCall":
        self._send(pcm)
        return self

    def wait(self, seconds: float) -> "ScriptedCall":
        """Time passes without input."""
        until = self.now + seconds
        while self.now < until - 1e-9:
            due = self.stream.next_due(self.now)
            self.now = min(until, max(due if due is not None else until, self.now + 0.001))
            self._step()
        return self

    def command(self, *commands: Command) -> "ScriptedCall":
        for command in commands:
            self.stream.command(self.now, command)
        self._step()
        return self

    def speak(self, response_id: str, *parts: SpeechPart | str, end: bool = True) -> "ScriptedCall":
        """The mind answers."""
        spoken = [Words(part) if isinstance(part, str) else part for part in parts]
        commands: list[Command] = [StartSpeech(response_id), *(SpeakPart(response_id, part) for part in spoken)]
        return self.command(*commands, *([EndSpeech(response_id)] if end else []))

    def acknowledge(self, response_id: str, seconds: float) -> "ScriptedCall":
        return self.command(PlaybackAck(response_id, round(seconds * AUDIO_RATE_HZ)))

    def _send(self, samples: NDArray[np.float32]) -> None:
        pcm = (samples * 32_767).astype("<i2").tobytes()
        size = round(self.packet_s * AUDIO_RATE_HZ) * 2
        for at in range(0, len(pcm), size):
            self.now += self.packet_s
            self.stream.audio(self.now, pcm[at : at + size])
            self._step()

    def _step(self) -> None:
        for _ in range(100):
            events = self.stream.step(self.now)
            self._note(events)
            due = self.stream.next_due(self.now)
            if due is None or due > self.now:
                return
        raise AssertionError("the stream wants to be stepped without end")

    def _note(self, events: list[Event]) -> None:
        for event in events:
            if self.keep_log:
                self.log.append((self.now, event))
            for command in self.reply(event):
                self.stream.command(self.now, command)

    # --- what came out ---

    def all(self, kind: type[EventT]) -> list[EventT]:
        return [event for _, event in self.log if isinstance(event, kind)]

    def one(self, kind: type[EventT]) -> EventT:
        (event,) = self.all(kind)
        return event

    def when(self, kind: type) -> list[float]:
        return [at for at, event in self.log if isinstance(event, kind)]

    def audio_of(self, response_id: str) -> NDArray[np.float32]:
        """All PCM of a response, in -1..1."""
        pcm = b"".join(event.pcm for event in self.all(AudioOut) if event.response_id == response_id)
        return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32_767)
