"""One websocket between a web process and a worker: whoever listens gets each message from the call that read it.

No task waits for a message and no queue lies between: at fifty packets a second for each call those cost more than the
packets. Both sides use it; the library beneath is picows.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from inference.errors import WorkerUnavailable

WRITE_AHEAD_BYTES = 32_768
"""In the socket's own buffer: about 0.7 s of audio. What does not fit waits where it can be dropped and counted."""

HEADER_ROOM = 14
"""Bytes that picows wants free in front of a message that it sends from where it lies."""

PARTED = (WSCloseCode.OK, WSCloseCode.GOING_AWAY)

Message = str | bytes


class LineLost(WorkerUnavailable):
    """The websocket closed while its next message was waited for."""


class Line(WSListener):
    """Used by one event loop. One frame is one message: fragments are refused."""

    def __init__(self, on_connected: "Callable[[Line], None] | None" = None) -> None:
        self.parted = False
        """The other side said goodbye, as one does whose stream is over."""

        self._on_connected = on_connected
        self._transport: WSTransport | None = None
        # The transport's own, looked up once: they are asked for every message.
        self._num_waiting: Callable[[], int] = int
        self._is_closing: Callable[[], bool] = bool
        self._early: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._on_message: Callable[[Message], None] | None = None
        self._on_gone: Callable[[], None] | None = None
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    # --- reading ---

    async def receive(self) -> Message:
        """The next message, as long as nobody listens. Raises `LineLost`."""
        while not self._early:
            if self._gone.is_set():
                raise LineLost("the other side hung up")
            self._arrived.clear()
            await self._arrived.wait()
        return self._early.popleft()

    def listen(self, on_message: Callable[[Message], None], on_gone: Callable[[], None]) -> None:
        """From now on messages go there, those that came already first; and `on_gone` is called once at the end."""
        self._on_message, self._on_gone = on_message, on_gone
        while self._early:
            on_message(self._early.popleft())
        self.resume_reading()
        if self._gone.is_set():
            on_gone()

    def pause_reading(self) -> None:
        """What is read already still comes."""
        if self.is_open:
            self._connected.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        if self.is_open:
            self._connected.underlying_transport.resume_reading()

    # --- writing; after the end all of it is ignored ---

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._is_closing()

    def has_room(self) -> bool:
        """Whether a message sent now would leave at once, or nearly."""
        return self.is_open and self._num_waiting() < WRITE_AHEAD_BYTES

    async def room(self) -> None:
        """Returns when there is room, or nobody to write to any more."""
        await self._writable.wait()

    def send(self, message: Message) -> None:
        if not self.is_open:
            return
        if isinstance(message, str):
            kind, data = WSMsgType.TEXT, message.encode()
        else:
            kind, data = WSMsgType.BINARY, message
        # Sent in one piece: a header and a body apart would be two buffers that must outlive this call.
        self._connected.send_reuse_external_bytearray(kind, bytearray(HEADER_ROOM) + data, HEADER_ROOM)

    def close(self, limit_s: float) -> None:
        """Says goodbye after what was sent; an other side that does not answer within `limit_s` is cut off."""
        if self.is_open:
            self._connected.send_close(WSCloseCode.OK)
            asyncio.get_running_loop().call_later(limit_s, self.abort)

    def abort(self) -> None:
        """Closes without a word; what waits to be sent is lost."""
        if self._transport is not None and not self._gone.is_set():
            self._connected.disconnect(graceful=False)

    async def closed(self) -> None:
        await self._gone.wait()

    @property
    def socket(self) -> Any:
        """For options of the socket; None where the transport has none."""
        return None if self._transport is None else self._transport.underlying_transport.get_extra_info("socket")

    # --- what picows calls ---

    def on_ws_connected(self, transport: WSTransport) -> None:
        stream = transport.underlying_transport
        stream.set_write_buffer_limits(high=WRITE_AHEAD_BYTES)
        self._num_waiting, self._is_closing = stream.get_write_buffer_size, stream.is_closing
        self._transport = transport
        if self._on_connected is not None:
            self._on_connected(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind == WSMsgType.CLOSE:
            self.parted = frame.get_close_code() in PARTED
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif kind == WSMsgType.BINARY and frame.fin:
            self._take(frame.get_payload_as_bytes())
        elif kind == WSMsgType.TEXT and frame.fin:
            self._take_text(transport, frame)
        elif kind != WSMsgType.PONG:
            transport.send_close(WSCloseCode.UNSUPPORTED_DATA, "one frame is one message here")
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._gone.set()
        self._arrived.set()
        self._writable.set()
        if self._on_gone is not None:
            self._on_gone()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # --- within ---

    @property
    def _connected(self) -> WSTransport:
        assert self._transport is not None
        return self._transport

    def _take_text(self, transport: WSTransport, frame: WSFrame) -> None:
        try:
            text = frame.get_payload_as_utf8_text()
        except UnicodeDecodeError:
            transport.send_close(WSCloseCode.INVALID_TEXT, "text that is no UTF-8")
            transport.disconnect()
            return
        self._take(text)

    def _take(self, message: Message) -> None:
        if self._on_message is not None:
            self._on_message(message)
            return
        self._early.append(message)
        self._arrived.set()
        self.pause_reading()
