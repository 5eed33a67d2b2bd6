"""The character's side of a composed stream: parts of speech in, paced audio out, one response at a time."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inference.errors import InferenceError, InvalidSpec
from inference.mouth.base import Mouth, SpokenFrame
from inference.protocol import (
    FRAME_MS,
    AudioOut,
    Deliver,
    Event,
    Fault,
    OutputGain,
    SessionSpec,
    SpeechPart,
    SpeechStarted,
    StyleSpec,
    VoiceChanged,
    VoiceRefused,
    VoiceSpec,
    WordSpoken,
)
from inference.worker.delivery import Delivery, to_ms, to_pcm16
from inference.worker.gain import GainRamp
from inference.worker.playhead import Playhead

FRAME_S = FRAME_MS / 1000
FRAMES_PER_STEP = 2
"""A step ends after so many frames, so that the first audio leaves at once and the other slots get their turn."""

UNPACED_FRAMES_PER_STEP = 8
UNPACED_REST_S = 0.002
ACK_POLL_S = 0.1
CLOCK_GRAIN_S = 0.001
DUCK_RAMP_MS = 60
RESUME_RAMP_MS = 200


class Speaking:
    """Owns the epoch: nothing of a response leaves after its `SpeechFinished`. Used by the loop's thread."""

    def __init__(self, mouth: Mouth, spec: SessionSpec) -> None:
        self._mouth = mouth
        self._spec = spec
        self._voice = spec.voice
        self._style = spec.style
        self._epoch = 0
        self._delivery: Delivery | None = None
        self._gain = GainRamp()
        self._ducked = False
        self._ask_at = 0.0
        self.late_frames = 0
        """Frames' worth of gaps heard because a step came too late."""

    # --- commands ---

    def start(self, response_id: str) -> list[Event]:
        """Opens a response. The one before it must have been cancelled. A voice that turns out not to be speakable
        is reported and the session's first voice taken instead."""
        events: list[Event] = []
        try:
            speech = self._mouth.begin(self._voice, self._style)
        except InvalidSpec as error:
            events = [Fault(error.code, str(error))]
            self._voice = self._spec.voice
            speech = self._mouth.begin(self._voice, self._style)
        self._delivery = Delivery(response_id, self._epoch, speech, Playhead(self._spec.paced, self._spec.acknowledges))
        self._gain = GainRamp()
        self._ducked = False
        self._ask_at = 0.0
        return events

    def add(self, now: float, part: SpeechPart) -> list[Event]:
        """The next part of the open response. A part the mouth cannot say fails the response, not the stream."""
        delivery = self._delivery
        if delivery is None or delivery.ended:
            return []
        try:
            delivery.add(part)
        except InferenceError as error:
            return self._fail(now, error)
        if not delivery.playhead.sent:
            self._ask_at = now
        return []

    def ask(self, now: float) -> None:
        """The speech has another frame: it is asked at once."""
        self._ask_at = now

    def end(self, now: float) -> None:
        if self._delivery is not None:
            self._delivery.end()
            self._ask_at = now

    def cancel(self, now: float, reason: str) -> list[Event]:
        """Cuts the response short and raises the epoch."""
        return self._finish(now, "cancelled", reason)

    def acknowledge(self, now: float, played_samples: int) -> None:
        if self._delivery is not None:
            self._delivery.playhead.acknowledge(now, played_samples)

    def set_style(self, style: StyleSpec) -> None:
        self._style = style
        if self._delivery is not None:
            self._delivery.speech.set_style(style)

    def set_voice(self, now: float, voice: VoiceSpec) -> list[Event]:
        """From the next words on, also of the open response. What the mouth cannot speak is refused."""
        try:
            self._mouth.prepare(voice)
        except InvalidSpec as error:
            return [VoiceRefused(voice.slug, str(error))]
        self._voice = voice
        return [*self.add(now, Deliver(voice=voice)), VoiceChanged(voice.slug)]

    def duck(self, gain_db: float) -> list[Event]:
        """Lowers what is still to be heard."""
        self._ducked = True
        return self._move_gain(gain_db, DUCK_RAMP_MS)

    def unduck(self) -> list[Event]:
        if not self._ducked:
            return []
        self._ducked = False
        return self._move_gain(0.0, RESUME_RAMP_MS)

    def _move_gain(self, gain_db: float, ramp_ms: int) -> list[Event]:
        if self._spec.client_ducks:
            return [OutputGain(gain_db, ramp_ms)]
        self._gain.move(gain_db, ramp_ms)
        return []

    def close(self) -> None:
        """The stream ends: nothing is told any more."""
        delivery, self._delivery = self._delivery, None
        if delivery is not None:
            delivery.speech.close()

    # --- what there is ---

    @property
    def response_id(self) -> str | None:
        """The open response."""
        return self._delivery.response_id if self._delivery is not None else None

    @property
    def has_words(self) -> bool:
        return self._delivery is not None and self._delivery.has_words

    @property
    def audible(self) -> bool:
        """Something of the open response was sent."""
        return self._delivery is not None and self._delivery.playhead.sent > 0

    def ahead_s(self, now: float) -> float:
        return self._delivery.playhead.ahead_s(now) if self._delivery is not None else 0.0

    # --- the clock ---

    def frames(self, now: float, due: float | None) -> Iterator[tuple[NDArray[np.float32], list[Event]]]:
        """The frames to send now, each with its events. `due` is when this step was wanted."""
        delivery = self._delivery
        limit = FRAMES_PER_STEP if self._spec.paced else UNPACED_FRAMES_PER_STEP
        for _ in range(limit):
            if delivery is None or delivery is not self._delivery or not self._wants_frame(now, delivery):
                return
            frame = delivery.speech.frame()
            if frame is None:
                self._ask_at = now + FRAME_S
                return
            self._count_gap(now, due, delivery)
            yield self._send(now, delivery, frame)

    def _wants_frame(self, now: float, delivery: Delivery) -> bool:
        if delivery.speech.finished or now < self._ask_at:
            return False
        return not self._spec.paced or delivery.playhead.ahead_s(now) < self._spec.lead_s

    def _count_gap(self, now: float, due: float | None, delivery: Delivery) -> None:
        # A gap while words were missing is the mind's; one because nobody came in time is ours.
        if self._spec.paced and due is not None and now - due > FRAME_S:
            self.late_frames += int(min(delivery.playhead.dry_s(now), now - due) / FRAME_S)

    def _send(self, now: float, delivery: Delivery, frame: SpokenFrame) -> tuple[NDArray[np.float32], list[Event]]:
        started = delivery.playhead.sent == 0
        pcm = self._gain.apply(frame.pcm)
        position = delivery.send(now, frame)
        rid, epoch = delivery.response_id, delivery.epoch
        events: list[Event] = [SpeechStarted(rid, epoch)] if started else []
        events.append(AudioOut(rid, epoch, position, to_pcm16(pcm)))
        for word in frame.words:
            events.append(WordSpoken(rid, epoch, word.text, *to_ms(word), word.char_start, word.char_end))
        return pcm, events

    def finish_if_played(self, now: float) -> list[Event]:
        """Finishes the response once all of it was sent and played."""
        delivery = self._delivery
        if delivery is None or not delivery.all_sent or delivery.playhead.drained_at(now) > now:
            return []
        return self._finish(now, "completed", "")

    def complete(self, now: float) -> list[Event]:
        """Finishes the response although the last of it may still be playing: the next one is here already."""
        return self._finish(now, "completed", "")

    def fail(self, now: float, error: InferenceError) -> list[Event]:
        """The mouth could not go on: the response fails, the stream lives."""
        return self._fail(now, error)

    def due_at(self, now: float) -> float | None:
        """When the next frame or the end of playing is due."""
        delivery = self._delivery
        if delivery is None:
            return None
        if delivery.all_sent:
            drained_at = delivery.playhead.drained_at(now)
            return min(drained_at, now + ACK_POLL_S) if self._spec.acknowledges else drained_at
        if not self._spec.paced:
            return max(self._ask_at, now + UNPACED_REST_S)
        return max(self._ask_at, now + delivery.playhead.ahead_s(now) - self._spec.lead_s + CLOCK_GRAIN_S)

    def _fail(self, now: float, error: InferenceError) -> list[Event]:
        return [*self._finish(now, "failed", error.code), Fault(error.code, str(error))]

    def _finish(self, now: float, status: Literal["completed", "cancelled", "failed"], reason: str) -> list[Event]:
        delivery, self._delivery = self._delivery, None
        if delivery is None:
            return []
        delivery.speech.close()
        if status != "completed":
            self._epoch += 1
        return [*self.unduck(), delivery.finished(now, status, reason)]
