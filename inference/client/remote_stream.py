"""One stream over a websocket, as the web side sees it."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable

from inference.client.limits import AudioAllowance, StreamLimits
from inference.client.line import Line, Message
from inference.errors import InferenceError, SlowConsumer, StreamClosed, WireError, WorkerUnavailable, error_named
from inference.protocol import AudioOut, Command, Dropped, Event, Fault
from inference.protocol.wire import Beat, Failed, Leave, Opened, decode_downlink, encode_uplink, unpack_audio

logger = logging.getLogger(__name__)

FLUSH_S = 0.01
LEAVE_LIMIT_S = 2.0

_BEAT = encode_uplink(Beat())


class RemoteStream:
    """A `inference.client.VoiceStream`. Used by one event loop; nothing in it blocks."""

    def __init__(self, stream_id: str, line: Line, limits: StreamLimits, *, paced: bool) -> None:
        self.id = stream_id
        self._line = line
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
        self._pausing = False
        self._dropped_there = Dropped(0, 0)
        self._told_drops = 0
        self._failure: InferenceError | None = None
        self._ended = self._leaving = False
        self._on_end: Callable[[RemoteStream], None] | None = None

    def start(self, on_end: Callable[["RemoteStream"], None]) -> None:
        """Begins to read. `on_end` is called once, when the socket is closed."""
        self._on_end = on_end
        self._line.listen(self._take, self._gone)

    # --- to the worker ---

    def send_audio(self, pcm: bytes) -> None:
        """Sends, or queues where the socket is behind, dropping the oldest audio. After the end it is ignored."""
        if self._ended or self._leaving:
            return
        allowed = self._allowance.arrived(len(pcm), self._loop.time())
        if self._may_write():
            self._line.send(pcm)
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
            self._line.send(text)
            return
        if self._outbox_commands >= self._limits.commands:
            error = WorkerUnavailable(f"the worker has let {self._limits.commands} commands wait")
            self._lose(error)
            raise error
        self._outbox.append(text)
        self._outbox_commands += 1
        self._flush_later()

    def _may_write(self) -> bool:
        return not self._outbox and self._line.has_room()

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
        while self._outbox and self._line.has_room():
            item = self._outbox.popleft()
            if isinstance(item, bytes):
                self._outbox_bytes -= len(item)
            else:
                self._outbox_commands -= 1
            self._line.send(item)
        if self._outbox:
            self._flush_later()

    # --- from the worker ---

    async def events(self) -> AsyncIterator[Event]:
        """See `inference.client.VoiceStream.events`."""
        while True:
            batch, self._events = self._events, deque()
            self._readable.clear()
            if self._pausing:
                self._go_on_reading()
            for event in batch:
                yield event
            if batch:
                continue
            if self._failure is not None:
                raise self._failure
            if self._ended or self._leaving:
                return
            await self._readable.wait()

    def _take(self, message: Message) -> None:
        self.heard_at = self._loop.time()
        try:
            self._understand(message)
        except WireError as error:
            logger.error("stream %s: the worker is not understood: %s", self.id, error)
            self._lose(WorkerUnavailable("the worker is not understood"))
            return
        if not self._paced and not self._pausing and 2 * len(self._events) > self._limits.events:
            # An unpaced stream is made as fast as it is read: what is not read stays on the worker's side.
            self._pausing = True
            self._line.pause_reading()

    def _understand(self, message: Message) -> None:
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

    def _go_on_reading(self) -> None:
        self._pausing = False
        self.heard_at = self._loop.time()
        self._line.resume_reading()

    def _put(self, event: Event) -> None:
        if self._ended:
            return
        # While reading pauses, only what was read before still comes.
        if len(self._events) >= self._limits.events and not self._pausing:
            waiting = sum(isinstance(each, AudioOut) for each in self._events)
            self._events.clear()
            self._failed(SlowConsumer(f"{self._limits.events} events were not read, {waiting} of them audio"))
            self._line.abort()
            return
        self._events.append(event)
        self._readable.set()

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
            self._line.send(_BEAT)
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
        self._line.abort()

    def _gone(self) -> None:
        if not self._line.parted:
            self._failed(WorkerUnavailable("the connection to the worker was lost"))
        self._end()
        if self._on_end is not None:
            self._on_end(self)

    def _end(self) -> None:
        self._ended = True
        self._outbox.clear()
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self._readable.set()

    async def close(self) -> None:
        """Gives the slot back and waits until the worker says so, two seconds at most. Idempotent."""
        first, self._leaving = not self._leaving, True
        self._readable.set()
        if first and not self._ended:
            self._line.send(encode_uplink(Leave()))
        self._line.resume_reading()
        try:
            async with asyncio.timeout(LEAVE_LIMIT_S):
                await self._line.closed()
        except TimeoutError:
            self._line.abort()
