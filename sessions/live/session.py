"""A live session: everything of one call on the web side. It outlives its sockets."""

import asyncio
import logging
import time
from collections.abc import Awaitable
from typing import Any

from django.db import InterfaceError, OperationalError

from inference.errors import InferenceError
from inference.protocol import CancelSpeech, PacketError, PacketKind, unpack
from sessions.errors import Fenced
from sessions.live import closing, figures
from sessions.live.call import Call, Totals
from sessions.live.closing import Closing
from sessions.live.commands import Commands
from sessions.live.dialogue import Dialogue
from sessions.live.downlink import Downlink
from sessions.live.journal import FLUSH_S, Journal
from sessions.live.keeper import Keeper
from sessions.live.limits import Allowance
from sessions.live.moving import MovingStream
from sessions.live.outbox import Outbox
from sessions.live.rebuilding import conversation_of, count_on, take_up
from sessions.live.stage import Stage
from sessions.live.stragglers import stragglers
from sessions.live.tags import Tags, tagged
from sessions.live.tasks import Tasks
from sessions.live.worker_events import WorkerEvents
from sessions.realtime import server_events, troupe
from sessions.realtime.client_events import GA_EVENTS, parse
from sessions.realtime.conversation import Conversation
from sessions.realtime.errors import ClientError, error_event

logger = logging.getLogger(__name__)

WATCH_S = 0.5
BOOKS_S = 60.0
"""How often the allowance is looked up anew."""

LAST_WORDS_S = 1.0
"""How long an ending session waits to learn what was heard of the running answer."""

SHUT_S = 15.0
RETRY_S = 2.0
AWAY = (OperationalError, InterfaceError)
"""What a database that cannot be reached raises."""


class LiveSession:
    """Owns the stream, the conversation, the mind and the journal of one call. Used on one event loop."""

    def __init__(self, call: Call) -> None:
        self.id = call.cast.spec.session_id
        self.tier = call.tier
        self._call = call
        self._past = call.past
        elapsed_s = 0.0 if call.past is None else call.past.elapsed_s
        ticket = call.stream.ticket if isinstance(call.stream, MovingStream) else None
        self.tags = Tags(self.id, "" if ticket is None else ticket.worker)
        self._tasks = Tasks(f"session-{self.id[:8]}", self._failed, self.tags)
        self._downlink = Downlink(tier=call.tier)
        self._journal = Journal(
            call.store, last_index=call.past.turns[-1].index if call.past and call.past.turns else 0
        )
        self._journal.on_fenced = lambda: self.end(closing.FENCED)
        self._stage = Stage(
            stream=call.stream,
            mind=call.cast.mind,
            downlink=self._downlink,
            journal=self._journal,
            tasks=self._tasks,
            conversation=Conversation() if call.past is None else conversation_of(call.past),
            conversation_id=f"conv_{self.id.replace('-', '')[:20]}",
            began_at=time.monotonic() - elapsed_s,
        )
        self._dialogue = Dialogue(self._stage, call.cast, call.config, self._hang_up, self.tell_settings)
        self._allowance = Allowance(call.limits, call.remaining_s, elapsed_s=elapsed_s)
        self._dialogue.on_turn = self._allowance.active
        self._commands = Commands(self._stage, self._dialogue, self)
        self._known_events = troupe.TIER_EVENTS if call.tier else GA_EVENTS
        self._worker = WorkerEvents(self.id, self._stage, self._dialogue, self.end)
        self._keeper = Keeper(self._stage, self._dialogue, acknowledges=call.cast.spec.acknowledges)
        self._dialogue.answers.on_settled = self._keeper.remember
        self._dialogue.answers.on_begun = self._keeper.begun
        self._was_attached = False
        self._closing: Closing | None = None
        self._shut: asyncio.Task[None] | None = None
        self._resume_window: asyncio.Task[None] | None = None
        if call.past is not None:
            count_on(call.past, self._stage, self._dialogue)

    # --- what the process holds of it ---

    @property
    def fence(self) -> int:
        return self._call.fence

    @property
    def lease(self) -> str | None:
        """Of its place on a worker, while it has one."""
        stream = self._call.stream
        ticket = stream.ticket if isinstance(stream, MovingStream) else None
        return None if ticket is None else ticket.lease

    @property
    def num_unstored(self) -> int:
        """Turns that wait for the database."""
        return self._journal.num_waiting

    def lease_lost(self) -> None:
        """Dispatch has given its place away."""
        if isinstance(self._call.stream, MovingStream):
            self._call.stream.place_lost()

    def suspend(self) -> None:
        """The process stops. In the tier the client comes back elsewhere and the session goes on; others end."""
        self.end(closing.SUSPENDED if self.tier else closing.DRAINING)

    # --- sockets ---

    @property
    def is_over(self) -> bool:
        return self._closing is not None

    @property
    def was_attached(self) -> bool:
        """A socket has held it before: the next one comes back to it."""
        return self._was_attached

    def start(self) -> None:
        """Begins to listen to the worker and to watch the clock."""
        self._note("session %s is held with fence %d", self.id, self.fence)
        self._tasks.start("events", self._worker.pump())
        self._tasks.start("journal", self._journal.run())
        self._tasks.start("keeper", self._keeper.run())
        self._tasks.start("watch", self._watch())
        self._tasks.start("books", self._look_at_books())
        # Until a socket is attached.
        self._resume_window = self._tasks.start("resume-window", self._wait_for_return())

    def attach(self, outbox: Outbox, *, after: int | None = None) -> None:
        """Hands the session to a socket; one that held it is told and closed. `after`: the last number the client got.

        Raises `ClientError` when the session does not reach back so far.
        """
        first = not self.was_attached
        if self.is_over or not (first or self.tier):
            raise ClientError("session_over", "the conversation has ended, or belongs to another socket")
        if first:
            after = None
        elif after is None:
            after = self._downlink.sequence
        if after is not None and not self._downlink.covers(after):
            raise ClientError("replay_incomplete", "what came after this number is not kept", param="after")
        if self._resume_window is not None:
            self._resume_window.cancel()
            self._resume_window = None
        self._downlink.attach(outbox, after=after)
        self._was_attached = True
        if first:
            self._welcome()
        elif self.tier:
            self._downlink.emit(self._ready(resumed=True))
            if self._downlink.dropped_frames:
                self._worker.tell_dropped()

    def _welcome(self) -> None:
        """The first socket of this process: the call begins, or is rebuilt."""
        past = self._past
        if past is None:
            self._downlink.emit(server_events.session_created(self._settings()))
        if self.tier:
            self._downlink.emit(self._ready(resumed=past is not None, rebuilt=past is not None))
            if past is None:
                self._dialogue.open()
            else:
                take_up(past, self._stage, self._dialogue)

    def refuse(self, message: str) -> None:
        """Tells the client that a message is too large to be looked at."""
        self._downlink.emit(error_event("message_too_large", message))

    def dropped(self, milliseconds: float) -> None:
        """A socket could not take this much audio."""
        self._downlink.drop(milliseconds)
        figures.audio_dropped("socket", milliseconds)
        self._worker.tell_dropped()

    def detach(self, outbox: Outbox, *, left: bool) -> None:
        """The socket is gone. In the tier the client may come back, unless it `left`; other clients cannot."""
        if not self._downlink.detach(outbox) or self.is_over:
            return
        if self.tier and not left:
            self._resume_window = self._tasks.start("resume-window", self._wait_for_return())
        else:
            self.end(closing.LEFT)

    # --- from the client ---

    def receive_text(self, text: str) -> bool:
        """Carries out one client event. False: it was malformed, and the client has been told how."""
        try:
            event = parse(text, self._known_events)
        except ClientError as error:
            self._downlink.emit(error.event())
            return False
        try:
            self._commands.run(event)
        except ClientError as error:
            self._downlink.emit(error.event())
            return error.code not in ("invalid_value", "missing_required_parameter")
        except InferenceError as error:
            self.end(closing.closing_for(error))
        return True

    def receive_binary(self, data: bytes) -> bool:
        """Hands an audio packet to the worker. False: it was none, and the client has been told."""
        if not self.tier:
            message = "binary messages belong to the troupe tier; connect with tier=troupe"
            self._downlink.emit(error_event("binary_not_enabled", message))
            return False
        try:
            packet = unpack(data)
        except PacketError as error:
            self._downlink.emit(error_event("invalid_packet", f"audio packet: {error}", param="packet"))
            return False
        if packet.kind is not PacketKind.AUDIO_IN:
            message = "audio packet: kind 2 travels only from server to client"
            self._downlink.emit(error_event("invalid_packet", message, param="packet"))
            return False
        self._dialogue.user.appended(len(packet.pcm))
        self._stage.stream.send_audio(packet.pcm)
        return True

    # --- what commands need (`commands.Host`) ---

    def tell_settings(self) -> None:
        self._downlink.emit(server_events.session_updated(self._settings()))

    def leave(self) -> None:
        self.end(closing.ENDED)

    def amend(self, item_id: str, text: str) -> None:
        self._tasks.start("amend", self._amend(item_id, text))

    # --- the end ---

    def end(self, why: Closing) -> None:
        """Begins the end; the first reason counts."""
        if self._closing is not None:
            return
        self._closing = why
        goes_on = "fenced" if not why.stores else "suspended" if why is closing.SUSPENDED else ""
        figures.session_ended(goes_on or why.reason)
        self._note("session %s ends: %s", self.id, goes_on or why.reason)
        # Not one of the session's own tasks: it stops those.
        self._shut = asyncio.get_running_loop().create_task(
            self._close(why), name=f"session-{self.id[:8]}:close", context=tagged(self.tags)
        )

    async def ended(self) -> None:
        """Returns when everything is stored and the slot is free."""
        if self._shut is not None:
            await asyncio.wait({self._shut}, timeout=SHUT_S)

    async def _close(self, why: Closing) -> None:
        try:
            if why is closing.SUSPENDED:
                self._keeper.keep()
                self._keeper.remember()
            elif why.stores:
                await self._last_words()
            outbox = self._downlink.close(why)
            if why.stores:
                await self._store_all(why)
            await self._attempt(self._stage.stream.close())
            if outbox is not None:
                await asyncio.wait_for(outbox.closed.wait(), SHUT_S)
        except TimeoutError:
            logger.warning("session %s: its socket did not close in time", self.id)
        finally:
            self._call.on_end(self)
            await self._tasks.stop()

    async def _store_all(self, why: Closing) -> None:
        """What was said and how it ended. Where the database is away, that waits for it and this does not."""
        if await self._journal.flush(FLUSH_S) and await self._attempt(self._put_away(why)):
            return
        stragglers.take(self.id, self._store_later(why))

    async def _store_later(self, why: Closing) -> None:
        await self._journal.write_out()
        while not await self._attempt(self._put_away(why)):
            await asyncio.sleep(RETRY_S)

    async def _put_away(self, why: Closing) -> None:
        if why is closing.SUSPENDED:
            await self._call.store.let_go()
        else:
            await self._call.store.finish(why.reason, self._totals())

    async def _attempt(self, step: Awaitable[None]) -> bool:
        """One step of the end; the others are taken whatever becomes of it. Whether it was done."""
        try:
            await step
        except Fenced:
            figures.write_fenced()
            logger.warning("session %s belongs to another process", self.id)
        except AWAY as error:
            logger.warning("session %s: a step of its end waits for the database: %s", self.id, type(error).__name__)
            return False
        except Exception:
            logger.exception("session %s: a step of its end failed", self.id)
        return True

    async def _last_words(self) -> None:
        """Learns from the worker what was heard of the running answer, so that the transcript is true."""
        answers = self._dialogue.answers
        if answers.active is None:
            return
        try:
            self._stage.stream.send(CancelSpeech(reason="client_cancelled"))
            answers.stop_asking()
            async with asyncio.timeout(LAST_WORDS_S):
                while answers.active is not None:
                    await asyncio.sleep(0.02)
        except (TimeoutError, InferenceError):
            answers.abandon()

    # --- tasks ---

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(WATCH_S, self._call.limits.idle_s / 4))
            if self._dialogue.answers.active is not None:
                self._allowance.active()
            why = self._allowance.exceeded()
            if why is not None:
                self.end(why)
                return

    async def _look_at_books(self) -> None:
        while True:
            await asyncio.sleep(BOOKS_S)
            try:
                standing = await self._call.store.touch(self._totals())
            except AWAY:
                continue  # The call goes on while the database is away.
            if not standing.allowed:
                self.end(closing.NOT_ALLOWED)
                return
            self._allowance.renew(standing.remaining_s)

    async def _wait_for_return(self) -> None:
        await asyncio.sleep(self._call.limits.resume_s)
        self.end(closing.ABANDONED)

    async def _amend(self, item_id: str, text: str) -> None:
        while not (await self._journal.flush() and await self._attempt(self._call.store.amend_turn(item_id, text))):
            await asyncio.sleep(RETRY_S)

    async def _hang_up_later(self, unplayed_ms: int) -> None:
        await asyncio.sleep(unplayed_ms / 1000)
        if self._dialogue.answers.active is None:
            self.end(closing.FAREWELL)

    # --- within ---

    def _note(self, message: str, *values: object) -> None:
        """A line of the log with the session's tags, whoever calls."""
        tagged(self.tags).run(logger.info, message, *values)

    def _hang_up(self, unplayed_ms: int) -> None:
        self._tasks.start("hang-up", self._hang_up_later(unplayed_ms))

    def _failed(self, error: BaseException) -> None:
        self.end(closing.closing_for(error))

    def _totals(self) -> Totals:
        return Totals(
            heard_s=self._dialogue.answers.spoken_ms / 1000,
            user_s=self._dialogue.user.spoken_ms / 1000,
        )

    def _settings(self) -> dict[str, Any]:
        return self._dialogue.config.public(f"sess_{self.id}", self._call.cast.spec.turn_taking)

    def _ready(self, *, resumed: bool, rebuilt: bool = False) -> dict[str, Any]:
        menu, remaining_s = self._call.cast.menu, self._allowance.remaining_s
        return {
            "type": "troupe.session.ready",
            "session_id": self.id,
            "character": self._call.cast.character,
            "voice": self._dialogue.config.voice,
            "style": self._dialogue.style.slug,
            "styles": [choice.public() for choice in menu.styles],
            "voices": [choice.public() for choice in menu.voices],
            "activities": [choice.public() for choice in menu.activities],
            "resume_window_s": self._call.limits.resume_s,
            "remaining_s": None if remaining_s is None else round(remaining_s),
            "resumed": resumed,
            "rebuilt": rebuilt,
        }
