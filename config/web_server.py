"""uvicorn as Troupe uses it: one process that serves pages and sockets until it is told to stop."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request

from sessions.direct import DIRECT
from sessions.live.registry import drain

APPLICATION = "config.asgi:application"
SOCKET_BYTES_MAX = 1_500_000
DRAIN_TIMEOUT_S = 5.0
BACKLOG = 1_024
READ_AHEAD = 16
"""Small messages that may wait for the application before a socket is read no further."""

SMALL_BYTES = 8_192


class Sockets(WebSocketsSansIOProtocol):
    """uvicorn's websockets, with a shorter way for the packets of live calls.

    By ASGI a message passes a queue and a task on its way in, and two tasks on its way out: several times what the
    packet itself costs. The application finds this object as the extension `DIRECT` of its scope (`sessions.direct`)
    and may use it as long as nothing waits on the ordinary way; order and bounds stay those of ASGI.
    """

    _on_binary: Callable[[bytes], bool] | None = None

    # --- for the application ---

    def listen(self, on_binary: Callable[[bytes], bool]) -> None:
        """Binary messages go there at once. False: the application cannot take it now, and receives it by ASGI."""
        self._on_binary = on_binary

    def send_now(self, payload: str | bytes) -> bool:
        """Sends if the socket has room. False: it was not sent."""
        if not self.handshake_complete or self.close_sent or self.disconnected or not self.writable.is_set():
            return False
        try:
            if isinstance(payload, str):
                self.conn.send_text(payload.encode())
            else:
                self.conn.send_binary(payload)
        except InvalidState:
            return False
        self.transport.write(b"".join(self.conn.data_to_send()))
        return True

    # --- uvicorn's ---

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            self.scope["extensions"][DIRECT] = {"socket": self}

    def send_receive_event_to_app(self) -> None:
        if self._is_taken():
            return
        if self.read_paused or sum(map(len, self.frames)) > SMALL_BYTES or self.queue.qsize() >= READ_AHEAD:
            super().send_receive_event_to_app()
            return
        # uvicorn stops reading at every message and goes on when it is taken: two system calls for each. Here a few
        # small ones may wait. Who has stopped already does not stop again.
        self.read_paused = True
        super().send_receive_event_to_app()
        self.read_paused = False

    def _is_taken(self) -> bool:
        if self._on_binary is None or self.curr_msg_data_type != "bytes" or not self.queue.empty() or self.close_sent:
            return False
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        if not self._on_binary(data):
            return False
        self.frames = []
        return True


class Server(uvicorn.Server):
    """uvicorn, but it says goodbye to live calls before it closes their sockets."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        # All that is loaded stays. A full collection would go through it each time, and nobody is heard meanwhile.
        gc.collect()
        gc.freeze()

    async def shutdown(self, sockets: Any = None) -> None:
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await drain()
        except TimeoutError:
            pass
        await super().shutdown(sockets)


def server_config(application: Any = APPLICATION, **more: Any) -> uvicorn.Config:
    # uvicorn takes a handshake that was answered by a status (`sessions.door`) for one that was forgotten.
    logging.getLogger("uvicorn.error").addFilter(_is_no_answered_handshake)
    return uvicorn.Config(
        application,
        log_level="warning",
        # Its lines go the way of all others.
        log_config=None,
        ws=Sockets,
        # PCM does not compress, and each context would cost memory.
        ws_per_message_deflate=False,
        ws_max_size=SOCKET_BYTES_MAX,
        timeout_graceful_shutdown=int(DRAIN_TIMEOUT_S),
        **more,
    )


def _is_no_answered_handshake(record: logging.LogRecord) -> bool:
    return "without completing handshake" not in record.getMessage()


def serve_web(host: str, port: int, *, reuse_port: bool = False, private_port: int = 0) -> None:
    """Serves until SIGINT or SIGTERM. Raises `OSError` when an address cannot be had.

    With `reuse_port` several processes listen at one address and the kernel spreads the connections over them; each
    then needs a `private_port` of its own, where the others reach this very one.
    """
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(_listening(host, port, reuse_port))]
        if private_port:
            sockets.append(open_sockets.enter_context(_listening(host, private_port, reuse_port=False)))
        with _signals_that_only_stop():
            Server(server_config()).run(sockets=sockets)


@contextlib.contextmanager
def _signals_that_only_stop() -> Iterator[None]:
    """uvicorn raises the signal that stopped it again: by then everything is said, and what runs beside it is still to
    be stopped in order."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _listening(host: str, port: int, reuse_port: bool) -> socket.socket:
    family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError:
        listening.close()
        raise
    return listening
