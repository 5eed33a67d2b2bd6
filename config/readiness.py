"""Whether this web process can take new work, and what it lacks if not."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from channels.layers import get_channel_layer
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from sessions import dispatch
from sessions.live.registry import live_sessions

LIMIT_S = 1.5
THREADS = 4
"""Checks stuck on a database that does not answer hold at most so many."""

T = TypeVar("T")
Check = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Report:
    missing: Mapping[str, str]
    """What is not there, and the kind of error that said so."""

    known: Mapping[str, Any] = field(default_factory=dict)
    """What the other checks found."""

    @property
    def ready(self) -> bool:
        return not self.missing


class NotYet(Exception):
    """A check that could be made and failed."""


class Readiness:
    """Runs its checks side by side, each within `LIMIT_S`."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="readiness")
        self._is_migrated = False
        self._channel = ""
        self._checks: dict[str, Check] = {
            "process": self._process,
            "database": self._database,
            "migrations": self._migrations,
            "channel_layer": self._channel_layer,
            "capacity": self._capacity,
        }

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._checks)

    async def report(self, *, without: frozenset[str] = frozenset()) -> Report:
        names = [name for name in self._checks if name not in without]
        results = await asyncio.gather(*(self._tried(self._checks[name]) for name in names))
        found = dict(zip(names, results, strict=True))
        return Report(
            missing={name: str(why) for name, why in found.items() if isinstance(why, NotYet)},
            known={name: what for name, what in found.items() if not isinstance(what, NotYet) and what is not None},
        )

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Database work beside the threads that requests need."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _with_own_connection, work)

    async def _tried(self, check: Check) -> Any:
        try:
            async with asyncio.timeout(LIMIT_S):
                return await check()
        except NotYet as error:
            return error
        except TimeoutError:
            return NotYet(f"no answer within {LIMIT_S:g} s")
        except Exception as error:
            return NotYet(type(error).__name__)

    async def _process(self) -> None:
        if live_sessions.draining:
            raise NotYet("draining")

    async def _database(self) -> None:
        await self.in_thread(_select_one)

    async def _migrations(self) -> None:
        if self._is_migrated:
            return
        waiting = await self.in_thread(_num_migrations_waiting)
        if waiting:
            raise NotYet(f"{waiting} are not applied; run `manage.py migrate`")
        self._is_migrated = True

    async def _channel_layer(self) -> None:
        layer = get_channel_layer()
        if layer is None:
            raise NotYet("none is configured")
        # Always the same channel: each new one would stay subscribed.
        self._channel = self._channel or await layer.new_channel()
        check = secrets.token_hex(8)
        await layer.send(self._channel, {"type": "readiness.check", "check": check})
        while (await layer.receive(self._channel)).get("check") != check:
            pass

    async def _capacity(self) -> dict[str, int]:
        """Known, not ample: pages are served and calls go on where no worker has room."""
        capacity = await self.in_thread(dispatch.capacity)
        return {"workers": capacity.workers, "slots": capacity.slots, "slots_open": capacity.slots_open}


def _with_own_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()


def _select_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _num_migrations_waiting() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
