"""The character's side of a live session: one answer at a time, begun, cut short, finished, and told to the mind."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from characters.mind.base import HeardSpeech, Occasion, Silence
from inference.errors import StreamClosed
from inference.protocol import (
    AudioOut,
    CancelSpeech,
    EndSpeech,
    LatencyMarks,
    SpeechFinished,
    SpeechStarted,
    TextWritten,
    UserActive,
    UserText,
    WordSpoken,
)
from sessions.live import figures
from sessions.live.answer import Answer, Effects, Request, think
from sessions.live.record import record_of, record_so_far
from sessions.live.stage import Notices, Stage
from sessions.realtime import server_events, troupe
from sessions.realtime.conversation import cut
from sessions.realtime.responses import RESPONSE_PREFIX, Ending, Response, ResponsePlan

logger = logging.getLogger(__name__)

FINISH_LIMIT_S = 2.0
"""A worker that was told to stop answers within this time, or the response is closed without it."""

SETTLE_LIMIT_S = 5.0


class Answers:
    """All methods are called on the session's event loop; none waits."""

    def __init__(self, stage: Stage, notices: Notices, plan_unasked: Callable[[], ResponsePlan]) -> None:
        """`plan_unasked` is how a response is described that the worker begins by itself."""
        self._stage = stage
        self._notices = notices
        self._plan_unasked = plan_unasked
        self._effects = Effects(notices.change_style, notices.show_activity, self._write)
        self._active: Answer | None = None
        self._next: Request | None = None
        self._settled: asyncio.Task[None] | None = None
        self._num_answers = 0
        self._epoch = 0
        """As the client knows it: raised with each flush, although a worker that was done already raises none."""

        self.has_spoken = False
        self.spoken_ms = 0.0
        self.on_settled: Callable[[], None] = lambda: None
        """Called when an answer is over and the mind has been told."""

        self.on_begun: Callable[[], None] = lambda: None
        """Called at an answer's first sound, or its first written word."""

    @property
    def active(self) -> Answer | None:
        return self._active

    @property
    def is_busy(self) -> bool:
        """An answer runs and is not being cut short."""
        return self._active is not None and (self._active.ending is None or self._active.ending.status != "cancelled")

    def ask(self, request: Request, *, reason: str = "turn_detected") -> None:
        """Answers this next: at once, or as soon as the running answer has been cut short for it."""
        if self._active is None:
            self._start(request)
            return
        self._next = request
        self.cancel(reason)

    def ask_after(self, request: Request) -> None:
        """Answers this when the running answer is over by itself."""
        if self._active is None:
            self._start(request)
        else:
            self._next = request

    def cancel(self, reason: str) -> None:
        """Cuts the running answer short."""
        answer = self._active
        if answer is None or (answer.ending is not None and answer.ending.status == "cancelled"):
            return
        answer.ending = Ending("cancelled", reason)
        if answer.task is not None:
            answer.task.cancel()
        if answer.opened:
            self._flush(answer)
            self._stage.stream.send(CancelSpeech(answer.id, reason))
        else:
            written = "" if answer.response.plan.speaks else answer.response.text
            self._finish(answer, heard_text=written, heard_ms=0)

    def stop_asking(self) -> None:
        """The session ends: nothing more is begun, and what runs is being cut by the worker."""
        self._next = None
        answer = self._active
        if answer is None:
            return
        if answer.task is not None:
            answer.task.cancel()
        if not answer.opened:
            self.cancel("client_cancelled")

    def abandon(self) -> None:
        """The worker is gone: what it sent of the running answer counts as heard."""
        self._next = None
        if self._active is not None:
            self._close_unheard(self._active)

    def played(self, response_id: str, played_ms: float) -> None:
        """The player says how far it is."""
        answer = self._current(response_id)
        if answer is not None:
            answer.played_ms, answer.played_at = played_ms, time.monotonic()

    def keep(self, *, acknowledges: bool) -> bool:
        """Writes down what was heard of the running answer so far; whether there is any."""
        answer = self._active
        record = record_so_far(answer, self._stage.now_ms(), acknowledges=acknowledges) if answer is not None else None
        if record is not None:
            self._stage.journal.record(record)
        return record is not None

    def go_on_from(self, num_answers: int, epoch: int, spoken_ms: float) -> None:
        """Responses and epochs are counted on from here: the client has seen those before."""
        self._num_answers, self._epoch, self.spoken_ms = num_answers, epoch, spoken_ms
        self.has_spoken = spoken_ms > 0

    @property
    def numbers(self) -> tuple[int, int]:
        """Of responses, and the epoch as the client knows it."""
        return self._num_answers, self._epoch

    # --- from the worker ---

    def speech_started(self, event: SpeechStarted) -> None:
        answer = self._current(event.response_id) or self._adopt(event.response_id)
        if answer is None:
            return
        answer.epoch = self._epoch = max(event.epoch, self._epoch)
        answer.started_ms = self._stage.now_ms()
        self.has_spoken = True
        self.on_begun()
        self._begin(answer)
        if self._stage.downlink.tier:
            item_id = answer.response.item_id
            started = troupe.response_started(
                response_id=answer.id, item_id=item_id, ordinal=answer.ordinal, epoch=answer.epoch
            )
            self._stage.downlink.emit(started)

    def audio(self, event: AudioOut) -> None:
        answer = self._current(event.response_id)
        if answer is None:
            # The worker began it while another answer was still open: the client has not been told.
            self.speech_started(SpeechStarted(event.response_id, event.epoch))
            answer = self._current(event.response_id)
        if answer is None or answer.flushed:
            return
        on_sent = None
        if answer.first_audio_at is None:
            answer.first_audio_at = time.monotonic()
            on_sent = self._first_audio_sent
        answer.response.count_audio(len(event.pcm))
        self._begin(answer)
        downlink = self._stage.downlink
        if downlink.tier:
            downlink.packet(
                pcm=event.pcm, position=event.position, epoch=answer.epoch, ordinal=answer.ordinal, on_sent=on_sent
            )
            return
        for delta in answer.response.audio(event.pcm):
            downlink.emit(delta, on_sent)
            on_sent = None

    def word(self, event: WordSpoken) -> None:
        answer = self._current(event.response_id)
        if answer is None or answer.flushed:
            return
        answer.pace.spoken(event.char_end)
        space = " " if event.char_start > answer.char_end and answer.char_end else ""
        answer.char_end = event.char_end
        answer.words.append((event.text, event.start_ms, event.end_ms))
        if answer.adopted:
            answer.full_text += space + event.text
        answer.word_ends.append(len(answer.full_text) if answer.adopted else event.char_end)
        self._begin(answer)
        self._stage.downlink.emit_all(answer.response.word(space + event.text, event.start_ms))
        if self._stage.downlink.tier:
            caption = troupe.caption_word(event, item_id=answer.response.item_id, index=answer.num_captions)
            self._stage.downlink.emit(caption)
        answer.num_captions += 1

    def wrote(self, event: TextWritten) -> None:
        answer = self._current(event.response_id) or self._adopt(event.response_id, speaks=False)
        if answer is not None and not answer.flushed:
            answer.full_text += event.text
            self._write(answer, event.text)

    def latency(self, event: LatencyMarks) -> None:
        answer = self._current(event.response_id)
        if answer is not None:
            answer.marks = event
            self._tell_latency(answer)

    def cut_by_user(self, response_id: str) -> None:
        """The worker decided that the user interrupts: nothing of this answer is to be played any more."""
        answer = self._current(response_id)
        if answer is not None:
            answer.ending = answer.ending or Ending("cancelled", "turn_detected")
            self._flush(answer)

    def speech_finished(self, event: SpeechFinished) -> None:
        answer = self._current(event.response_id)
        if answer is None:
            return
        if event.status == "completed":
            answer.ending = answer.ending or Ending("completed")
            self._finish(answer, heard_text=None, heard_ms=event.heard_ms, unplayed_ms=event.sent_ms - event.heard_ms)
            return
        if event.status == "cancelled":
            answer.ending = Ending("cancelled", _protocol_reason(event.reason))
            self._flush(answer)
        else:
            answer.ending = Ending("failed", event.reason)
        # What was written has been read.
        heard = event.heard_text if answer.response.plan.speaks else answer.full_text
        self._finish(answer, heard_text=heard, heard_ms=event.heard_ms)

    # --- within ---

    def _current(self, response_id: str) -> Answer | None:
        return self._active if self._active is not None and self._active.id == response_id else None

    def _start(self, request: Request) -> None:
        answer = self._new_answer(request, RESPONSE_PREFIX + secrets.token_hex(10))
        self._active = answer
        self._stage.downlink.emit_all(answer.response.created())
        if request.typed is not None:
            answer.opened = answer.adopted = True
            self._stage.stream.send(UserText(answer.id, request.typed, request.plan.speaks))
            return
        answer.task = self._stage.tasks.start(f"answer-{answer.ordinal}", self._run(answer, self._settled))

    def _adopt(self, response_id: str, *, speaks: bool = True) -> Answer | None:
        """An answer that the worker began by itself, as an echo or a model that answers itself does."""
        if self._active is not None or response_id.startswith(RESPONSE_PREFIX):
            return None
        plan = replace(self._plan_unasked(), speaks=speaks)
        answer = self._new_answer(Request(nothing_asked, plan), response_id)
        answer.opened = answer.adopted = True
        self._active = answer
        self._stage.downlink.emit_all(answer.response.created())
        return answer

    def _new_answer(self, request: Request, response_id: str) -> Answer:
        self._num_answers += 1
        response = Response(
            id=response_id,
            item_id=f"item_{secrets.token_hex(10)}",
            conversation_id=self._stage.conversation_id,
            plan=request.plan,
            conversation=self._stage.conversation,
        )
        return Answer(request, response, self._num_answers, self._stage.journal.next_index(), epoch=self._epoch)

    async def _run(self, answer: Answer, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:
                # One task uses the mind at a time, and it hears of each answer before it gives the next.
                await asyncio.shield(before)
            await think(answer, self._stage.mind, self._stage.stream, self._effects)
        except StreamClosed:
            return
        except Exception:
            logger.exception("the mind failed in answer %d", answer.ordinal)
            self._failed(answer)
            return
        if not answer.opened and self._active is answer:
            answer.started_ms = answer.started_ms or self._stage.now_ms()
            answer.ending = answer.ending or Ending("completed")
            self._finish(answer, heard_text=None, heard_ms=0)

    def _failed(self, answer: Answer) -> None:
        if self._active is not answer:
            return
        answer.ending = answer.ending or Ending("failed", "mind_failed")
        if answer.opened:
            # What it did say is finished, so that nobody is cut off in mid-word.
            self._stage.stream.send(EndSpeech(answer.id))
        else:
            self._finish(answer, heard_text="", heard_ms=0)

    def _begin(self, answer: Answer) -> None:
        self._stage.downlink.emit_all(answer.response.begin())

    def _write(self, answer: Answer, text: str) -> None:
        if not text:
            return
        if not answer.started_ms:
            answer.started_ms = self._stage.now_ms()
            self.on_begun()
        self._begin(answer)
        self._stage.downlink.emit_all(answer.response.written(text))

    def _flush(self, answer: Answer) -> None:
        if answer.flushed:
            return
        answer.flushed = True
        self._stage.tasks.start(f"cut-{answer.ordinal}", self._finish_late(answer))
        if not answer.response.plan.speaks:
            return
        self._epoch = answer.epoch + 1
        if self._stage.downlink.tier:
            self._stage.downlink.emit(troupe.output_flush(response_id=answer.id, epoch=self._epoch))

    async def _finish_late(self, answer: Answer) -> None:
        await asyncio.sleep(FINISH_LIMIT_S)
        if self._active is answer:
            logger.warning("the worker did not end answer %d within %g s", answer.ordinal, FINISH_LIMIT_S)
            self._close_unheard(answer)

    def _close_unheard(self, answer: Answer) -> None:
        """Without the worker's word on what was heard: as much as it sent."""
        answer.ending = answer.ending or Ending("failed", "worker_unavailable")
        last_ms = answer.words[-1][2] if answer.words else 0
        self._finish(answer, heard_text=answer.response.text, heard_ms=last_ms)

    def _finish(self, answer: Answer, *, heard_text: str | None, heard_ms: int, unplayed_ms: int = 0) -> None:
        """Closes the response. `heard_text` None: all of it was heard."""
        ending = answer.ending or Ending("completed")
        self._active = None
        if answer.task is not None and answer.task is not asyncio.current_task():
            answer.task.cancel()
        heard = answer.full_text if heard_text is None else heard_text
        self._stage.downlink.emit_all(answer.response.done(ending))
        if heard_text is not None:
            self._cut_item(answer, heard, heard_ms)
        speech = HeardSpeech(answer.id, heard, answer.full_text, interrupted=heard_text is not None)
        self._settled = self._stage.tasks.start(f"settle-{answer.ordinal}", self._settle(answer, speech))
        self._record(answer, heard, heard_ms)
        self._go_on(answer, ending, unplayed_ms)

    def _go_on(self, answer: Answer, ending: Ending, unplayed_ms: int) -> None:
        if not answer.response.plan.speaks:
            # The worker heard nothing of a written answer: its silence clock starts again.
            self._stage.stream.send(UserActive())
        following, self._next = self._next, None
        if following is not None:
            self._start(following)
        elif (answer.hangs_up or answer.request.ends_session) and ending.status == "completed":
            self._notices.hang_up(max(unplayed_ms, 0))

    def _cut_item(self, answer: Answer, heard: str, heard_ms: int) -> None:
        """The item keeps the words that were heard."""
        item = answer.response.item
        if item is None or not answer.response.plan.speaks:
            return
        cut(item, heard_ms)
        item.parts[0]["transcript"] = heard.strip()
        truncated = server_events.item_truncated(item_id=item.id, content_index=0, audio_end_ms=heard_ms)
        self._stage.downlink.emit(truncated)
        if self._stage.downlink.tier:
            self._stage.downlink.emit(troupe.caption_cut(item_id=item.id, text=heard.strip()))

    async def _settle(self, answer: Answer, speech: HeardSpeech) -> None:
        task = answer.task
        if task is None:
            return
        if not task.done():
            await asyncio.wait({task}, timeout=SETTLE_LIMIT_S)
        try:
            self._stage.mind.heard(speech)
        except Exception:
            logger.exception("the mind failed when told of answer %d", answer.ordinal)
        self.on_settled()

    def _record(self, answer: Answer, heard: str, heard_ms: int) -> None:
        self.spoken_ms += answer.response.audio_ms
        record = record_of(answer, heard, heard_ms, self._stage.now_ms())
        if record is not None:
            self._stage.journal.record(record)

    def _first_audio_sent(self) -> None:
        answer = self._active
        if answer is not None and answer.sent_at is None:
            answer.sent_at = time.monotonic()
            self._tell_latency(answer)

    def _tell_latency(self, answer: Answer) -> None:
        """Once both are known: the worker's marks, and when the first audio left for the client."""
        if answer.marks is None or answer.sent_at is None:
            return
        stages = answer.latency
        figures.answered(stages)
        if "sent" in stages and self._stage.downlink.tier:
            self._stage.downlink.emit(troupe.latency(answer.marks, sent=stages["sent"]))


def _protocol_reason(reason: str) -> str:
    """OpenAI clients know two reasons."""
    return reason if reason in ("turn_detected", "client_cancelled") else "client_cancelled"


async def nothing_asked() -> Occasion:
    """The occasion of an answer that the mind does not give."""
    return Silence(0)
