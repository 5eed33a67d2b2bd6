"""The control plane: quick news between processes over the channel layer.

News may be lost, with Redis or on its way: what matters is a row, and every holder looks at its rows when it renews
them. Audio never comes here.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from redis import RedisError

from sessions.dispatch.identity import this_process
from sessions.dispatch.workers import drain
from sessions.models import VoiceSession
from sessions.services import session_request_end

logger = logging.getLogger(__name__)

WORKERS = "troupe.workers"
SEND_LIMIT_S = 1.0
AGAIN_S = 2.0

LOST = (RedisError, OSError, TimeoutError)

OrderKind = Literal["end", "takeover", "drain"]


@dataclass(frozen=True, slots=True)
class Order:
    """`end` and `takeover` name a session, `drain` a worker."""

    kind: OrderKind
    session: str = ""
    worker: str = ""


async def end_session(session_id: UUID) -> bool:
    """Whoever holds the conversation ends it: at once, or with its next renewal. False: it is not live."""
    wanted = await database_sync_to_async(session_request_end)(session_id=session_id)
    if wanted:
        await tell_session(session_id, "end")
    return wanted


async def drain_worker(worker_id: str, *, wanted: bool = True) -> bool:
    """The worker takes no new calls and its calls move; it hears of it with its next heartbeat. False: there is none.

    `wanted=False` takes it back.
    """
    known = await database_sync_to_async(drain)(worker_id=worker_id, wanted=wanted)
    if known and wanted:
        await _send(WORKERS, Order("drain", worker=worker_id))
    return known


async def tell_session(session_id: UUID, kind: OrderKind) -> None:
    """News for the process that holds the conversation, if one does. `takeover`: another process has taken it."""
    holder = await database_sync_to_async(_holder)(session_id)
    if holder:
        await tell_process(holder, Order(kind, session=str(session_id)))


async def tell_process(holder: str, order: Order) -> None:
    await _send(_group(holder), order)


class Listener:
    """Hears the news for this process. Started and stopped on the event loop that `on_order` is called on."""

    def __init__(self, on_order: Callable[[Order], None]) -> None:
        self._on_order = on_order
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="control")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=SEND_LIMIT_S)

    async def _run(self) -> None:
        layer: Any = get_channel_layer()
        while True:
            try:
                async with asyncio.timeout(SEND_LIMIT_S):
                    channel = await layer.new_channel()
                    for group in (_group(this_process().id), WORKERS):
                        await layer.group_add(group, channel)
                _tell_of(reached=True)
                await self._listen(layer, channel)
            except LOST:
                _tell_of(reached=False)
            await asyncio.sleep(AGAIN_S)

    async def _listen(self, layer: Any, channel: str) -> None:
        while True:
            order = _read(await layer.receive(channel))
            if order is None:
                continue
            try:
                self._on_order(order)
            except Exception:
                logger.exception("an order could not be followed: %s", order.kind)


_away = False


def _tell_of(*, reached: bool) -> None:
    """Logs the change, not the state: an outage is one line, and its end another."""
    global _away
    if _away and reached:
        logger.warning("the channel layer is back")
    elif not _away and not reached:
        logger.warning("the channel layer cannot be reached: orders arrive with the next renewal of each holder")
    _away = not reached


async def _send(group: str, order: Order) -> None:
    layer: Any = get_channel_layer()
    message = {"type": "troupe.order", "kind": order.kind, "session": order.session, "worker": order.worker}
    try:
        async with asyncio.timeout(SEND_LIMIT_S):
            await layer.group_send(group, message)
    except LOST:
        _tell_of(reached=False)
    else:
        _tell_of(reached=True)


def _read(message: Any) -> Order | None:
    if not isinstance(message, dict) or message.get("kind") not in ("end", "takeover", "drain"):
        return None
    return Order(message["kind"], str(message.get("session", "")), str(message.get("worker", "")))


def _group(holder: str) -> str:
    """A channel layer takes only some characters in names, and fewer than a hundred of them."""
    return "troupe.process." + re.sub(r"[^A-Za-z0-9_.-]", "-", holder)[-80:]


def _holder(session_id: UUID) -> str:
    row = VoiceSession.objects.filter(pk=session_id).values_list("holder", flat=True).first()
    return row or ""
