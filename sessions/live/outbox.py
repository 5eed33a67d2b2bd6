"""The bounded queue of one socket, and the task that writes it out."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sessions.live.closing import CloseCode

MAX_TEXTS = 2_000
MAX_TEXT_BYTES = 4_000_000
MAX_AUDIO_MS = 3_000
"""Audio a slow browser may be behind with; beyond it the oldest is dropped and counted, so that delay does not grow."""

STUCK_S = 10.0
CLOSE_S = 2.0

Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One socket message of a session."""

    sequence: int
    payload: str | bytes
    audio_ms: float = 0.0
    """More than 0: it may be dropped."""

    on_sent: Callable[[], None] | None = None


class Outbox:
    """What one socket still has to send. Audio is dropped oldest first, text never: too much of it ends the socket."""

    def __init__(
        self,
        send: Send,
        on_drop: Callable[[float], None] | None = None,
        send_now: Callable[[str | bytes], bool] | None = None,
    ) -> None:
        self._send = send
        self._send_now = send_now
        self._on_drop = on_drop
        self._texts: deque[Entry] = deque()
        self._text_bytes = 0
        self._audio: deque[Entry] = deque()
        self._audio_ms = 0.0
        self._news = asyncio.Event()
        """Not set only while the writer has nothing to do: what comes then may leave at once."""

        self._news.set()
        self._closing: CloseCode | None = None
        self.closed = asyncio.Event()
        self._sending_since: float | None = None

    @property
    def is_open(self) -> bool:
        return self._closing is None

    def put(self, entry: Entry) -> None:
        """Queues a message; ignored once closing."""
        if self._closing is not None or self._sent_now(entry):
            return
        if entry.audio_ms:
            self._put_audio(entry)
        else:
            self._put_text(entry)
        self._news.set()

    def _sent_now(self, entry: Entry) -> bool:
        if self._news.is_set() or self._send_now is None or not self._send_now(entry.payload):
            return False
        if entry.on_sent is not None:
            entry.on_sent()
        return True

    def put_replay(self, entries: Iterable[Entry]) -> None:
        """Queues what a reconnected client missed, beyond the bounds of what is live."""
        for entry in entries:
            (self._audio if entry.audio_ms else self._texts).append(entry)
        self._news.set()

    def close(self, code: CloseCode) -> None:
        """Sends what is queued, then closes the socket with this code. The first code counts."""
        if self._closing is None:
            self._closing = code
            self._news.set()

    def abort(self) -> None:
        """The socket is gone: nothing more is sent."""
        self._closing = self._closing or CloseCode.DONE
        self._texts.clear()
        self._audio.clear()
        self.closed.set()
        self._news.set()

    async def run(self) -> None:
        """Writes until closed. Every send has a limit: a socket stuck for `STUCK_S` is closed as too slow."""
        looking: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(None) as limit:
                looking = asyncio.create_task(self._look(limit), name="outbox-look")
                await self._write_all()
        except TimeoutError:
            self._closing = CloseCode.TOO_SLOW
        except (OSError, RuntimeError):
            # The server refuses to send on a socket whose other end has gone; the disconnect message follows.
            self.closed.set()
        finally:
            if looking is not None:
                looking.cancel()
            await self._shut()

    async def _write_all(self) -> None:
        while not self.closed.is_set():
            entry = self._next()
            if entry is not None:
                await self._write(entry)
            elif self._closing is not None:
                return
            else:
                self._news.clear()
                await self._news.wait()

    async def _look(self, limit: asyncio.Timeout) -> None:
        """Ends a send that is stuck. One look now and then costs less than a timer for each message."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(STUCK_S / 4)
            if self._sending_since is not None and clock() - self._sending_since >= STUCK_S:
                limit.reschedule(clock())

    async def _write(self, entry: Entry) -> None:
        kind = "text" if isinstance(entry.payload, str) else "bytes"
        self._sending_since = asyncio.get_running_loop().time()
        await self._send({"type": "websocket.send", kind: entry.payload})
        self._sending_since = None
        if entry.on_sent is not None:
            entry.on_sent()

    async def _shut(self) -> None:
        if self.closed.is_set():
            return
        self.closed.set()
        code = self._closing or CloseCode.INTERNAL
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._send({"type": "websocket.close", "code": int(code)})
        except (OSError, RuntimeError, TimeoutError):
            return

    def _next(self) -> Entry | None:
        """The waiting message of the lowest number."""
        texts, audio = self._texts, self._audio
        if texts and (not audio or texts[0].sequence <= audio[0].sequence):
            entry = texts.popleft()
            self._text_bytes = max(0, self._text_bytes - len(entry.payload))
            return entry
        if audio:
            entry = audio.popleft()
            self._audio_ms = max(0.0, self._audio_ms - entry.audio_ms)
            return entry
        return None

    def _put_audio(self, entry: Entry) -> None:
        self._audio.append(entry)
        self._audio_ms += entry.audio_ms
        dropped_ms = 0.0
        while self._audio_ms > MAX_AUDIO_MS and len(self._audio) > 1:
            oldest = self._audio.popleft()
            self._audio_ms -= oldest.audio_ms
            dropped_ms += oldest.audio_ms
        if dropped_ms and self._on_drop is not None:
            self._on_drop(dropped_ms)

    def _put_text(self, entry: Entry) -> None:
        self._texts.append(entry)
        self._text_bytes += len(entry.payload)
        if len(self._texts) > MAX_TEXTS or self._text_bytes > MAX_TEXT_BYTES:
            self._texts.clear()
            self._audio.clear()
            self.close(CloseCode.TOO_SLOW)
