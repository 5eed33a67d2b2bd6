"""What ended sessions could not store in time, written when the database is back."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from sessions.live.tags import Tags, tagged

logger = logging.getLogger(__name__)

MOST = 2_000
GIVE_UP_S = 1_800.0


class Stragglers:
    """Bounded in number and in time. Used on the event loop of the server."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def take(self, session_id: str, work: Coroutine[Any, Any, None]) -> None:
        """`work` writes the rest of a session, waiting for the database as long as it must."""
        if len(self._tasks) >= MOST:
            work.close()
            logger.error("session %s: what it could not store is lost, %d others wait already", session_id, MOST)
            return
        task = asyncio.get_running_loop().create_task(
            self._finish(session_id, work),
            name=f"session-{session_id[:8]}:straggler",
            context=tagged(Tags(session_id)),
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self, limit_s: float) -> None:
        """Returns when all are done, or after the limit: the process is about to end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limit_s)

    async def _finish(self, session_id: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await work
        except TimeoutError:
            logger.error("session %s: what it could not store is lost after %g s", session_id, GIVE_UP_S)
        except Exception:
            logger.exception("session %s: the rest of it was not stored", session_id)


stragglers = Stragglers()
