"""In front of the socket: a program that finds no room is told so before its socket is accepted.

It reads status and `Retry-After` of the handshake. A browser sees neither, only the close code of a socket that was
accepted, so it is let in and told there; its `POST /sessions/` has asked for room before.
"""

import json
from collections.abc import Mapping
from typing import Any

from channels.db import database_sync_to_async
from django.db import Error as DatabaseGone

from inference.errors import AtCapacity
from sessions import dispatch
from sessions.errors import Full
from sessions.live import figures
from sessions.live.closing import RETRY_AFTER_S
from sessions.live.registry import live_sessions

RESPONSE = "websocket.http.response"


def check_room() -> None:
    """Raises `Full` when no conversation can begin now: better here, with words, than at the worker."""
    try:
        room = dispatch.capacity()
    except DatabaseGone as error:
        raise Full("the service is not ready; try again in a moment", retry_after_s=RETRY_AFTER_S) from error
    if room.workers == 0:
        raise Full("the voice engine is starting; try again in a moment", retry_after_s=RETRY_AFTER_S)
    if room.slots_open <= 0:
        raise Full("all voices are taken; try again in a moment", retry_after_s=RETRY_AFTER_S)


class Door:
    """An ASGI application around that of the socket."""

    def __init__(self, inside: Any) -> None:
        self._inside = inside

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not _reads_status(scope) or _comes_back(scope):
            await self._inside(scope, receive, send)
            return
        try:
            live_sessions.check_room()
            await database_sync_to_async(check_room)()
        except AtCapacity as error:
            await _turn_away(scope, receive, send, Full(str(error), retry_after_s=RETRY_AFTER_S))
        except Full as refusal:
            await _turn_away(scope, receive, send, refusal)
        else:
            await self._inside(scope, receive, send)


def _reads_status(scope: Mapping[str, Any]) -> bool:
    """No page of a browser can set this header on a socket."""
    return any(name.lower() == b"authorization" for name, _value in scope["headers"])


def _comes_back(scope: Mapping[str, Any]) -> bool:
    """To a conversation that has its slot already."""
    return b"session=" in scope["query_string"]


async def _turn_away(scope: Mapping[str, Any], receive: Any, send: Any, refusal: Full) -> None:
    figures.refused(refusal.code)
    await receive()  # websocket.connect
    if RESPONSE not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": refusal.close_code})
        return
    error = {"code": refusal.code, "message": refusal.message, "retry_after_s": refusal.retry_after_s}
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"retry-after", str(refusal.retry_after_s).encode()),
    ]
    await send({"type": f"{RESPONSE}.start", "status": refusal.status, "headers": headers})
    await send({"type": f"{RESPONSE}.body", "body": json.dumps({"error": error}).encode()})
