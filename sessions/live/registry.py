"""The live sessions of this process."""

import asyncio

from inference.errors import AtCapacity
from sessions.live.closing import DRAINING
from sessions.live.session import LiveSession


class LiveSessions:
    """A bounded set. Used on the event loop of the server."""

    def __init__(self, capacity: int = 1_024) -> None:
        self._capacity = capacity
        self._sessions: dict[str, LiveSession] = {}
        self._draining = False

    def __len__(self) -> int:
        return len(self._sessions)

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

    def remove(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)

    async def drain(self) -> None:
        """Tells every client that the server restarts (1012), stores what was said, and takes no new session."""
        self._draining = True
        sessions = list(self._sessions.values())
        for session in sessions:
            session.end(DRAINING)
        await asyncio.gather(*(session.ended() for session in sessions))

    def open_again(self) -> None:
        """After a drain that was not the end of the process."""
        self._draining = False


live_sessions = LiveSessions()


async def drain() -> None:
    """For the server's shutdown, before it closes its sockets."""
    await live_sessions.drain()
