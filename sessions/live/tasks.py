"""The tasks of one session: every one named, none outliving its owner."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from sessions.live.tags import Tags, tagged

logger = logging.getLogger(__name__)


class Tasks:
    """Owns tasks. A task that fails tells `on_fault` instead of dying unseen."""

    def __init__(self, owner: str, on_fault: Callable[[BaseException], None], tags: Tags | None = None) -> None:
        self._owner = owner
        self._tags = tags or Tags(owner)
        self._on_fault = on_fault
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # An empty context but for the tags: the task belongs to the session, not to the socket whose message started
        # it, and database work must not run on that socket's own thread.
        task = asyncio.get_running_loop().create_task(work, name=f"{self._owner}:{name}", context=tagged(self._tags))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def stop(self, limit_s: float = 5.0) -> None:
        """Cancels what runs, except the caller, and waits for it within the limit."""
        others = {task for task in self._running if task is not asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=limit_s)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            logger.error("task %s failed", task.get_name(), exc_info=error)
            self._on_fault(error)
