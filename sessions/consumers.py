"""The socket of `/v1/realtime`: it admits, relays and closes."""

import asyncio
import contextlib
import json
import logging
from contextvars import copy_context
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer

from sessions.direct import direct_socket
from sessions.errors import Refusal
from sessions.handshake import Handshake, chosen_subprotocol, read_handshake
from sessions.live import closing, figures
from sessions.live.closing import CloseCode
from sessions.live.limits import TokenBucket
from sessions.live.outbox import Outbox
from sessions.live.session import LiveSession
from sessions.live.tags import tag
from sessions.opening import live_session_for
from sessions.realtime.errors import ClientError, error_event
from sessions.relay import Relay

logger = logging.getLogger(__name__)

MAX_TEXT_CHARS = 1_000_000
"""About 15 s of base64 audio in one event."""

OPENING_LIMIT_S = 20.0
BAD_MESSAGES = 20
"""So many malformed messages at once, and one more every two seconds, are answered before the socket is closed."""

BAD_MESSAGES_PER_S = 0.5
MESSAGES = 3_000
"""A client may send a minute of audio at once, in packets of 20 ms; more is read no faster than `MESSAGES_PER_S`."""

MESSAGES_PER_S = 400.0
TURN_OF_OTHERS = 32
"""After so many messages in a row other sockets get their turn."""

LEAVING_CODES = {CloseCode.DONE, 1001, CloseCode.TOO_LARGE, CloseCode.MALFORMED}
"""A client that closes with the first two has left, and one closed for what it sent is not waited for; any other end
of the socket may be a lost connection."""


class RealtimeConsumer(AsyncConsumer):
    """One per socket. Messages of a running session never reach `dispatch`, which makes a thread hop for each."""

    def __init__(self) -> None:
        self._live: LiveSession | None = None
        self._relay: Relay | None = None
        """The session lives in another process: everything is passed through."""

        self._outbox: Outbox | None = None
        self._writer: asyncio.Task[None] | None = None
        self._bad_messages = TokenBucket(BAD_MESSAGES, BAD_MESSAGES_PER_S)
        self._messages = TokenBucket(MESSAGES, MESSAGES_PER_S)
        self._num_messages = 0
        self._is_taking = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def receive_the_rest() -> Any:
            while True:
                message = await receive()
                if message["type"] != "websocket.receive":
                    return message
                self._is_taking = True
                await self._take(message)
                self._is_taking = False

        # Each socket its own thread for the database: otherwise one slow query holds up every socket.
        async with ThreadSensitiveContext():
            try:
                await super().__call__(scope, receive_the_rest, send)
            finally:
                await self._leave(code=1006)

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        await self.send({"type": "websocket.accept", "subprotocol": chosen_subprotocol(self.scope)})
        try:
            handshake = read_handshake(self.scope)
            async with asyncio.timeout(OPENING_LIMIT_S):
                found = await live_session_for(handshake)
            self._join(found, handshake)
        except Refusal as refusal:
            await self._refuse(refusal.close_code, refusal.code, refusal.message, refusal.retry_after_s)
        except ClientError as error:
            await self._refuse(CloseCode.MALFORMED, error.code, error.message)
        except TimeoutError:
            await self._refuse(CloseCode.AT_CAPACITY, "at_capacity", "opening took too long", closing.RETRY_AFTER_S)
        except Exception:
            logger.exception("a socket could not be opened")
            await self._refuse(CloseCode.INTERNAL, "internal_error", closing.FAULT.message)

    def _join(self, found: LiveSession | Relay, handshake: Handshake) -> None:
        """Raises `ClientError` when the session does not reach back to where the client is."""
        if isinstance(found, Relay):
            self._relay = found
            figures.resumed("relayed")
            figures.socket_opened()
            self._writer = asyncio.create_task(found.run(self.send), name="relay")
            return
        tag(found.tags)
        direct = direct_socket(self.scope)
        outbox = Outbox(self.send, on_drop=found.dropped, send_now=None if direct is None else direct.send_now)
        comes_back = found.was_attached
        found.attach(outbox, after=handshake.after)
        if comes_back:
            figures.resumed("here")
        figures.socket_opened()
        self._live, self._outbox = found, outbox
        if direct is not None:
            # In this socket's own context, for the tags of what is logged.
            context = copy_context()
            direct.listen(lambda data: context.run(self._take_now, data))
        self._writer = asyncio.create_task(outbox.run(), name=f"session-{found.id[:8]}:outbox")

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        await self._leave(code=message.get("code", 1006))
        raise StopConsumer

    def _take_now(self, data: bytes) -> bool:
        """One binary message, if none before it is still being taken and the client is not too fast."""
        live, outbox = self._live, self._outbox
        if self._is_taking or live is None or outbox is None or not outbox.is_open or not self._messages.take():
            return False
        self._judge(outbox, understood=live.receive_binary(data))
        return True

    async def _take(self, message: dict[str, Any]) -> None:
        """One message of the client."""
        if self._relay is not None:
            await self._relay.up(message)
            return
        if self._live is None or self._outbox is None or not self._outbox.is_open:
            return
        self._num_messages += 1
        wait_s = self._messages.wait_s()
        if wait_s or self._num_messages % TURN_OF_OTHERS == 0:
            await asyncio.sleep(wait_s)
        data = message.get("bytes")
        if data is not None:
            understood = self._live.receive_binary(data)
        else:
            understood = self._take_text(self._live, message["text"])
        self._judge(self._outbox, understood=understood)

    def _judge(self, outbox: Outbox, *, understood: bool) -> None:
        if not understood and not self._bad_messages.take():
            outbox.close(CloseCode.MALFORMED)

    def _take_text(self, live: LiveSession, text: str) -> bool:
        if len(text) <= MAX_TEXT_CHARS:
            return live.receive_text(text)
        live.refuse(f"a message of {len(text)} characters is longer than {MAX_TEXT_CHARS}")
        assert self._outbox is not None
        self._outbox.close(CloseCode.TOO_LARGE)
        return True

    async def _refuse(self, code: int, name: str, message: str, retry_after_s: int | None = None) -> None:
        """Says why, then closes: a browser sees close codes only on a socket that was accepted."""
        figures.refused(name)
        more: dict[str, Any] = {} if retry_after_s is None else {"retry_after_s": retry_after_s}
        event = {"event_id": "event_000001", "sequence": 1, **error_event(name, message, **more)}
        with contextlib.suppress(OSError, RuntimeError):
            await self.send({"type": "websocket.send", "text": json.dumps(event)})
            await self.send({"type": "websocket.close", "code": int(code)})

    async def _leave(self, *, code: int) -> None:
        live, outbox, self._live, self._outbox = self._live, self._outbox, None, None
        relay, self._relay = self._relay, None
        if relay is not None:
            await relay.leave(code)
        elif live is None or outbox is None:
            return
        else:
            outbox.abort()
            live.detach(outbox, left=code in LEAVING_CODES)
        figures.socket_closed()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait({self._writer}, timeout=1)
