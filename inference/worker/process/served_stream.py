"""One websocket of the worker: from the socket to the mailbox and back."""

import asyncio
import logging
from contextlib import suppress

from websockets.asyncio.connection import broadcast
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from inference.errors import InferenceError, SlowConsumer, StreamClosed, WireError
from inference.protocol import AudioOut, Event, Fault, SessionSpec
from inference.protocol.wire import (
    Beat,
    Downlink,
    Failed,
    Leave,
    check_uplink_audio,
    decode_uplink,
    encode_downlink,
    encode_uplink,
    pack_audio,
)
from inference.worker.mailbox import Mailbox

logger = logging.getLogger(__name__)

WRITE_AHEAD_BYTES = 32_768
"""In the socket's own buffer: about 0.7 s of audio. The rest waits in the mailbox, which knows its bound."""

WRITE_LIMIT_S = 5.0
"""A web side that takes nothing for so long reads no more."""

_BEAT_IN = encode_uplink(Beat())
_BEAT_OUT = encode_downlink(Beat())


class ServedStream:
    """Used by one event loop."""

    def __init__(self, connection: ServerConnection, mailbox: Mailbox, stream_id: str, *, paced: bool) -> None:
        self.id = stream_id
        self._connection = connection
        self._mailbox = mailbox
        self._write_limit_s = WRITE_LIMIT_S if paced else None
        self._loop = asyncio.get_running_loop()
        self.heard_at = self._loop.time()
        """When the web side was last heard, by the event loop's clock."""

        self._has_failed = False

    async def run(self) -> None:
        """Until one of the two sides has ended the stream. The slot is free when this returns."""
        reading = asyncio.create_task(self._read(), name=f"{self.id}-read")
        writing = asyncio.create_task(self._write(), name=f"{self.id}-write")
        try:
            await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._mailbox.leave()
            for task in (reading, writing):
                task.cancel()
            for result in await asyncio.gather(reading, writing, return_exceptions=True):
                if isinstance(result, Exception):
                    logger.error("stream %s failed", self.id, exc_info=result)

    def beat(self) -> None:
        """Tells the web side that the worker's loop goes round."""
        if self._has_room():
            broadcast((self._connection,), _BEAT_OUT)

    def end(self, error: InferenceError) -> None:
        """Ends the stream, telling the web side why as far as it listens."""
        self._mailbox.fail(Fault(error.code, str(error), fatal=True))

    def cut(self) -> None:
        """Ends a stream whose web side is gone."""
        self._connection.transport.abort()

    def _has_room(self) -> bool:
        return bool(self._connection.transport.get_write_buffer_size() < WRITE_AHEAD_BYTES)

    async def _read(self) -> None:
        mailbox = self._mailbox
        try:
            async for message in self._connection:
                self.heard_at = self._loop.time()
                if isinstance(message, bytes):
                    mailbox.put_audio(check_uplink_audio(message))
                elif message != _BEAT_IN and not self._obey(message):
                    return
        except WireError as error:
            logger.warning("stream %s: the web side is not understood: %s", self.id, error)
            self._fail(error.code, str(error))
        except StreamClosed:
            pass  # The reason is on its way out.
        except InferenceError as error:
            self._fail(error.code, str(error))
        except ConnectionClosed:
            pass

    def _fail(self, code: str, message: str) -> None:
        """The last word of the stream: what the worker still reports is not sent."""
        self._has_failed = True
        say(self._connection, Failed(code, message))

    def _obey(self, text: str) -> bool:
        """False: the web side leaves. Raises `WireError`, `StreamClosed` or `WorkerUnavailable`."""
        match decode_uplink(text):
            case Leave():
                return False
            case Beat():
                return True
            case SessionSpec():
                raise WireError("a stream has one spec, at its beginning")
            case command:
                self._mailbox.put_command(command)
                return True

    async def _write(self) -> None:
        try:
            async for event in self._mailbox.events():
                if self._has_failed:
                    return
                await self._send(event)
        except SlowConsumer as error:
            self._fail(error.code, str(error))
        except TimeoutError:
            self._fail(SlowConsumer.code, f"nothing was read for {WRITE_LIMIT_S:g} s")
            self.cut()
        except ConnectionClosed:
            pass

    async def _send(self, event: Event) -> None:
        message = pack_audio(event) if type(event) is AudioOut else encode_downlink(event)
        if self._has_room():
            broadcast((self._connection,), message)
            return
        async with asyncio.timeout(self._write_limit_s):
            await self._connection.send(message)


def say(connection: ServerConnection, message: Downlink) -> None:
    """Sends it if the connection is open, without waiting."""
    with suppress(WebSocketException):
        broadcast((connection,), encode_downlink(message))
