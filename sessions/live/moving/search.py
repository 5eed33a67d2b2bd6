"""Finding a worker: a lease, then a stream, and another try elsewhere when one of them fails."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from inference.client import Ticket, VoiceStream, WorkerClient
from inference.errors import InferenceError, InvalidSpec, WorkerUnavailable
from inference.protocol import SessionSpec
from sessions.errors import Fenced, Full
from sessions.live.moving.dispatcher import Dispatcher

logger = logging.getLogger(__name__)

RESERVE_LIMIT_S = 3.0
OPEN_LIMIT_S = 2.0
SETTLE_LIMIT_S = 5.0
WAITS_S = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Before each try of a session that lost its worker; the last one again and again."""

Door = Callable[[str], WorkerClient]


@dataclass(frozen=True, slots=True)
class Place:
    ticket: Ticket
    stream: VoiceStream


class Search:
    """Finds places for the streams of one session."""

    def __init__(self, dispatcher: Dispatcher, door: Door, *, sticky: str = "") -> None:
        self._dispatcher = dispatcher
        self._door = door
        self._sticky = sticky
        self._errands: set[asyncio.Task[None]] = set()

    async def first(self, spec: SessionSpec, tries: int = 2) -> Place:
        """A place for a call that begins: on another worker when the chosen one refuses.

        Raises what `Dispatcher.reserve` raises, `InvalidSpec`, and `AtCapacity` or `WorkerUnavailable` in the end.
        """
        refused: set[str] = set()
        failure: InferenceError = WorkerUnavailable("no worker was found")
        for _ in range(tries):
            try:
                return await self._try(spec, refused)
            except InvalidSpec:
                raise
            except InferenceError as error:
                failure = error
            except Full:
                if not refused:
                    raise
                raise failure from None
        raise failure

    async def again(self, spec: SessionSpec, lost: str, limit_s: float) -> Place:
        """A place for a call that lost its worker, tried at once and then with growing waits.

        Raises `WorkerUnavailable` after `limit_s`, and what says that the session is not ours any more.
        """
        ends_at = time.monotonic() + limit_s
        avoided = {lost}
        for number in range(1_000):
            await asyncio.sleep(WAITS_S[min(number, len(WAITS_S) - 1)])
            if time.monotonic() >= ends_at:
                break
            known = len(avoided)
            try:
                return await self._try(spec, avoided)
            except Fenced:
                raise
            except Exception as error:  # whatever dispatch or a worker may meet: the next try may not
                logger.warning("session %s: try %d found no worker: %s", spec.session_id, number, type(error).__name__)
            if len(avoided) == known and number >= 2:
                # Nobody else is there: those that refused may have room by now, and what died may be back.
                avoided = {lost} if time.monotonic() < ends_at - limit_s / 2 else set()
        raise WorkerUnavailable("no other worker took the call over")

    def settle(self, place: Place, reason: str) -> None:
        """Gives a place back, beside the talk."""
        self._errand(self._settle(place, reason))

    def confirm(self, ticket: Ticket) -> None:
        """Tells dispatch that the stream is open, beside the talk."""
        self._errand(self._confirm(ticket))

    async def done(self) -> None:
        """Returns when all errands are run, or after their limit."""
        if self._errands:
            await asyncio.wait(self._errands, timeout=SETTLE_LIMIT_S)

    async def _try(self, spec: SessionSpec, avoided: set[str]) -> Place:
        async with asyncio.timeout(RESERVE_LIMIT_S):
            ticket = await self._dispatcher.reserve(
                session_id=spec.session_id,
                lane=spec.lane.value,
                language=spec.ears.language,
                sticky=self._sticky,
                exclude=tuple(avoided),
            )
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                stream = await self._door(ticket.url).open(spec, ticket)
        except TimeoutError as error:
            self._refused(ticket, avoided)
            raise WorkerUnavailable("the worker did not answer in time") from error
        except InferenceError:
            self._refused(ticket, avoided)
            raise
        self._sticky = ticket.worker
        self.confirm(ticket)
        return Place(ticket, stream)

    def _refused(self, ticket: Ticket, avoided: set[str]) -> None:
        avoided.add(ticket.worker)
        self._errand(self._release(ticket, "refused"))

    async def _settle(self, place: Place, reason: str) -> None:
        with suppress(InferenceError):
            await place.stream.close()
        await self._release(place.ticket, reason)

    async def _confirm(self, ticket: Ticket) -> None:
        await self._quietly(self._dispatcher.confirm(ticket), "confirmed")

    async def _release(self, ticket: Ticket, reason: str) -> None:
        await self._quietly(self._dispatcher.release(ticket, reason), "released")

    async def _quietly(self, step: Coroutine[Any, Any, None], what: str) -> None:
        """A lease that cannot be told of runs out by itself."""
        try:
            async with asyncio.timeout(SETTLE_LIMIT_S):
                await step
        except Exception as error:
            logger.warning("a lease could not be %s: %s", what, type(error).__name__)

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
