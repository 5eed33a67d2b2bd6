"""One stream over a websocket, as the web side sees it."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import broadcast
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, WebSocketException

from inference.client.limits import AudioAllowance, StreamLimits
from inference.errors import InferenceError, SlowConsumer, StreamClosed, WireError, WorkerUnavailable, error_named
from inference.protocol import AudioOut, Command, Dropped, Event, Fault
from inference.protocol.wire import Beat, Failed, Leave, Opened, decode_downlink, encode_uplink, unpack_audio

logger = logging.getLogger(__name__)

WRITE_AHEAD_BYTES = 32_768
"""In the socket's own buffer: about 0.7 s of audio. What does not fit waits here, where it can be dropped."""

FLUSH_S = 0.01
LEAVE_LIMIT_S = 2.0

_BEAT = encode_uplink(Beat())


class RemoteStream:
    """A `inference.client.VoiceStream`. Used by one event loop; nothing in it blocks."""

    def __init__(self, stream_id: str, connection: ClientConnection, limits: StreamLimits, *, paced: bool) -> None:
        self.id = stream_id
        self._connection = connection
        self._limits = limits
        self._paced = paced
        self._loop = asyncio.get_running_loop()
        self.heard_at = self._loop.time()
        """When the worker was last heard, by the event loop's clock."""

        self.dropped_packets = 0
        """Uplink packets dropped on this side."""

        self._outbox: deque[bytes | str] = deque()
        self._outbox_bytes = self._outbox_commands = 0
        self._allowance = AudioAllowance(limits, self.heard_at, leaks=True)
        self._flushing: asyncio.TimerHandle | None = None
        self._events: deque[Event] = deque()
        self._readable = asyncio.Event()
        self._drained = asyncio.Event()
        self._pausing = False
        self._dropped_there = Dropped(0, 0)
        self._told_drops = 0
        self._failure: InferenceError | None = None
        self._ended = self._leaving = False
        self._reader: asyncio.Task[None] | None = None

    def start(self, on_end: Callable[["RemoteStream"], None]) -> None:
        """Begins to read. `on_end` is called once, when the socket is closed."""
        self._reader = asyncio.create_task(self._read(), name=f"inference-{self.id}")
        self._reader.add_done_callback(lambda _task: on_end(self))

    # --- to the worker ---

    def send_audio(self, pcm: bytes) -> None:
        """Sends, or queues where the socket is behind, dropping the oldest audio. After the end it is ignored."""
        if self._ended or self._leaving:
            return
        allowed = self._allowance.arrived(len(pcm), self._loop.time())
        if self._may_write():
            broadcast((self._connection,), pcm)
            return
        self._outbox.append(pcm)
        self._outbox_bytes += len(pcm)
        while self._outbox_bytes > allowed and self._outbox_bytes > len(pcm):
            self._drop_oldest()
        self._flush_later()

    def send(self, command: Command) -> None:
        """Raises `StreamClosed` after the end, `WorkerUnavailable` (and ends the stream) when the worker has let too
        many of them wait, `WireError` for a command that cannot be written."""
        if self._ended or self._leaving:
            raise StreamClosed("the stream has ended")
        text = encode_uplink(command)
        if self._may_write():
            broadcast((self._connection,), text)
            return
        if self._outbox_commands >= self._limits.commands:
            error = WorkerUnavailable(f"the worker has let {self._limits.commands} commands wait")
            self._lose(error)
            raise error
        self._outbox.append(text)
        self._outbox_commands += 1
        self._flush_later()

    def _may_write(self) -> bool:
        return not self._outbox and self._connection.transport.get_write_buffer_size() < WRITE_AHEAD_BYTES

    def _drop_oldest(self) -> None:
        index = next(i for i, item in enumerate(self._outbox) if isinstance(item, bytes))
        self._outbox_bytes -= len(self._outbox[index])
        del self._outbox[index]
        self.dropped_packets += 1

    def _flush_later(self) -> None:
        if self._flushing is None:
            self._flushing = self._loop.call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        if self._ended:
            return
        while self._outbox and self._connection.transport.get_write_buffer_size() < WRITE_AHEAD_BYTES:
            item = self._outbox.popleft()
            if isinstance(item, bytes):
                self._outbox_bytes -= len(item)
            else:
                self._outbox_commands -= 1
            broadcast((self._connection,), item)
        if self._outbox:
            self._flush_later()

    # --- from the worker ---

    async def events(self) -> AsyncIterator[Event]:
        """See `inference.client.VoiceStream.events`."""
        while True:
            batch, self._events = self._events, deque()
            self._readable.clear()
            self._drained.set()
            for event in batch:
                yield event
            if batch:
                continue
            if self._failure is not None:
                raise self._failure
            if self._ended or self._leaving:
                return
            await self._readable.wait()

    async def _read(self) -> None:
        try:
            async for message in self._connection:
                self.heard_at = self._loop.time()
                self._take(message)
                if not self._paced and 2 * len(self._events) > self._limits.events:
                    await self._wait_for_reader()
        except ConnectionClosedOK:
            pass
        except ConnectionClosed as error:
            self._lose(WorkerUnavailable(f"the connection to the worker was lost: {error}"))
        except WireError as error:
            logger.error("stream %s: the worker is not understood: %s", self.id, error)
            self._lose(WorkerUnavailable("the worker is not understood"))
        finally:
            self._end()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._put(unpack_audio(message))
            return
        if message == _BEAT:
            return
        match decode_downlink(message):
            case Failed(code=code, message=reason):
                self._failed(error_named(code, reason))
            case Dropped() as dropped:
                self._dropped_there = dropped
                self._tell_drops()
            case Beat() | Opened():
                pass
            case event:
                self._put(event)

    def _put(self, event: Event) -> None:
        if self._ended:
            return
        if len(self._events) >= self._limits.events:
            waiting = sum(isinstance(each, AudioOut) for each in self._events)
            self._events.clear()
            self._failed(SlowConsumer(f"{self._limits.events} events were not read, {waiting} of them audio"))
            self._connection.transport.abort()
            return
        self._events.append(event)
        self._readable.set()

    async def _wait_for_reader(self) -> None:
        """An unpaced stream is made as fast as it is read: what is not read stays on the worker's side."""
        self._drained.clear()
        self._pausing = True
        try:
            await self._drained.wait()
        finally:
            self._pausing = False
            self.heard_at = self._loop.time()

    def _tell_drops(self) -> None:
        self._told_drops = self.dropped_packets
        there = self._dropped_there
        self._put(Dropped(there.uplink_packets + self.dropped_packets, there.downlink_frames))

    # --- its end ---

    def beat(self) -> None:
        """Tells the worker that this side is alive, and its reader of audio dropped here."""
        if self._ended or self._leaving:
            return
        if self._may_write():
            broadcast((self._connection,), _BEAT)
        if self.dropped_packets != self._told_drops:
            self._tell_drops()

    def look(self, now: float, silence_limit_s: float) -> None:
        """Ends the stream if the worker has been silent for so long."""
        if not self._pausing and not self._leaving and now - self.heard_at > silence_limit_s:
            self._lose(WorkerUnavailable(f"the worker has been silent for {silence_limit_s:g} s"))

    def _failed(self, error: InferenceError) -> None:
        """Too slow a reader learns it as an exception, everything else is a last event."""
        if self._ended:
            return
        if isinstance(error, SlowConsumer):
            self._failure = error
        elif not self._leaving:
            self._events.append(Fault(error.code, str(error), fatal=True))
        self._end()

    def _lose(self, error: InferenceError) -> None:
        self._failed(error)
        self._connection.transport.abort()

    def _end(self) -> None:
        self._ended = True
        self._outbox.clear()
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._readable.set()
        self._drained.set()

    async def close(self) -> None:
        """Gives the slot back and waits until the worker says so, two seconds at most. Idempotent."""
        reader, first = self._reader, not self._leaving
        self._leaving = True
        self._readable.set()
        self._drained.set()
        if reader is None or reader.done():
            return
        if first and not self._ended:
            with suppress(WebSocketException):
                broadcast((self._connection,), encode_uplink(Leave()))
        done, _ = await asyncio.wait([reader], timeout=LEAVE_LIMIT_S)
        if not done:
            self._connection.transport.abort()
