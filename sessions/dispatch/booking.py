"""Dispatch for sockets: the same transactions, awaited. Each borrows a connection and gives it back.

A database that is away is told like a full house: nothing is lost by trying again.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TypeVar
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import Error as DatabaseGone

from inference.client import Ticket
from sessions import dispatch, services
from sessions.dispatch.identity import this_process
from sessions.errors import Full
from sessions.live.closing import RETRY_AFTER_S

Result = TypeVar("Result")


async def reserve(
    *,
    session_id: UUID | str,
    lane: str,
    language: str,
    sticky: str = "",
    exclude: Collection[str] = (),
    holder_fence: int | None = None,
) -> Ticket:
    """`sessions.dispatch.reserve`. Raises `Full` also when the database is away."""
    return await _asked(
        lambda: dispatch.reserve(
            session_id=session_id,
            lane=lane,
            language=language,
            sticky=sticky,
            exclude=exclude,
            holder_fence=holder_fence,
        )
    )


async def confirm(ticket: Ticket) -> None:
    """Raises `Fenced`, and `Full` when the database is away."""
    await _asked(lambda: dispatch.confirm(ticket))


async def release(ticket: Ticket, reason: str = "ended") -> None:
    """Raises nothing of the database's: a lease that cannot be given back now runs out by itself."""
    try:
        await database_sync_to_async(dispatch.release)(ticket, reason)
    except DatabaseGone:
        return


async def hold(session_id: UUID, *, over: int | None = None) -> int:
    """`sessions.services.session_hold` for this process: the fence of its writes.

    Raises `Held`, `NoSession`, `SessionOver`, and `Full` when the database is away.
    """
    me = this_process()
    return await _asked(lambda: services.session_hold(session_id=session_id, holder=me.id, url=me.url, over=over))


async def renew(fences: Mapping[str, int], leases: Iterable[str]) -> dispatch.Renewal:
    """Everything this process holds, every `terms.RENEW_S`. Raises `django.db.Error` when the database is away."""
    return await database_sync_to_async(dispatch.renew_holds)(
        holder=this_process().id, fences=dict(fences), leases=list(leases)
    )


async def let_go(session_id: UUID, fence: int) -> None:
    """This process stops while the conversation goes on: whoever its client reaches next may take it at once."""
    try:
        await database_sync_to_async(services.session_let_go)(session_id=session_id, fence=fence)
    except DatabaseGone:
        return


async def _asked(work: Callable[[], Result]) -> Result:
    try:
        return await database_sync_to_async(work)()
    except DatabaseGone as error:
        raise Full("the service is not ready; try again in a moment", retry_after_s=RETRY_AFTER_S) from error
