"""One websocket of the worker: from the socket to the mailbox and back."""

import asyncio
import logging

from inference.client.line import Line, Message
from inference.errors import InferenceError, SlowConsumer, StreamClosed, WireError
from inference.protocol import AudioOut, Event, Fault, SessionSpec
from inference.protocol.wire import (
    Beat,
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

WRITE_LIMIT_S = 5.0
"""A web side that takes nothing for so long reads no more."""

_BEAT_IN = encode_uplink(Beat())
_BEAT_OUT = encode_downlink(Beat())


class ServedStream:
    """Used by one event loop."""

    def __init__(self, line: Line, mailbox: Mailbox, stream_id: str, *, paced: bool) -> None:
        self.id = stream_id
        self._line = line
        self._mailbox = mailbox
        self._write_limit_s = WRITE_LIMIT_S if paced else None
        self._loop = asyncio.get_running_loop()
        self.heard_at = self._loop.time()
        """When the web side was last heard, by the event loop's clock."""

        self._left = asyncio.Event()
        """The web side leaves, or has made itself impossible."""

    async def run(self) -> None:
        """Until one of the two sides has ended the stream. The slot is free when this returns."""
        writing = asyncio.create_task(self._write(), name=f"{self.id}-write")
        leaving = asyncio.create_task(self._left.wait(), name=f"{self.id}-left")
        self._line.listen(self._take, self._left.set)
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._mailbox.leave()
            for task in (writing, leaving):
                task.cancel()
            for result in await asyncio.gather(writing, leaving, return_exceptions=True):
                if isinstance(result, Exception):
                    logger.error("stream %s failed", self.id, exc_info=result)

    def beat(self) -> None:
        """Tells the web side that the worker's loop goes round."""
        if self._line.has_room():
            self._line.send(_BEAT_OUT)

    def end(self, error: InferenceError) -> None:
        """Ends the stream, telling the web side why as far as it listens."""
        self._mailbox.fail(Fault(error.code, str(error), fatal=True))

    def cut(self) -> None:
        """Ends a stream whose web side is gone."""
        self._line.abort()

    def _take(self, message: Message) -> None:
        if self._left.is_set():
            return
        self.heard_at = self._loop.time()
        try:
            if isinstance(message, bytes):
                self._mailbox.put_audio(check_uplink_audio(message))
            elif message != _BEAT_IN and not self._obey(message):
                self._left.set()
        except WireError as error:
            logger.warning("stream %s: the web side is not understood: %s", self.id, error)
            self._fail(error.code, str(error))
        except StreamClosed:
            pass  # The reason is on its way out.
        except InferenceError as error:
            self._fail(error.code, str(error))

    def _fail(self, code: str, message: str) -> None:
        """The last word of the stream: what the worker still reports is not sent."""
        self._line.send(encode_downlink(Failed(code, message)))
        self._left.set()

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
                if self._left.is_set():
                    return
                await self._send(event)
        except SlowConsumer as error:
            self._fail(error.code, str(error))
        except TimeoutError:
            self._fail(SlowConsumer.code, f"nothing was read for {WRITE_LIMIT_S:g} s")
            self.cut()

    async def _send(self, event: Event) -> None:
        message = pack_audio(event) if type(event) is AudioOut else encode_downlink(event)
        if not self._line.has_room():
            async with asyncio.timeout(self._write_limit_s):
                await self._line.room()
        self._line.send(message)
