"""What the web side may ask of a worker, wherever that runs."""

from collections.abc import AsyncIterator
from typing import Protocol

from inference.client.ticket import Ticket
from inference.protocol import Command, Event, Lane, SessionSpec


class VoiceStream(Protocol):
    """One caller's use of a slot. All methods are called from one event loop and never block it."""

    id: str
    """Never reused."""

    def send_audio(self, pcm: bytes) -> None:
        """PCM16 at `AUDIO_RATE_HZ`. When the worker is behind, the oldest waiting audio is dropped and counted."""

    def send(self, command: Command) -> None:
        """Commands are never dropped. Raises `StreamClosed` after the end."""

    def events(self) -> AsyncIterator[Event]:
        """Events in order, ending when the stream has ended.

        A stream that fails says so by its last event, a fatal `Fault`: `worker_unavailable` when the worker died,
        stalled or stopped, `superseded` when a newer stream of the session took over. Raises `SlowConsumer` if the
        events were not read in time.
        """

    async def close(self) -> None:
        """Give the slot back. Idempotent."""


class WorkerClient(Protocol):
    async def open(self, spec: SessionSpec, ticket: Ticket | None = None) -> VoiceStream:
        """A stream on a free slot. Raises `AtCapacity`, `WorkerUnavailable`, `InvalidSpec`, `Superseded` or
        `TokenRefused` at once. A worker in another process wants a ticket."""


class AttachedWorker(WorkerClient, Protocol):
    """The worker in this process. Those elsewhere are known by their rows."""

    @property
    def lanes(self) -> frozenset[Lane]:
        """The lanes that streams can be opened in."""

    @property
    def slots(self) -> int: ...

    @property
    def slots_free(self) -> int: ...

    @property
    def calls(self) -> int:
        """Paced streams that are open. Unpaced ones wait for their end."""
