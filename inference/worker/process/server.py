"""The worker's port: streams over websockets, and beside them its health and its figures over HTTP."""

import asyncio
import json
import logging
import socket
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus

from picows import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener, ws_create_server

from inference.client.line import Line, LineLost
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
from inference.protocol.wire import TEXT_BYTES_MAX, Failed, Opened, decode_uplink, encode_downlink
from inference.worker.capacity import Capacity
from inference.worker.doorbell import Doorbell
from inference.worker.mailbox import Mailbox
from inference.worker.process.gate import Gate, TokenUsed
from inference.worker.process.loop_watch import LoopWatch
from inference.worker.process.probes import Probes
from inference.worker.process.served_stream import ServedStream

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
        self._serving: dict[asyncio.Task[None], Line] = {}
        self._streams: dict[str, ServedStream] = {}
        self._doorbell: Doorbell | None = None
        self._server: asyncio.Server | None = None
        self._watching: asyncio.Task[None] | None = None

    # --- its life ---

    async def start(self, host: str, port: int) -> int:
        """Listens; returns the port. Raises `OSError`."""
        self._doorbell = Doorbell(asyncio.get_running_loop())
        silent = logging.getLogger(f"{__name__}.sockets")
        silent.setLevel(logging.CRITICAL)  # What strangers send to a port is no error of ours.
        self._server = await ws_create_server(
            self._answer,
            host,
            port,
            websocket_handshake_timeout=HANDSHAKE_LIMIT_S,
            max_frame_size=TEXT_BYTES_MAX,
            use_aiofastnet=False,
            logger_name=silent,
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
        for line in self._serving.values():
            line.close(CLOSE_LIMIT_S)
        if self._serving:
            await asyncio.wait(list(self._serving), timeout=2 * CLOSE_LIMIT_S)

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

    def _answer(self, request: WSUpgradeRequest) -> Line | WSUpgradeResponseWithListener:
        """A line accepts the socket."""
        path = request.path.decode("latin-1").partition("?")[0]
        if path != STREAM_PATH:
            return WSUpgradeResponseWithListener(self._probes.answer(path), None)
        try:
            claims = self._gate.admit(request.headers.get("Authorization", ""))
        except InferenceError as error:
            self._gate.refusals[error.code] += 1
            return WSUpgradeResponseWithListener(_refuse(error), None)
        return Line(lambda line: self._begin(line, claims))

    # --- streams ---

    def _begin(self, line: Line, claims: Claims) -> None:
        task = asyncio.create_task(self._handle(line, claims), name=f"lease-{claims.lease}")
        self._serving[task] = line
        task.add_done_callback(self._serving.pop)

    async def _handle(self, line: Line, claims: Claims) -> None:
        _bound_send_buffer(line)
        try:
            await self._serve(line, claims)
        finally:
            line.close(CLOSE_LIMIT_S)

    async def _serve(self, line: Line, claims: Claims) -> None:
        try:
            stream = await self._open(line, claims)
        except LineLost:
            return
        except InferenceError as error:
            self._gate.refusals[error.code] += 1
            line.send(encode_downlink(Failed(error.code, str(error))))
            return
        except TimeoutError:
            return
        finally:
            self._capacity.arrived(claims.lease)
        line.send(encode_downlink(Opened(stream.id)))
        self._streams[claims.lease] = stream
        try:
            await stream.run()
        finally:
            del self._streams[claims.lease]

    async def _open(self, line: Line, claims: Claims) -> ServedStream:
        await self._gate.make_room(claims)
        async with asyncio.timeout(FIRST_MESSAGE_LIMIT_S):
            first = await line.receive()
        spec = decode_uplink(first) if isinstance(first, str) else None
        if not isinstance(spec, SessionSpec):
            raise WireError("a stream begins with its spec")
        if spec.session_id != claims.session:
            raise InvalidSpec(f"the token is for the session {claims.session}, the spec for {spec.session_id}")
        assert self._doorbell is not None
        mailbox = Mailbox(self._doorbell, self._worker.wake, self._worker.clock)
        stream_id = self._worker.admit(spec, mailbox, claims.fence)
        return ServedStream(line, mailbox, stream_id, paced=spec.paced)

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
            for stream in list(self._streams.values()):
                if away_s > OWN_STALL_S:
                    stream.heard_at = now
                if now - stream.heard_at > SILENCE_LIMIT_S:
                    stream.cut()
            if now - beaten_at >= BEAT_S and self._watch.passes != passes:
                beaten_at, passes = now, self._watch.passes
                for stream in list(self._streams.values()):
                    stream.beat()


def _refuse(error: InferenceError) -> WSUpgradeResponse:
    """401 for a token that is none, 409 for one that is over, 503 for a worker that cannot."""
    match error:
        case TokenUsed() | Superseded():
            status = HTTPStatus.CONFLICT
        case TokenRefused():
            status = HTTPStatus.UNAUTHORIZED
        case _:
            status = HTTPStatus.SERVICE_UNAVAILABLE
    headers = {"Content-Type": "application/json"}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    body = json.dumps({"code": error.code, "message": str(error)})
    return WSUpgradeResponse.create_error_response(status, body.encode(), headers)


def _bound_send_buffer(line: Line) -> None:
    endpoint = line.socket
    if endpoint is not None:
        with suppress(OSError):
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
