"""What this process holds, renewed together: conversations and their leases, in one go every few seconds."""

import asyncio
import contextvars
import logging
from contextlib import suppress

from django.db import Error as DatabaseGone

from sessions import control
from sessions.control import Order
from sessions.dispatch import Renewal, booking
from sessions.dispatch.terms import RENEW_S
from sessions.live import closing
from sessions.live.registry import live_sessions

logger = logging.getLogger(__name__)


class Holding:
    """Runs while there are live sessions, on their event loop."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    def start(self) -> None:
        """Idempotent. Called when a session has begun."""
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.done() or self._task.get_loop() is not loop:
            self._news = asyncio.Event()
            self._task = loop.create_task(self._run(), name="holding", context=contextvars.Context())

    def check_soon(self) -> None:
        """Something has changed that concerns a session of ours: the rows say what."""
        self._news.set()

    async def _run(self) -> None:
        listener = control.Listener(_follow)
        listener.start()
        try:
            reached = True
            while len(live_sessions):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), RENEW_S)
                self._news.clear()
                reached = await self._renew(reached)
        finally:
            # Before anything is awaited: a session that begins now gets a task of its own.
            if self._task is asyncio.current_task():
                self._task = None
            await listener.stop()

    async def _renew(self, reached: bool) -> bool:
        """Whether the database was reached. While it is away calls go on; what ran out is renewed afterwards."""
        sessions = live_sessions.going_on()
        leases = {session.lease: session for session in sessions if session.lease is not None}
        try:
            renewal = await booking.renew({session.id: session.fence for session in sessions}, list(leases))
        except (DatabaseGone, OSError) as error:
            if reached:
                logger.warning("%d sessions cannot be renewed: %s", len(sessions), type(error).__name__)
            return False
        except Exception:
            logger.exception("%d sessions were not renewed", len(sessions))
            return False
        _act(renewal)
        for lease, session in leases.items():
            if lease in renewal.lost_leases and session.lease == lease and session.id not in renewal.fenced:
                session.lease_lost()
        return True


def _act(renewal: Renewal) -> None:
    for session_id in renewal.fenced:
        session = live_sessions.get(session_id)
        if session is not None:
            session.end(closing.FENCED)
    for session_id in renewal.end_requested:
        live_sessions.end(session_id)


def _follow(order: Order) -> None:
    """News from other processes. The rows say the same, a little later."""
    session = live_sessions.get(order.session) if order.session else None
    if session is None:
        return
    if order.kind == "end":
        session.end(closing.ENDED)
    elif order.kind == "takeover":
        holding.check_soon()


holding = Holding()
