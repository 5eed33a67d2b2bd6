"""To the process that holds a conversation: its client's socket is passed through to it, both ways.

The hop is between our own processes. A token signed with the key they share says which conversation it is for, so
that the holder need not, and cannot, ask the client's own single-use token again.
"""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt
from django.conf import settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from sessions.errors import NotAuthenticated
from sessions.live.closing import CloseCode
from sessions.live.outbox import STUCK_S

logger = logging.getLogger(__name__)

HEADER = "x-troupe-relay"
AUDIENCE = "troupe-relay"
LIFETIME_S = 30
CLOCKS_APART_S = 120
"""How far the clocks of two web processes may differ."""

CONNECT_LIMIT_S = 1.0
MESSAGES_AHEAD = 32
"""Messages of the holder that may wait here; beyond them it is the holder's outbox that waits, and drops audio."""

CLOSE_LIMIT_S = 1.0
NOT_HERE = {"no_such_session", "session_over"}
_FORBIDDEN_CODES = {1005, 1006, 1015}

Send = Callable[[dict[str, Any]], Awaitable[None]]


class HolderSilent(Exception):
    """The process that should hold the conversation does not answer, or does not hold it."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What the holder is told instead of the client's handshake."""

    session_id: str
    fence: int
    """Of the hold, as its row says: a process that has lost the conversation without knowing it does not take it."""

    tier: bool
    after: int | None


def pass_token(ticket: Pass) -> str:
    now = int(time.time())
    claims = {"aud": AUDIENCE, "sub": ticket.session_id, "fence": ticket.fence, "tier": ticket.tier}
    claims |= {"after": ticket.after, "iat": now, "exp": now + LIFETIME_S}
    return jwt.encode(claims, settings.WORKER_KEY, algorithm="HS256")


def read_pass(token: str) -> Pass:
    """Raises `NotAuthenticated`."""
    try:
        claims = jwt.decode(
            token,
            settings.WORKER_KEY,
            ["HS256"],
            {"require": ["aud", "exp", "sub", "fence"], "verify_iat": False},
            audience=AUDIENCE,
            leeway=CLOCKS_APART_S,
        )
    except jwt.PyJWTError:
        raise NotAuthenticated("this is no pass between our processes") from None
    after, fence = claims.get("after"), claims["fence"]
    if not isinstance(fence, int):
        raise NotAuthenticated("the pass is malformed")
    return Pass(str(claims["sub"]), fence, bool(claims.get("tier")), after if isinstance(after, int) else None)


class Relay:
    """One socket, passed through."""

    def __init__(self, upstream: ClientConnection, first: str | bytes) -> None:
        self._upstream = upstream
        self._first = first

    @classmethod
    async def open(cls, url: str, ticket: Pass) -> "Relay":
        """To the holder at `url` (`http://HOST:PORT`). Raises `HolderSilent`, within `CONNECT_LIMIT_S`."""
        place = urlsplit(url)
        address = f"{'wss' if place.scheme == 'https' else 'ws'}://{place.netloc}/v1/realtime"
        upstream: ClientConnection | None = None
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                upstream = await connect(
                    address,
                    additional_headers={HEADER: pass_token(ticket)},
                    compression=None,
                    max_size=None,
                    max_queue=MESSAGES_AHEAD,
                    close_timeout=CLOSE_LIMIT_S,
                    proxy=None,
                )
                first = await upstream.recv()
        except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
            if upstream is not None:
                upstream.transport.abort()
            raise HolderSilent(type(error).__name__) from error
        if _says_not_here(first):
            await upstream.close()
            raise HolderSilent("it does not hold this conversation")
        return cls(upstream, first)

    async def run(self, send: Send) -> None:
        """Passes what the holder sends on to the client, and then its close code.

        A holder that dies makes its client connect again: by then the conversation can be taken over.
        """
        code = int(CloseCode.RESTARTING)
        try:
            await self._pass_down(send, self._first)
            async for message in self._upstream:
                await self._pass_down(send, message)
        except (ConnectionClosed, TimeoutError):
            pass
        except (OSError, RuntimeError):
            return  # The client has gone; `leave` says so to the holder.
        if self._upstream.close_code is not None and self._upstream.close_code not in _FORBIDDEN_CODES:
            code = self._upstream.close_code
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await send({"type": "websocket.close", "code": code})

    async def up(self, message: dict[str, Any]) -> None:
        """One message of the client. A holder that does not take it in time is given up."""
        data = message.get("bytes")
        try:
            async with asyncio.timeout(STUCK_S):
                await self._upstream.send(data if data is not None else message["text"])
        except (ConnectionClosed, TimeoutError):
            self._upstream.transport.abort()

    async def leave(self, code: int) -> None:
        """The client has closed with this code, or is lost."""
        if code in _FORBIDDEN_CODES:
            self._upstream.transport.abort()
            return
        with contextlib.suppress(ConnectionClosed, TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._upstream.close(code)

    async def _pass_down(self, send: Send, message: str | bytes) -> None:
        kind = "text" if isinstance(message, str) else "bytes"
        async with asyncio.timeout(STUCK_S):
            await send({"type": "websocket.send", kind: message})


def _says_not_here(first: str | bytes) -> bool:
    if not isinstance(first, str):
        return False
    event = json.loads(first)
    return event.get("type") == "error" and event["error"].get("code") in NOT_HERE
