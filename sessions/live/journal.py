"""Writes the turns of a session down, in a task beside the media path."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db import InterfaceError, OperationalError

from sessions.errors import Fenced
from sessions.live import figures

logger = logging.getLogger(__name__)

TRIES = 4
"""Of a turn that the database refuses. One that cannot be reached is tried until it is back."""

FIRST_WAIT_S = 0.2
MOST_WAIT_S = 3.0
FLUSH_S = 10.0


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One speaker's stretch, as far as it is known. The same `index` again stands for the earlier record."""

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


class Pages(Protocol):
    """Where a journal is written. Raises `Fenced`, and the database's errors."""

    async def write_turn(self, turn: TurnRecord, memory: dict[str, Any] | None = None) -> None: ...

    async def keep_memory(self, memory: dict[str, Any]) -> None: ...


class Journal:
    """Turns wait here until they are stored. At most one record per turn waits, so the talk itself is the bound."""

    def __init__(self, pages: Pages, *, last_index: int = 0) -> None:
        self._pages = pages
        self._waiting: dict[int, TurnRecord] = {}
        self._memory: dict[str, Any] | None = None
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._next_index = last_index
        self.on_fenced: Callable[[], None] = lambda: None
        """Called when another process holds the session by now: nothing more is written."""

    def next_index(self) -> int:
        """A place for a turn that begins now."""
        self._next_index += 1
        return self._next_index

    def record(self, turn: TurnRecord) -> None:
        self._waiting[turn.index] = turn
        self._wake()

    def remember(self, memory: dict[str, Any]) -> None:
        """What the session would need to go on elsewhere: only the newest counts, and it is written after the turns."""
        self._memory = memory
        self._wake()

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    async def run(self) -> None:
        """Stores what waits, in order, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.write_out()

    async def write_out(self) -> None:
        """Returns when everything is stored. A turn whose writing is cancelled still waits and may be written again."""
        while self._waiting or self._memory is not None:
            index = next(iter(self._waiting), None)
            if index is None:
                await self._keep_memory()
            else:
                await self._store(self._waiting[index])
        self._idle.set()

    async def flush(self, limit_s: float = FLUSH_S) -> bool:
        """Whether everything recorded was stored within the limit."""
        try:
            await asyncio.wait_for(self._idle.wait(), limit_s)
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        self._idle.clear()
        self._news.set()

    async def _store(self, turn: TurnRecord) -> None:
        memory = self._memory if len(self._waiting) == 1 else None

        async def write() -> None:
            await self._pages.write_turn(turn, memory)

        if not await self._try(write, f"turn {turn.index}"):
            figures.turn_lost()
            logger.error("turn %d is lost: the database refused it %d times", turn.index, TRIES)
        if self._waiting.get(turn.index) is turn:
            del self._waiting[turn.index]
        if memory is not None and self._memory is memory:
            self._memory = None

    async def _keep_memory(self) -> None:
        memory = self._memory
        if memory is None:
            return
        await self._try(lambda: self._pages.keep_memory(memory), "the memory")
        if self._memory is memory:
            self._memory = None

    async def _try(self, write: Callable[[], Awaitable[None]], what: str) -> bool:
        """Whether it was written. While the database is away it is tried on and on."""
        refusals = attempts = 0
        while refusals < TRIES:
            try:
                await write()
                return True
            except Fenced:
                self._let_go()
                return True
            except (OperationalError, InterfaceError, OSError) as error:
                logger.warning("%s waits for the database: %s", what, type(error).__name__)
            except Exception as error:
                # Whatever is wrong with this one record, the others are to be written.
                refusals += 1
                logger.warning("%s was refused at try %d: %s", what, refusals, type(error).__name__)
            await asyncio.sleep(min(FIRST_WAIT_S * 2 ** min(attempts, 10), MOST_WAIT_S))
            attempts += 1
        return False

    def _let_go(self) -> None:
        figures.write_fenced()
        self._waiting.clear()
        self._memory = None
        self.on_fenced()
