"""The worker's port: streams over websockets, and beside them its health and its figures over HTTP."""

import asyncio
import json
import logging
import socket
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from inference.client.stream_token import Claims
from inference.errors import (
    InferenceError,
    InvalidSpec,
    Superseded,
    TokenRefused,
    WireError,
    WorkerUnavailable,
)
from inference.protocol import SessionSpec
from inference.protocol.wire import TEXT_BYTES_MAX, Failed, Opened, decode_uplink
from inference.worker.capacity import Capacity
from inference.worker.doorbell import Doorbell
from inference.worker.mailbox import Mailbox
from inference.worker.process.gate import Gate, TokenUsed
from inference.worker.process.loop_watch import LoopWatch
from inference.worker.process.probes import Probes
from inference.worker.process.served_stream import ServedStream, say

logger = logging.getLogger(__name__)

STREAM_PATH = "/stream"
FIRST_MESSAGE_LIMIT_S = 2.0
HANDSHAKE_LIMIT_S = 3.0
CLOSE_LIMIT_S = 1.0
WATCH_S = 0.25
BEAT_S = 0.5
SILENCE_LIMIT_S = 5.0
"""A web side that sent not even a beat for so long is gone, or its network is."""

OWN_STALL_S = 1.0
"""If the watch wakes so late, this process was away and the silence may be its own."""

RETRY_AFTER_S = 2
SEND_BUFFER_BYTES = 131_072
"""Of the kernel: what lies there can neither be dropped nor counted."""


class StreamServer:
    """Accepts streams for a worker that runs in this process."""

    def __init__(self, capacity: Capacity, watch: LoopWatch, gate: Gate, probes: Probes) -> None:
        self._capacity = capacity
        self._worker = capacity.worker
        self._watch = watch
        self._gate = gate
        self._probes = probes
        self._let_in: dict[ServerConnection, Claims] = {}
        self._streams: dict[str, ServedStream] = {}
        self._doorbell: Doorbell | None = None
        self._server: Server | None = None
        self._watching: asyncio.Task[None] | None = None

    # --- its life ---

    async def start(self, host: str, port: int) -> int:
        """Listens; returns the port. Raises `OSError`."""
        self._doorbell = Doorbell(asyncio.get_running_loop())
        silent = logging.getLogger(f"{__name__}.sockets")
        silent.setLevel(logging.CRITICAL)  # What strangers send to a port is no error of ours.
        self._server = await serve(
            self._handle,
            host,
            port,
            process_request=self._answer,
            compression=None,
            ping_interval=None,
            open_timeout=HANDSHAKE_LIMIT_S,
            close_timeout=CLOSE_LIMIT_S,
            max_size=TEXT_BYTES_MAX,
            server_header=None,
            logger=silent,
        )
        self._watching = asyncio.create_task(self._watch_streams(), name="worker-watch")
        bound: int = next(iter(self._server.sockets)).getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Closes the port and every stream."""
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    @property
    def leases(self) -> list[str]:
        """With a live stream here."""
        return list(self._streams)

    def end_leases(self, leases: Iterable[str]) -> None:
        """Ends the streams of leases that are no longer theirs."""
        for lease in leases:
            stream = self._streams.get(lease)
            if stream is not None:
                stream.end(Superseded("the lease is over"))

    def end_all(self, why: str) -> None:
        """Ends every stream as one whose worker is gone."""
        for stream in self._streams.values():
            stream.end(WorkerUnavailable(why))

    # --- before a socket is accepted ---

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """None accepts the socket."""
        path = request.path.partition("?")[0]
        if path != STREAM_PATH:
            return self._probes.answer(connection, path)
        try:
            claims = await self._gate.admit(request.headers.get("Authorization", ""))
        except InferenceError as error:
            return _refuse(connection, error)
        self._let_in[connection] = claims
        return None

    # --- streams ---

    async def _handle(self, connection: ServerConnection) -> None:
        claims = self._let_in.pop(connection)
        _bound_send_buffer(connection)
        try:
            stream = await self._open(connection, claims)
        except InferenceError as error:
            self._gate.refusals[error.code] += 1
            say(connection, Failed(error.code, str(error)))
            return
        except (ConnectionClosed, TimeoutError):
            return
        finally:
            self._capacity.arrived(claims.lease)
        say(connection, Opened(stream.id))
        self._streams[claims.lease] = stream
        try:
            await stream.run()
        finally:
            del self._streams[claims.lease]

    async def _open(self, connection: ServerConnection, claims: Claims) -> ServedStream:
        async with asyncio.timeout(FIRST_MESSAGE_LIMIT_S):
            first = await connection.recv()
        spec = decode_uplink(first) if isinstance(first, str) else None
        if not isinstance(spec, SessionSpec):
            raise WireError("a stream begins with its spec")
        if spec.session_id != claims.session:
            raise InvalidSpec(f"the token is for the session {claims.session}, the spec for {spec.session_id}")
        assert self._doorbell is not None
        mailbox = Mailbox(self._doorbell, self._worker.wake, self._worker.clock)
        stream_id = self._worker.admit(spec, mailbox, claims.fence)
        return ServedStream(connection, mailbox, stream_id, paced=spec.paced)

    async def _watch_streams(self) -> None:
        """Beats to the web side while the loop goes round, and an end to streams nobody listens to."""
        clock = asyncio.get_running_loop().time
        looked_at = beaten_at = clock()
        passes = -1
        while True:
            await asyncio.sleep(WATCH_S)
            now, away_s = clock(), clock() - looked_at - WATCH_S
            looked_at = now
            self._watch.look()
            self._capacity.learn()
            self._forget_lost()
            for stream in list(self._streams.values()):
                if away_s > OWN_STALL_S:
                    stream.heard_at = now
                if now - stream.heard_at > SILENCE_LIMIT_S:
                    stream.cut()
            if now - beaten_at >= BEAT_S and self._watch.passes != passes:
                beaten_at, passes = now, self._watch.passes
                for stream in list(self._streams.values()):
                    stream.beat()

    def _forget_lost(self) -> None:
        """Connections that were let in and broke before they were accepted."""
        for connection in [each for each in self._let_in if each.transport.is_closing()]:
            self._capacity.arrived(self._let_in.pop(connection).lease)


def _refuse(connection: ServerConnection, error: InferenceError) -> Response:
    """401 for a token that is none, 409 for one that is over, 503 for a worker that cannot."""
    match error:
        case TokenUsed() | Superseded():
            status = HTTPStatus.CONFLICT
        case TokenRefused():
            status = HTTPStatus.UNAUTHORIZED
        case _:
            status = HTTPStatus.SERVICE_UNAVAILABLE
    body = json.dumps({"code": error.code, "message": str(error)})
    response = connection.respond(status, body)
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _bound_send_buffer(connection: ServerConnection) -> None:
    endpoint = connection.transport.get_extra_info("socket")
    if endpoint is not None:
        with suppress(OSError):
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
