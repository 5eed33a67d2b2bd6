"""Writes the turns of a session down, in a task beside the media path."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError

logger = logging.getLogger(__name__)

TRIES = 4
FIRST_WAIT_S = 0.2
FLUSH_S = 10.0


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One speaker's finished stretch. The same `index` again stands for the earlier record."""

    index: int
    item_id: str
    speaker: str
    text: str
    """What was heard."""

    started_ms: int
    ended_ms: int
    full_text: str = ""
    interrupted: bool = False
    typed: bool = False
    words: list[list[Any]] = field(default_factory=list)
    latency: dict[str, float] = field(default_factory=dict)


Write = Callable[[TurnRecord], Awaitable[None]]


class Journal:
    """Turns wait here until they are stored. At most one record per turn waits, so the talk itself is the bound."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: dict[int, TurnRecord] = {}
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._next_index = 0

    def next_index(self) -> int:
        """A place for a turn that begins now."""
        self._next_index += 1
        return self._next_index

    def record(self, turn: TurnRecord) -> None:
        self._waiting[turn.index] = turn
        self._idle.clear()
        self._news.set()

    async def run(self) -> None:
        """Stores what waits, in order, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                index = next(iter(self._waiting))
                await self._store(self._waiting.pop(index))
            self._idle.set()

    async def flush(self) -> None:
        """Returns when everything recorded is stored, or after `FLUSH_S`."""
        try:
            await asyncio.wait_for(self._idle.wait(), FLUSH_S)
        except TimeoutError:
            logger.error("%d turns could not be stored in time", len(self._waiting))

    async def _store(self, turn: TurnRecord) -> None:
        for attempt in range(TRIES):
            try:
                await self._write(turn)
                return
            except DatabaseError:
                logger.warning("turn %d was not stored at try %d", turn.index, attempt + 1, exc_info=True)
                await asyncio.sleep(FIRST_WAIT_S * 2**attempt)
        logger.error("turn %d is lost: the database refused it %d times", turn.index, TRIES)
