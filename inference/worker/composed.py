"""The composed lane: ears, turn rules and mouth of one stream; its mind is on the web side."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from inference.ears.base import EARS_RATE_HZ, Ears
from inference.errors import InferenceError
from inference.mouth.base import Mouth
from inference.protocol import (
    AUDIO_RATE_HZ,
    CancelSpeech,
    ClearInput,
    Command,
    CommitInput,
    EndSpeech,
    Event,
    InputCleared,
    Overlap,
    PartialHeard,
    PlaybackAck,
    SessionSpec,
    SetStyle,
    SetTurnTaking,
    SetVoice,
    SpeakPart,
    SpeechFinished,
    StartSpeech,
    UserActive,
    VoiceStarted,
    VoiceStopped,
    WordSpoken,
)
from inference.turns.completeness import rules_for
from inference.turns.decisions import (
    Decision,
    Interrupt,
    Overlapped,
    ReadVoice,
    TurnContinued,
    TurnEnded,
    TurnStarted,
)
from inference.turns.echo import EchoMeter
from inference.turns.floor import Floor
from inference.turns.voice_run import VoiceChunk
from inference.worker.answer_marks import AnswerMarks
from inference.worker.lanes import LaneStream, Pulse
from inference.worker.listening import CHUNK_SAMPLES, Detector, HeardChunk, Listening, Reading
from inference.worker.speaking import Speaking
from inference.worker.utterance_record import UtteranceRecord


class ComposedStream:
    """One conversation. The floor decides, this carries out."""

    def __init__(
        self, spec: SessionSpec, listening: Listening, speaking: Speaking, floor: Floor, marks: AnswerMarks
    ) -> None:
        self._profile = spec.turn_taking
        self._detects_turns = spec.detects_turns
        self._listening = listening
        self._speaking = speaking
        self._floor = floor
        self._marks = marks
        self._echo = EchoMeter()
        self._turn = UtteranceRecord()
        self._read: Reading | None = None
        self._last_response_id = ""
        self._events: list[Event] = []
        self._due: float | None = None

    # --- commands ---

    def command(self, now: float, command: Command) -> None:
        match command:
            case StartSpeech():
                self._start_speech(now, command)
            case SpeakPart() | EndSpeech() | PlaybackAck():
                if command.response_id == self._speaking.response_id:
                    self._go_on(now, command)
            case CancelSpeech(response_id=response_id, reason=reason):
                if response_id in (None, self._speaking.response_id):
                    self._cancel_speech(now, reason)
            case SetStyle(style=style):
                self._speaking.set_style(style)
            case SetVoice(voice=voice):
                self._emit(now, self._speaking.set_voice(now, voice))
            case _:
                self._command_floor(now, command)

    def _command_floor(self, now: float, command: Command) -> None:
        match command:
            case CommitInput():
                self._carry_out(now, self._floor.commit(now))
            case ClearInput():
                self._clear(now)
            case UserActive():
                self._floor.user_active(now)
            case SetTurnTaking(profile=profile, detects_turns=detects_turns):
                self._profile, self._detects_turns = profile, detects_turns
                self._floor.set_profile(profile, detects_turns)

    def _start_speech(self, now: float, command: StartSpeech) -> None:
        self._cancel_speech(now, "client_cancelled")
        self._emit(now, self._speaking.start(command.response_id))
        self._last_response_id = command.response_id
        self._floor.answer_started(now, command.interruptible)
        self._marks.answer_started(command.response_id)

    def _go_on(self, now: float, command: SpeakPart | EndSpeech | PlaybackAck) -> None:
        match command:
            case SpeakPart(part=part):
                self._emit(now, self._speaking.add(now, part))
                if self._speaking.has_words:
                    self._marks.first_words()
            case EndSpeech():
                self._speaking.end(now)
            case PlaybackAck(played_samples=played_samples):
                self._speaking.acknowledge(now, played_samples)

    def _cancel_speech(self, now: float, reason: str) -> None:
        self._emit(now, self._speaking.cancel(now, reason))

    def _clear(self, now: float) -> None:
        self._carry_out(now, self._floor.clear(now))
        self._listening.forget()
        self._turn.drop()
        self._events.append(InputCleared())

    # --- audio ---

    def audio(self, now: float, pcm: bytes) -> None:
        for chunk in self._listening.chunks(pcm):
            self._echo.heard(chunk.pcm, EARS_RATE_HZ)
            echo = self._speaking.audible and chunk.probability > 0 and self._echo.is_echo(now)
            heard = VoiceChunk(chunk.start_s, chunk.end_s, chunk.probability, echo)
            self._carry_out(now, self._floor.hear(now, heard))
            self._attend(chunk)
        self._read_on(now)

    def _attend(self, chunk: HeardChunk) -> None:
        if self._floor.attends:
            self._listening.attend(chunk)
        elif self._listening.attending:
            if self._detects_turns:
                self._listening.forget()
            else:
                self._listening.rest()

    def _read_on(self, now: float) -> None:
        partial = self._listening.partial()
        if partial is None:
            return
        text = self._turn.joined(partial)
        self._carry_out(now, self._floor.words(now, text))
        if self._turn.should_tell(text):
            self._events.append(PartialHeard(self._turn.utterance_id, text))

    # --- decisions ---

    def _carry_out(self, now: float, decisions: list[Decision]) -> None:
        for decision in decisions:
            match decision:
                case ReadVoice():
                    self._read = self._listening.read()
                    self._carry_out(now, self._floor.reading(now, self._read.text))
                    self._read = None
                case Interrupt():
                    self._turn.interrupted_response_id = self._speaking.response_id
                    self._cancel_speech(now, "turn_detected")
                case TurnStarted(start_s=start_s, after_echo=after_echo):
                    if after_echo:
                        self._listening.restart()
                    self._events.append(VoiceStarted(self._turn.begin(_ms(start_s)), _ms(start_s)))
                case TurnContinued(start_s=start_s):
                    self._events.append(VoiceStarted(self._turn.go_on(), _ms(start_s)))
                case TurnEnded():
                    self._end_turn(decision)
                case Overlapped():
                    self._overlap(decision)
                case _:
                    self._events.append(decision)

    def _overlap(self, overlapped: Overlapped) -> None:
        self._events.append(Overlap(self._last_response_id, overlapped.decision, overlapped.text))
        if overlapped.decision == "duck":
            self._events += self._speaking.duck(self._profile.duck_gain_db)
        elif overlapped.decision != "cancel":
            self._events += self._speaking.unduck()

    def _end_turn(self, ended: TurnEnded) -> None:
        self._marks.turn_ended(ended.voice_ended_at)
        if self._turn.is_open:
            self._events.append(VoiceStopped(self._turn.utterance_id, _ms(ended.end_s)))
        else:
            self._turn.begin(_ms(ended.start_s))
        reading = self._read or self._listening.read()
        self._marks.transcript_ready()
        self._events.append(self._turn.finish(reading, _ms(ended.end_s)))

    # --- the clock ---

    def step(self, now: float) -> list[Event]:
        self._carry_out(now, self._floor.tick(now))
        if not self._floor.holds_answer:
            self._speak(now)
        self._emit(now, self._speaking.finish_if_played(now))
        self._due = self._wanted_at(now)
        events, self._events = self._events, []
        return events

    def _speak(self, now: float) -> None:
        try:
            for pcm, events in self._speaking.frames(now, self._due):
                self._floor.answer_audible(now)
                heard_at = now + self._speaking.ahead_s(now) - len(pcm) / AUDIO_RATE_HZ
                self._echo.played(heard_at, pcm, AUDIO_RATE_HZ)
                self._emit(now, events)
                marks = self._marks.first_audio()
                self._emit(now, [marks] if marks else [])
        except InferenceError as error:
            self._emit(now, self._speaking.fail(now, error))

    def _emit(self, now: float, events: Sequence[Event]) -> None:
        """Sends events and lets the floor know what they mean to it."""
        for event in events:
            match event:
                case WordSpoken(text=text):
                    self._floor.said(text)
                case SpeechFinished():
                    self._floor.answer_finished(now)
        self._events.extend(events)

    def _wanted_at(self, now: float) -> float | None:
        speaking = None if self._floor.holds_answer else self._speaking.due_at(now)
        dues = [due for due in (self._floor.due_at(now), speaking) if due is not None]
        return min(dues, default=None)

    def next_due(self, now: float) -> float | None:
        return self._due

    @property
    def late_frames(self) -> int:
        return self._speaking.late_frames

    @property
    def dropped_pieces(self) -> int:
        return 0

    def close(self) -> None:
        self._listening.forget()
        self._speaking.close()


class ComposedLane:
    """Opens composed streams over shared ears and a shared mouth."""

    def __init__(
        self,
        ears: Ears,
        mouth: Mouth,
        new_detector: Callable[[], Detector],
        clock: Callable[[], float] = time.monotonic,
        pulse: Pulse | None = None,
        most_streams: int | None = None,
    ) -> None:
        """`pulse` and `most_streams` are those of a mouth that has them."""
        self.pulse = pulse
        self.most_streams = most_streams
        self._ears = ears
        self._mouth = mouth
        self._new_detector = new_detector
        self._clock = clock

    def prepare(self, spec: SessionSpec) -> None:
        """Loads recogniser, voice and voice detector. Raises `InvalidSpec` for a voice the mouth cannot speak."""
        self._mouth.prepare(spec.voice)
        if spec.listens:
            self._ears.prepare(spec.ears)
            # Made here, and not by the loop that opens the call.
            rules_for(spec.ears.phrases)
            self._new_detector().detect(np.zeros(CHUNK_SAMPLES, dtype=np.float32))

    def open(self, spec: SessionSpec, now: float) -> LaneStream:
        return ComposedStream(
            spec,
            Listening(self._ears, spec.ears, self._new_detector()),
            Speaking(self._mouth, spec),
            Floor(spec.turn_taking, now, spec.ears.phrases, spec.detects_turns),
            AnswerMarks(self._clock),
        )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
