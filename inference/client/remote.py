"""A worker in another process: one websocket for each stream, bounded both ways."""

import asyncio
import json
import logging
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from inference.client.limits import StreamLimits
from inference.client.remote_stream import RemoteStream
from inference.client.ticket import Ticket
from inference.errors import InferenceError, InvalidSpec, WireError, WorkerUnavailable, error_named
from inference.protocol import SessionSpec
from inference.protocol.wire import TEXT_BYTES_MAX, Failed, Opened, decode_downlink, encode_uplink

logger = logging.getLogger(__name__)

OPEN_LIMIT_S = 1.0
"""From the first packet to the worker's word that the stream is open. Whoever takes longer is not taken."""

SILENCE_LIMIT_S = 1.5
"""A worker from which nothing came for so long has died, stalled or lost its network."""

BEAT_S = 1.0
"""How often the worker is told that the web side is alive."""

WATCH_S = 0.25
OWN_STALL_S = 0.5
"""If the watch itself wakes so late, this process was away and the silence may be its own."""

CLOSE_LIMIT_S = 1.0


class RemoteClient:
    """A `inference.client.WorkerClient` for a worker at `ws://host:port/stream`, for use in one event loop."""

    def __init__(self, url: str, limits: StreamLimits | None = None) -> None:
        if not url.startswith(("ws://", "wss://")):
            raise WorkerUnavailable(f"{url!r} is no address of a worker")
        self._url = url
        self._limits = limits or StreamLimits()
        self._streams: set[RemoteStream] = set()
        self._watch: asyncio.Task[None] | None = None

    async def open(self, spec: SessionSpec, ticket: Ticket | None = None) -> RemoteStream:
        """See `inference.client.WorkerClient.open`."""
        if ticket is None:
            raise InvalidSpec("a worker in another process is opened with a ticket")
        text = encode_uplink(spec)
        if len(text) > TEXT_BYTES_MAX:
            raise InvalidSpec(f"the spec has {len(text)} bytes, a worker takes {TEXT_BYTES_MAX}")
        try:
            async with asyncio.timeout(OPEN_LIMIT_S):
                connection = await self._connect(ticket.token)
                stream_id = await _introduce(connection, text)
        except TimeoutError as error:
            raise WorkerUnavailable(f"the worker {ticket.worker} did not answer within {OPEN_LIMIT_S:g} s") from error
        stream = RemoteStream(stream_id, connection, self._limits, paced=spec.paced)
        self._streams.add(stream)
        stream.start(on_end=self._streams.discard)
        self._keep_watch()
        return stream

    async def _connect(self, token: str) -> ClientConnection:
        try:
            return await connect(
                self._url,
                additional_headers={"Authorization": f"Bearer {token}"},
                # PCM does not compress, a proxy has no business between the two, and beats are ours.
                compression=None,
                proxy=None,
                ping_interval=None,
                open_timeout=None,
                close_timeout=CLOSE_LIMIT_S,
                max_size=TEXT_BYTES_MAX,
            )
        except InvalidStatus as error:
            raise _refusal(error) from error
        except (OSError, WebSocketException) as error:
            raise WorkerUnavailable(f"the worker cannot be reached: {error}") from error

    def _keep_watch(self) -> None:
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_streams(), name="inference-client-watch")

    async def _watch_streams(self) -> None:
        """While there are streams: beats to the worker, and an end to those it has left."""
        clock = asyncio.get_running_loop().time
        looked_at = beaten_at = clock()
        while self._streams:
            await asyncio.sleep(WATCH_S)
            now = clock()
            if now - looked_at > WATCH_S + OWN_STALL_S:
                for stream in self._streams:
                    stream.heard_at = now
            looked_at = now
            beats = now - beaten_at >= BEAT_S
            beaten_at = now if beats else beaten_at
            for stream in list(self._streams):
                stream.look(now, SILENCE_LIMIT_S)
                if beats:
                    stream.beat()


async def _introduce(connection: ClientConnection, spec_text: str) -> str:
    """Sends the spec; returns the stream's id. Raises what the worker answers instead. An attempt that fails or is
    given up leaves no socket behind."""
    try:
        await connection.send(spec_text)
        reply = await connection.recv()
        answer = decode_downlink(reply if isinstance(reply, str) else "")
    except WireError:
        connection.transport.abort()
        raise
    except WebSocketException as error:
        raise WorkerUnavailable(f"the worker hung up: {error}") from error
    except asyncio.CancelledError:
        connection.transport.abort()
        raise
    match answer:
        case Opened(stream_id=stream_id):
            return stream_id
        case Failed(code=code, message=message):
            with suppress(WebSocketException):
                await connection.close()
            raise error_named(code, message)
    connection.transport.abort()
    raise WireError(f"the worker answered a spec with {type(answer).__name__}")


def _refusal(error: InvalidStatus) -> InferenceError:
    """What the worker's HTTP answer means."""
    status = error.response.status_code
    try:
        said: Any = json.loads(error.response.body or b"")
        return error_named(str(said["code"]), str(said["message"]))
    except (ValueError, KeyError, TypeError):
        return WorkerUnavailable(f"the worker answered with HTTP status {status}")
