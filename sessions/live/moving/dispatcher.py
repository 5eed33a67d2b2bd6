"""Who gives leases: all that a live session knows of dispatch."""

from collections.abc import Collection
from typing import Protocol

from inference.client import Ticket


class Dispatcher(Protocol):
    async def reserve(
        self, *, session_id: str, lane: str, language: str, sticky: str = "", exclude: Collection[str] = ()
    ) -> Ticket:
        """A place on a worker. Raises `sessions.errors.Full`, `NoVoiceModel`, or `Fenced` where another process holds
        the session."""

    async def confirm(self, ticket: Ticket) -> None:
        """The stream is open."""

    async def release(self, ticket: Ticket, reason: str) -> None:
        """The stream is over. Idempotent."""
