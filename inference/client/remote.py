"""A worker in another process: one websocket for each stream, bounded both ways."""

import asyncio
import json
import logging
from typing import Any

from picows import WSError, WSHandshakeError, ws_connect

from inference.client.limits import StreamLimits
from inference.client.line import Line
from inference.client.remote_stream import RemoteStream
from inference.client.ticket import Ticket
from inference.errors import InferenceError, InvalidSpec, WireError, WorkerUnavailable, error_named
from inference.protocol import SessionSpec
from inference.protocol.wire import TEXT_BYTES_MAX, Failed, Opened, decode_downlink, encode_uplink

logger = logging.getLogger(__name__)
silent = logging.getLogger(f"{__name__}.sockets")
silent.setLevel(logging.CRITICAL)  # Whatever goes wrong on a line is raised here, or ends its stream.

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
                line = await self._connect(ticket.token)
                stream_id = await _introduce(line, text)
        except TimeoutError as error:
            raise WorkerUnavailable(f"the worker {ticket.worker} did not answer within {OPEN_LIMIT_S:g} s") from error
        stream = RemoteStream(stream_id, line, self._limits, paced=spec.paced)
        self._streams.add(stream)
        stream.start(on_end=self._streams.discard)
        self._keep_watch()
        return stream

    async def _connect(self, token: str) -> Line:
        try:
            _transport, line = await ws_connect(
                Line,
                self._url,
                extra_headers={"Authorization": f"Bearer {token}"},
                websocket_handshake_timeout=OPEN_LIMIT_S,
                max_redirects=0,
                max_frame_size=TEXT_BYTES_MAX,
                # The loop's own transports: uvloop's are as fast, and the loop knows how much waits in them.
                use_aiofastnet=False,
                logger_name=silent,
            )
        except WSHandshakeError as error:
            raise _refusal(error) from error
        except TimeoutError:
            raise
        except (OSError, WSError) as error:
            raise WorkerUnavailable(f"the worker cannot be reached: {error}") from error
        if not isinstance(line, Line):
            raise WorkerUnavailable("the worker hung up")
        return line

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


async def _introduce(line: Line, spec_text: str) -> str:
    """Sends the spec; returns the stream's id. Raises what the worker answers instead. An attempt that fails or is
    given up leaves no socket behind."""
    try:
        line.send(spec_text)
        reply = await line.receive()
        answer = decode_downlink(reply if isinstance(reply, str) else "")
    except (WireError, asyncio.CancelledError):
        line.abort()
        raise
    match answer:
        case Opened(stream_id=stream_id):
            return stream_id
        case Failed(code=code, message=message):
            line.close(CLOSE_LIMIT_S)
            raise error_named(code, message)
    line.abort()
    raise WireError(f"the worker answered a spec with {type(answer).__name__}")


def _refusal(error: WSHandshakeError) -> InferenceError:
    """What the worker's HTTP answer means."""
    if error.response is None:
        return WorkerUnavailable(f"the worker cannot be reached: {error}")
    try:
        said: Any = json.loads(error.response.body or error.raw_body or b"")
        return error_named(str(said["code"]), str(said["message"]))
    except (ValueError, KeyError, TypeError):
        return WorkerUnavailable(f"the worker answered with HTTP status {int(error.response.status)}")
