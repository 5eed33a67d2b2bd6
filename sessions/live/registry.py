"""The live sessions of this process."""

import asyncio

from inference.errors import AtCapacity
from sessions.live import closing
from sessions.live.session import LiveSession
from sessions.live.stragglers import stragglers

STRAGGLERS_S = 2.0
"""How long a process that stops waits for a database that is away."""


class LiveSessions:
    """A bounded set. Used on the event loop of the server."""

    def __init__(self, capacity: int = 1_024) -> None:
        self._capacity = capacity
        self._sessions: dict[str, LiveSession] = {}
        self._draining = False

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def draining(self) -> bool:
        return self._draining

    def check_room(self) -> None:
        """Raises `AtCapacity` when no session may begin."""
        if self._draining or len(self._sessions) >= self._capacity:
            raise AtCapacity("this server takes no new conversations at the moment")

    def add(self, session: LiveSession) -> None:
        self._sessions[session.id] = session

    def get(self, session_id: str) -> LiveSession | None:
        """The session, unless it is over."""
        session = self._sessions.get(session_id)
        return None if session is None or session.is_over else session

    def going_on(self) -> list[LiveSession]:
        """Those that are not over."""
        return [session for session in self._sessions.values() if not session.is_over]

    def remove(self, session: LiveSession) -> None:
        """It is over. Another of the same id may have taken its place meanwhile."""
        if self._sessions.get(session.id) is session:
            del self._sessions[session.id]

    def end(self, session_id: str) -> None:
        """Somebody wants this session ended."""
        session = self.get(session_id)
        if session is not None:
            session.end(closing.ENDED)

    async def drain(self) -> None:
        """Tells every client that the server restarts (1012), stores what was said, and takes no new session.

        Sessions that can be resumed are let go of, so that another process, or this one after its restart, takes them
        up; the others end.
        """
        self._draining = True
        sessions = list(self._sessions.values())
        for session in sessions:
            session.suspend()
        await asyncio.gather(*(session.ended() for session in sessions))
        await stragglers.settled(STRAGGLERS_S)

    def open_again(self) -> None:
        """After a drain that was not the end of the process."""
        self._draining = False


live_sessions = LiveSessions()


async def drain() -> None:
    """For the server's shutdown, before it closes its sockets."""
    await live_sessions.drain()
