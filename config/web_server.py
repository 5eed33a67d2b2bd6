"""uvicorn as Troupe uses it: one process that serves pages and sockets until it is told to stop."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from sessions.live.registry import drain

APPLICATION = "config.asgi:application"
SOCKET_BYTES_MAX = 1_500_000
DRAIN_TIMEOUT_S = 5.0
BACKLOG = 1_024


class Server(uvicorn.Server):
    """uvicorn, but it says goodbye to live calls before it closes their sockets."""

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
