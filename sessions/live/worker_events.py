"""What a worker reports, each event to whom it concerns."""

import logging
from collections.abc import Callable
from typing import Any

from inference.errors import InferenceError
from inference.protocol import (
    FRAME_MS,
    AudioOut,
    Dropped,
    Fault,
    Heard,
    InputCleared,
    LatencyMarks,
    OutputGain,
    Overlap,
    PartialHeard,
    SilenceElapsed,
    SpeechFinished,
    SpeechStarted,
    TextWritten,
    VoiceChanged,
    VoiceRefused,
    VoiceStarted,
    VoiceStopped,
    WordSpoken,
)
from sessions.live import closing, figures
from sessions.live.closing import Closing
from sessions.live.dialogue import Dialogue
from sessions.live.moving.events import Moved
from sessions.live.stage import Stage
from sessions.realtime import troupe
from sessions.realtime.errors import error_event

logger = logging.getLogger(__name__)


class WorkerEvents:
    """Reads the stream of one session."""

    def __init__(self, session_id: str, stage: Stage, dialogue: Dialogue, end: Callable[[Closing], None]) -> None:
        self._session_id = session_id
        self._stage = stage
        self._dialogue = dialogue
        self._end = end
        self._dropped_uplink = self._dropped_frames = 0
        self._reactions = self._all_reactions()

    async def pump(self) -> None:
        """Everything the worker reports, in order, until the stream has ended."""
        try:
            async for event in self._stage.stream.events():
                reaction = self._reactions.get(type(event))
                if reaction is not None:
                    reaction(event)
        except InferenceError as error:
            figures.stream_lost(error.code)
            logger.warning("session %s lost its stream: %s", self._session_id, error.code)
            self._end(closing.closing_for(error))
            return
        self._end(closing.WORKER_LOST)

    def tell_dropped(self) -> None:
        """What the client never got, and what we never heard."""
        downlink = self._stage.downlink
        if downlink.tier:
            downlink.emit(troupe.dropped(uplink_packets=self._dropped_uplink, downlink_frames=downlink.dropped_frames))

    def _all_reactions(self) -> dict[type[Any], Callable[[Any], None]]:
        dialogue = self._dialogue
        return {
            AudioOut: dialogue.answers.audio,
            WordSpoken: dialogue.answers.word,
            PartialHeard: dialogue.user.partial,
            Heard: dialogue.heard,
            VoiceStarted: dialogue.voice_started,
            VoiceStopped: dialogue.user.voice_stopped,
            Overlap: dialogue.overlap,
            OutputGain: dialogue.gain,
            SilenceElapsed: dialogue.silence,
            SpeechStarted: dialogue.answers.speech_started,
            SpeechFinished: dialogue.answers.speech_finished,
            TextWritten: dialogue.answers.wrote,
            VoiceChanged: dialogue.voice_changed,
            VoiceRefused: dialogue.voice_refused,
            LatencyMarks: dialogue.answers.latency,
            InputCleared: lambda event: dialogue.user.cleared(),
            Dropped: self._uplink_dropped,
            Fault: self._fault,
            Moved: self._moved,
        }

    def _uplink_dropped(self, event: Dropped) -> None:
        figures.packets_dropped(event.uplink_packets - self._dropped_uplink)
        figures.audio_dropped("worker", (event.downlink_frames - self._dropped_frames) * FRAME_MS)
        self._dropped_uplink, self._dropped_frames = event.uplink_packets, event.downlink_frames
        self._stage.downlink.drop_worker_frames(event.downlink_frames)
        self.tell_dropped()

    def _fault(self, event: Fault) -> None:
        figures.worker_fault(event.code)
        logger.warning("session %s: the worker reports %s", self._session_id, event.code)
        self._stage.downlink.emit(error_event(event.code, event.message, kind="server_error"))
        if event.fatal:
            self._end(closing.WORKER_LOST if event.code == "worker_unavailable" else closing.FAULT)

    def _moved(self, event: Moved) -> None:
        figures.moved(event.reason, event.gap_ms)
        if self._stage.downlink.tier:
            self._stage.downlink.emit(
                troupe.session_moved(reason=event.reason, response_id=event.response_id, gap_ms=event.gap_ms)
            )
        if event.utterance_id is not None:
            self._dialogue.expect_again(event.utterance_id, event.still_unheard)
