"""Dispatch as one live session sees it."""

from collections.abc import Collection

from inference.client import Ticket
from sessions.dispatch import booking


class BookingDesk:
    """A `sessions.live.moving.Dispatcher` for the holder with this fence."""

    def __init__(self, holder_fence: int) -> None:
        self._holder_fence = holder_fence

    async def reserve(
        self, *, session_id: str, lane: str, language: str, sticky: str = "", exclude: Collection[str] = ()
    ) -> Ticket:
        return await booking.reserve(
            session_id=session_id,
            lane=lane,
            language=language,
            sticky=sticky,
            exclude=exclude,
            holder_fence=self._holder_fence,
        )

    async def confirm(self, ticket: Ticket) -> None:
        await booking.confirm(ticket)

    async def release(self, ticket: Ticket, reason: str) -> None:
        await booking.release(ticket, reason)
