"""The user's turns where nobody waits for them: a full-duplex model hears for itself, this is for the record."""

from inference.protocol import Event, Heard, InputCleared, PartialHeard, TurnTaking, VoiceStarted, VoiceStopped
from inference.worker.listening import CHUNK_S, HeardChunk, Listening
from inference.worker.utterance_record import UtteranceRecord

VOICE = 0.5
"""Probability from which a chunk counts as voice."""

ONSET_S = 0.1
"""So much voice makes a turn."""

FORGET_S = 0.6
"""A sound shorter than that is forgotten after so much quiet."""


class UserTurns:
    """Says when the user began and stopped to speak, and what the ears made of it. Decides nothing else."""

    def __init__(self, listening: Listening, profile: TurnTaking, detects_turns: bool) -> None:
        self._listening = listening
        self._record = UtteranceRecord()
        self._patience_s = profile.patience_s
        self._detects_turns = detects_turns
        self._start_s: float | None = None
        self._voiced_s = 0.0
        self._last_voice_s = 0.0
        self._heard_s = 0.0

    def set_profile(self, profile: TurnTaking, detects_turns: bool) -> None:
        self._patience_s, self._detects_turns = profile.patience_s, detects_turns

    @property
    def heard_s(self) -> float:
        """Input heard so far."""
        return self._heard_s

    def hear(self, pcm: bytes) -> list[Event]:
        """Takes PCM16 at `AUDIO_RATE_HZ`, any length."""
        events: list[Event] = []
        for chunk in self._listening.chunks(pcm):
            events += self._hear(chunk)
        partial = self._listening.partial()
        if partial is not None and self._record.should_tell(partial):
            events.append(PartialHeard(self._record.utterance_id, partial))
        return events

    def _hear(self, chunk: HeardChunk) -> list[Event]:
        self._heard_s = chunk.end_s
        if chunk.probability >= VOICE:
            self._start_s = chunk.start_s if self._start_s is None else self._start_s
            self._voiced_s += CHUNK_S
            self._last_voice_s = chunk.end_s
        if self._start_s is None:
            return []
        self._listening.attend(chunk)
        quiet_s = chunk.end_s - self._last_voice_s
        if self._record.is_open:
            return self._end() if self._detects_turns and quiet_s >= self._patience_s else []
        if self._detects_turns and self._voiced_s >= ONSET_S:
            return [VoiceStarted(self._record.begin(_ms(self._start_s)), _ms(self._start_s))]
        if quiet_s >= FORGET_S:
            self._rest()
        return []

    def _rest(self) -> None:
        if self._detects_turns:
            self._listening.forget()
        else:
            # What was said so far belongs to the turn that the client will commit.
            self._listening.rest()
        self._start_s, self._voiced_s = None, 0.0

    def _end(self) -> list[Event]:
        stopped = VoiceStopped(self._record.utterance_id, _ms(self._last_voice_s))
        return [stopped, self._finish(self._last_voice_s)]

    def _finish(self, end_s: float) -> Heard:
        heard = self._record.finish(self._listening.read(), _ms(end_s))
        self._start_s, self._voiced_s = None, 0.0
        return heard

    def commit(self) -> list[Event]:
        """The turn is over because the client says so."""
        if self._record.is_open:
            return self._end()
        self._record.begin(_ms(self._heard_s if self._start_s is None else self._start_s))
        return [self._finish(self._heard_s)]

    def clear(self) -> list[Event]:
        """The turn in progress is forgotten."""
        self._listening.forget()
        self._record.drop()
        self._start_s, self._voiced_s = None, 0.0
        return [InputCleared()]

    def close(self) -> None:
        self._listening.forget()


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
