"""The bounded port between one event loop and the worker's thread, one per stream.

Uplink audio is dropped oldest first and counted; commands are never dropped; a reader that lets events pile up
loses its own stream and nobody else's.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from inference.client.limits import AudioAllowance, StreamLimits
from inference.errors import InferenceError, SlowConsumer, StreamClosed, WorkerUnavailable
from inference.protocol import AudioOut, ClearInput, Command, CommitInput, Event, Fault
from inference.worker.doorbell import Doorbell


class Mailbox:
    """One stream's queues. `put_audio`, `put_command`, `events` and `leave` belong to the event loop, the rest to the
    worker's thread."""

    def __init__(
        self,
        doorbell: Doorbell,
        wake_worker: Callable[[], None],
        clock: Callable[[], float],
        limits: StreamLimits | None = None,
    ) -> None:
        self._limits = limits or StreamLimits()
        self._doorbell = doorbell
        self._wake_worker = wake_worker
        self._clock = clock
        self._lock = threading.Lock()
        self._audio: deque[bytes] = deque()
        self._audio_bytes = 0
        self._allowance = AudioAllowance(self._limits, clock(), leaks=False)
        self._arrived_bytes = self._gone_bytes = 0
        self._commands: deque[tuple[Command, int]] = deque()
        """Each with the audio that must be gone before it counts: 0 for most, what had arrived for those about it."""
        self._events: deque[Event] = deque()
        self._readable = asyncio.Event()
        self._released = asyncio.Event()
        self._failure: InferenceError | None = None
        self._leaving = False
        self._ended = False
        self.dropped_packets = 0
        """Uplink packets dropped since the stream began."""

    # --- the event loop's side ---

    def put_audio(self, pcm: bytes) -> None:
        """Queues a packet for the worker, dropping the oldest beyond the limit. After the end it is ignored."""
        with self._lock:
            if self._ended or self._leaving:
                return
            self._audio.append(pcm)
            self._audio_bytes += len(pcm)
            self._arrived_bytes += len(pcm)
            allowed = self._allowance.arrived(len(pcm), self._clock())
            while self._audio_bytes > allowed and len(self._audio) > 1:
                dropped = len(self._audio.popleft())
                self._audio_bytes -= dropped
                self._gone_bytes += dropped
                self.dropped_packets += 1
        self._wake_worker()

    def put_command(self, command: Command) -> None:
        """Queues a command. Raises `StreamClosed` after the end, `WorkerUnavailable` (and ends the stream) when the
        worker has let too many of them wait."""
        with self._lock:
            if self._ended or self._leaving:
                raise StreamClosed("the stream has ended")
            full = len(self._commands) >= self._limits.commands
            if not full:
                about_audio = isinstance(command, CommitInput | ClearInput)
                self._commands.append((command, self._arrived_bytes if about_audio else 0))
        if full:
            error = WorkerUnavailable(f"the worker has let {self._limits.commands} commands wait")
            self._leaving = True
            self.end(Fault(error.code, str(error), fatal=True))
            self._wake_worker()
            raise error
        self._wake_worker()

    async def events(self) -> AsyncIterator[Event]:
        """Events in order until the stream has ended. Raises `SlowConsumer` if they were not read in time."""
        while True:
            with self._lock:
                batch = list(self._events)
                self._events.clear()
                failure, ended = self._failure, self._ended or self._leaving
                self._readable.clear()
            if failure is not None:
                raise failure
            for event in batch:
                yield event
            if not batch:
                if ended:
                    return
                await self._readable.wait()

    async def leave(self, limit_s: float = 2.0) -> None:
        """Asks the worker for release and waits for it, `limit_s` at most. Idempotent."""
        self._leaving = True
        self._readable.set()
        self._wake_worker()
        try:
            await asyncio.wait_for(self._released.wait(), limit_s)
        except TimeoutError:
            return

    # --- the worker's side ---

    @property
    def leaving(self) -> bool:
        """True once the caller closed the stream or it failed: the slot can be released."""
        return self._leaving

    @property
    def is_crowded(self) -> bool:
        """Half of the events' bound is taken: whoever need not keep time should wait."""
        return 2 * len(self._events) > self._limits.events

    @property
    def ended(self) -> bool:
        return self._ended

    def fail(self, fault: Fault) -> None:
        """Ends the stream from outside, with this as its last event; the slot can be released. For any thread."""
        self.end(fault)
        self._leaving = True
        self._wake_worker()

    def has_input(self) -> bool:
        return bool(self._audio or self._commands)

    def set_primed(self) -> None:
        """From now on the worker reads: audio that waits is audio that is late."""
        with self._lock:
            self._allowance.leak(self._clock())

    def take_commands(self) -> list[Command]:
        """The waiting commands in order, up to one about audio that the worker has not taken yet."""
        commands: list[Command] = []
        with self._lock:
            while self._commands and self._commands[0][1] <= self._gone_bytes:
                commands.append(self._commands.popleft()[0])
        return commands

    def take_audio(self, limit_bytes: int) -> bytes:
        """The oldest waiting packets joined, up to about `limit_bytes`; one packet at least when any waits."""
        with self._lock:
            packets: list[bytes] = []
            taken = 0
            while self._audio and (not packets or taken + len(self._audio[0]) <= limit_bytes):
                packets.append(self._audio.popleft())
                taken += len(packets[-1])
            self._audio_bytes -= taken
            self._gone_bytes += taken
        return b"".join(packets)

    def put_events(self, events: Sequence[Event]) -> None:
        """Queues events for the reader. A full queue ends the stream with `SlowConsumer`."""
        if not events:
            return
        with self._lock:
            if self._ended:
                return
            if len(self._events) + len(events) > self._limits.events:
                waiting = sum(isinstance(event, AudioOut) for event in self._events)
                self._events.clear()
                self._failure = SlowConsumer(f"{self._limits.events} events were not read, {waiting} of them audio")
                self._ended = self._leaving = True
            else:
                self._events.extend(events)
        self._doorbell.note(self._readable)

    def end(self, last: Fault | None = None) -> None:
        """No more events after those queued and `last`."""
        with self._lock:
            if self._ended:
                return
            if last is not None:
                self._events.append(last)
            self._ended = True
            self._audio.clear()
            self._audio_bytes = 0
            self._commands.clear()
        self._doorbell.note(self._readable)

    def set_released(self) -> None:
        """The slot is free again."""
        self.end()
        self._doorbell.note(self._released)
