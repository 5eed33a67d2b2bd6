"""A `VoiceStream` that goes on elsewhere when its worker dies, stalls or drains: one stream for the session."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator

from inference.client import Ticket, client_at
from inference.errors import InferenceError, StreamClosed, WorkerUnavailable
from inference.protocol import (
    CancelSpeech,
    ClearInput,
    Command,
    Draining,
    EndSpeech,
    Event,
    Fault,
    InputCleared,
    Lane,
    OutputGain,
    Ready,
    SessionSpec,
    SetOutput,
    SetStyle,
    SetTurnTaking,
    SetVoice,
    SpeakPart,
    StartSpeech,
    UserActive,
)
from sessions.errors import Fenced, Refusal
from sessions.live.moving.dispatcher import Dispatcher
from sessions.live.moving.events import Moved
from sessions.live.moving.ledger import Ledger
from sessions.live.moving.leg import Continued, Leg
from sessions.live.moving.script import Script
from sessions.live.moving.search import Door, Place, Search
from sessions.live.tags import current_tags

logger = logging.getLogger(__name__)

MOVE_LIMIT_S = 10.0
LEAVE_EARLY_S = 2.0
"""Before a draining worker's deadline, whatever is being said."""

PREPARE_LIMIT_S = 20.0
DRAIN_RETRY_S = 1.0
QUIET_POLL_S = 0.1
RESTORE_RAMP_MS = 200
MOVES_ON = {"worker_unavailable", "superseded", "stream_closed"}
"""Fatal faults that another worker does not share. Whether it was superseded by our own doing dispatch knows."""

HEARS_AGAIN = {Lane.COMPOSED, Lane.TURN}
"""Lanes whose ears may be given late what they missed. Others live in the moment."""


class MovingStream:
    """One call's stream, whichever worker serves it. Used on one event loop.

    `events` yields, besides the worker's own, a `Moved` after each move.
    """

    def __init__(self, spec: SessionSpec, dispatcher: Dispatcher, *, door: Door = client_at, sticky: str = "") -> None:
        self.id = f"moving-{spec.session_id}"
        self._ledger = Ledger(spec)
        self._search = Search(dispatcher, door, sticky=sticky)
        self._leg: Leg | None = None
        self._num_legs = 0
        self._asides: deque[Event | Moved] = deque()
        """What the session is told without a worker."""

        self._news = asyncio.Event()
        self._drain: asyncio.Task[None] | None = None
        self._closed = False

    # --- `VoiceStream` ---

    async def open(self) -> None:
        """Takes the first place. Raises as `Search.first` does."""
        place = await self._search.first(self._ledger.spec)
        self._begin(self._new_leg(place, self._ledger.spec))

    def send_audio(self, pcm: bytes) -> None:
        self._ledger.uplink.add(pcm)
        if self._leg is not None and self._leg.alive:
            self._leg.stream.send_audio(pcm)

    def send(self, command: Command) -> None:
        """Without a worker it is kept for the next. Raises `StreamClosed` after the end."""
        if self._closed:
            raise StreamClosed("the stream has ended")
        self._ledger.asked(command)
        leg = self._leg
        if leg is not None and leg.alive:
            theirs = leg.asked(command)
            if theirs is None:
                return
            try:
                leg.stream.send(theirs)
                return
            except (StreamClosed, WorkerUnavailable):
                leg.alive = False  # Its events say so presently.
        if isinstance(command, CancelSpeech | ClearInput):
            self._settle_scripts()

    async def events(self) -> AsyncIterator[Event]:
        leg = self._leg
        while leg is not None and not self._closed:
            async for event in self._events_of(leg):
                yield event
            while self._asides:
                yield self._asides.popleft()  # type: ignore[misc]
            if self._closed:
                return
            if self._leg is leg:
                async for event in self._move(leg):
                    yield event
            leg = self._leg

    async def close(self) -> None:
        """Gives the place back. Idempotent."""
        if not self._closed:
            self._closed = True
            self._news.set()
            if self._drain is not None:
                self._drain.cancel()
            leg, self._leg = self._leg, None
            if leg is not None:
                self._search.settle(Place(leg.ticket, leg.stream), "ended")
        await self._search.done()

    @property
    def ticket(self) -> Ticket | None:
        """Of the place it has at the moment."""
        return None if self._leg is None else self._leg.ticket

    def place_lost(self) -> None:
        """Dispatch has settled its lease: the place is not ours any more, and another is looked for."""
        if self._leg is not None:
            self._leg.alive = False
            self._search.settle(Place(self._leg.ticket, self._leg.stream), "lost")

    # --- one worker ---

    def _new_leg(self, place: Place, spec: SessionSpec) -> Leg:
        leg = Leg(self._num_legs, place.ticket, place.stream, spec, place.stream.events())
        self._num_legs += 1
        return leg

    async def _events_of(self, leg: Leg) -> AsyncIterator[Event]:
        """What this worker reports, as the session is to see it, until it is gone or left."""
        ledger = self._ledger
        try:
            async for event in leg.events:
                if self._leg is not leg:
                    return
                ledger.uplink.sign_of_life()
                if isinstance(event, Fault) and event.fatal and event.code in MOVES_ON:
                    return
                if isinstance(event, Draining):
                    self._worker_drains(leg, event.deadline_s)
                    continue
                public = leg.told(event)
                if public is not None and ledger.told(public):
                    yield public
                while self._asides:
                    yield self._asides.popleft()  # type: ignore[misc]
        except (WorkerUnavailable, StreamClosed):
            return

    # --- the worker is lost ---

    async def _move(self, lost: Leg) -> AsyncIterator[Event]:
        """Another worker takes over. Raises `WorkerUnavailable` when none does, `Fenced` when another process did."""
        began_at = time.monotonic()
        lost.alive, self._leg = False, None
        self._ledger.uplink.waits = True
        self._search.settle(Place(lost.ticket, lost.stream), "worker_lost")
        self._settle_scripts()
        logger.warning("session %s lost worker %s", self._ledger.spec.session_id, lost.ticket.worker)
        search = asyncio.create_task(self._find(lost))
        try:
            while not search.done():
                while self._asides:
                    yield self._asides.popleft()  # type: ignore[misc]
                self._news.clear()
                news = asyncio.ensure_future(self._news.wait())
                await asyncio.wait({search, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                if self._closed:
                    return
            leg = search.result()
        finally:
            if not search.done():
                search.cancel()
        self._begin(leg, reason="lost", gap_ms=round((time.monotonic() - began_at) * 1000))
        while self._asides:
            yield self._asides.popleft()  # type: ignore[misc]

    async def _find(self, lost: Leg) -> Leg:
        spec = self._ledger.spec_now()
        place = await self._search.again(spec, lost.ticket.worker, MOVE_LIMIT_S)
        if self._closed:
            self._search.settle(place, "ended")
            raise StreamClosed("the stream has ended")
        return self._new_leg(place, spec)

    # --- the worker drains ---

    def _worker_drains(self, leg: Leg, deadline_s: float) -> None:
        if self._drain is None or self._drain.done():
            leave_at = time.monotonic() + max(deadline_s - LEAVE_EARLY_S, 0.0)
            self._drain = asyncio.create_task(self._leave(leg, leave_at), name=f"{self.id}:drain")

    async def _leave(self, leg: Leg, leave_at: float) -> None:
        """The new stream first, then the change when nobody speaks, or at the last moment."""
        successor: Leg | None = None
        try:
            while successor is None and self._leg is leg and time.monotonic() < leave_at:
                successor = await self._successor(leg)
            while self._leg is leg and not self._ledger.is_quiet and time.monotonic() < leave_at:
                await asyncio.sleep(QUIET_POLL_S)
            if successor is None or self._leg is not leg or not successor.alive:
                return
            if not self._ledger.is_quiet:
                self._settle_scripts()
            self._begin(successor, reason="drained")
            taken, successor = successor, None
            logger.info("session %s moved to worker %s", self._ledger.spec.session_id, taken.ticket.worker)
            leg.alive = False
            self._search.settle(Place(leg.ticket, leg.stream), "drained")
        finally:
            if successor is not None:
                self._search.settle(Place(successor.ticket, successor.stream), "unused")

    async def _successor(self, leg: Leg) -> Leg | None:
        spec = self._ledger.spec_now()
        place: Place | None = None
        try:
            place = await self._search.again(spec, leg.ticket.worker, DRAIN_RETRY_S)
            successor = self._new_leg(place, spec)
            async with asyncio.timeout(PREPARE_LIMIT_S):
                async for event in successor.events:
                    if isinstance(event, Ready):
                        return successor
        except (InferenceError, Refusal, Fenced, TimeoutError) as error:
            logger.warning("no place to move to yet: %s", type(error).__name__)
        if place is not None:
            self._search.settle(place, "refused")
        await asyncio.sleep(DRAIN_RETRY_S)
        return None

    # --- setting up ---

    def _begin(self, leg: Leg, *, reason: str = "", gap_ms: int = 0) -> None:
        """From now on this worker serves the call."""
        ledger = self._ledger
        if leg.number:
            leg.epoch_base, leg.drops_base = ledger.epoch, ledger.drops
            utterance = ledger.utterance
            again = ledger.spec.lane in HEARS_AGAIN
            # What the client commits itself has no beginning: all that is kept belongs to it.
            began_ms = utterance.began_ms if utterance is not None else None if ledger.spec.detects_turns else 0
            leg.input_base_ms, packets = ledger.uplink.since(began_ms) if again else (ledger.uplink.total_ms, [])
            leg.open_utterance = utterance.id if utterance is not None else None
            self._hand_over(leg)
            for pcm in packets:
                leg.stream.send_audio(pcm)
            self._asides.append(
                Moved(
                    reason,
                    response_id=leg.continued.response_id if leg.continued is not None else None,
                    utterance_id=utterance.id if utterance is not None else None,
                    still_unheard=lambda: self._leg is leg and leg.open_utterance is not None,
                    gap_ms=gap_ms,
                )
            )
        ledger.uplink.waits = False
        self._leg = leg
        tags = current_tags()
        if tags is not None:
            tags.worker = leg.ticket.worker

    def _hand_over(self, leg: Leg) -> None:
        if self._ledger.is_ducked:
            self._ledger.is_ducked = False
            self._asides.append(OutputGain(0.0, RESTORE_RAMP_MS))
        try:
            for command in self._setup(leg):
                leg.stream.send(command)
        except (StreamClosed, WorkerUnavailable):
            leg.alive = False  # Its events say so presently, and then it is moved again.

    def _setup(self, leg: Leg) -> Iterator[Command]:
        """What the new worker must be told, in order."""
        ledger, opened, now = self._ledger, leg.spec, self._ledger.spec
        if now.style != opened.style:
            yield SetStyle(now.style)
        if (now.turn_taking, now.detects_turns) != (opened.turn_taking, opened.detects_turns):
            yield SetTurnTaking(now.turn_taking, now.detects_turns)
        if now.speaks != opened.speaks:
            yield SetOutput(now.speaks)
        for voice in ledger.voice_wishes:
            yield SetVoice(voice)
        script = ledger.script
        if script is not None and script.written:
            yield from self._rest(leg, script)
        else:
            yield UserActive()
        for command in ledger.unanswered:
            if not isinstance(command, ClearInput):
                yield command

    def _rest(self, leg: Leg, script: Script) -> Iterator[Command]:
        place = script.place()
        first_char, parts = script.rest(place)
        leg.continued = Continued(script.response_id, place, first_char, script.text[:first_char], script.started)
        yield StartSpeech(script.response_id, script.interruptible)
        for part in parts:
            yield SpeakPart(script.response_id, part)
        if script.ended:
            yield EndSpeech(script.response_id)

    def _settle_scripts(self) -> None:
        """Ends, without a worker, the responses that no other can go on with: cut ones, a model's own, those said."""
        ledger = self._ledger
        acknowledges = ledger.spec.acknowledges
        for script in ledger.scripts:
            if script.cancelled is not None or script is not ledger.script:
                ending = ("cancelled", script.cancelled or "client_cancelled")
            elif not script.written:
                ending = ("failed", WorkerUnavailable.code)
            elif script.ended and script.started and not script.rest(script.place())[1]:
                ending = ("completed", "")
            else:
                continue
            self._aside(script.finished(*ending, acknowledges=acknowledges))
        for command in ledger.unanswered:
            if isinstance(command, ClearInput):
                self._aside(InputCleared())

    def _aside(self, event: Event) -> None:
        self._ledger.told(event)
        self._asides.append(event)
        self._news.set()
