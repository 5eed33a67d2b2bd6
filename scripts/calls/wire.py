"""A WebSocket client with next to no cost per message.

A library's client spends more on a message than the server that is to be measured. This one speaks just what a caller
needs: unfragmented messages, pings, closing. Its masking key is zero, which the protocol's framing allows and which
leaves prepared packets as they are; it is for a server of one's own, not for the open network.
"""

import asyncio
import base64
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
ABNORMAL = 1006
MASK = bytes(4)
MAX_HEAD_BYTES = 16_384
MAX_WAITING_BYTES = 200_000
"""What may wait for the network to take it; beyond it the client is not sending any more, and says so."""


class WireError(RuntimeError):
    """The socket could not be opened, or the server broke the protocol."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What is called with what arrives, on the event loop."""

    on_text: Callable[[str], None]
    on_binary: Callable[[bytes], None]
    on_closed: Callable[[int], None]
    """With the close code, `ABNORMAL` without one. Once."""


def binary_frame(payload: bytes) -> bytearray:
    """A client's binary message on the wire; its payload is its last `len(payload)` bytes."""
    return bytearray(_head(BINARY, len(payload)) + payload)


def _head(opcode: int, length: int) -> bytes:
    if length < 126:
        return struct.pack(">BB", 0x80 | opcode, 0x80 | length) + MASK
    if length < 1 << 16:
        return struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, length) + MASK
    return struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, length) + MASK


class Wire(asyncio.Protocol):
    """One open socket."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._close_code = ABNORMAL
        self._closed = False

    # --- for the caller ---

    @property
    def is_open(self) -> bool:
        return not self._closed and self._opened.done()

    @property
    def is_stuck(self) -> bool:
        """The network takes nothing more: the server does not read."""
        transport = self._transport
        return transport is None or transport.is_closing() or transport.get_write_buffer_size() > MAX_WAITING_BYTES

    def send_frame(self, frame: bytes) -> bool:
        """A prepared message. False: it was not sent, because too much waits already."""
        if self._transport is None or self._closed or self.is_stuck:
            return False
        self._transport.write(frame)
        return True

    def send_text(self, text: str) -> bool:
        payload = text.encode()
        return self.send_frame(_head(TEXT, len(payload)) + payload)

    def close(self, code: int = 1000) -> None:
        """Says goodbye and hangs up."""
        if self._transport is not None and not self._closed:
            self._transport.write(_head(CLOSE, 2) + struct.pack(">H", code))
            self._transport.close()

    def drop(self) -> None:
        """Hangs up without a word, as a lost network does."""
        if self._transport is not None:
            self._transport.abort()

    def stop_reading(self) -> None:
        """What the server sends stays in the network from now on."""
        if self._transport is not None:
            self._transport.pause_reading()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._closed = True
        if not self._opened.done():
            self._opened.set_exception(WireError("the server hung up before the socket was open"))
        else:
            self._listener.on_closed(self._close_code)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._opened.done() and not self._read_head():
            return
        self._read_frames()

    # --- within ---

    async def open(self, request: bytes) -> None:
        assert self._transport is not None
        self._transport.write(request)
        await self._opened

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                self._opened.set_exception(WireError("the server's answer has no end"))
            return False
        status = bytes(self._buffer[: self._buffer.index(b"\r\n")]).decode("latin-1")
        del self._buffer[: end + 4]
        if " 101 " not in status + " ":
            self._opened.set_exception(WireError(f"the server answered {status!r}"))
            return False
        self._opened.set_result(None)
        return True

    def _read_frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            length, start = buffer[at + 1] & 0x7F, at + 2
            if length == 126:
                if len(buffer) - at < 4:
                    break
                length, start = int.from_bytes(buffer[at + 2 : at + 4], "big"), at + 4
            elif length == 127:
                if len(buffer) - at < 10:
                    break
                length, start = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            if len(buffer) - start < length:
                break
            self._take(buffer[at], bytes(buffer[start : start + length]))
            at = start + length
        del buffer[:at]

    def _take(self, first: int, payload: bytes) -> None:
        opcode = first & 0x0F
        if opcode == BINARY:
            self._listener.on_binary(payload)
        elif opcode == TEXT:
            self._listener.on_text(payload.decode())
        elif opcode == PING:
            self.send_frame(_head(PONG, len(payload)) + payload)
        elif opcode == CLOSE:
            self._close_code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
            if self._transport is not None:
                self._transport.close()
        elif opcode == CONTINUATION or not first & 0x80:
            self.drop()


async def open_wire(
    url: str, listener: Listener, *, headers: dict[str, str], limit_s: float, small_window: bool = False
) -> Wire:
    """Connects and upgrades. `small_window`: a client whose network holds little.

    Raises `WireError`, `OSError` or `TimeoutError`.
    """
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(limit_s):
        transport, wire = await loop.create_connection(lambda: Wire(listener), parts.hostname or "", parts.port or 80)
        try:
            if small_window:
                _shrink(transport)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            key = base64.b64encode(os.urandom(16)).decode()
            lines = {
                "Host": parts.netloc,
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Key": key,
                "Sec-WebSocket-Version": "13",
                **headers,
            }
            head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            await wire.open(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode())
        except BaseException:
            transport.abort()
            raise
    return wire


def _shrink(transport: asyncio.Transport) -> None:
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
