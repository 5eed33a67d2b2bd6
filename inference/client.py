"""The web side's door to a worker: open a stream, send audio and commands, read events.

`WorkerClient` and `VoiceStream` are the whole interface. In the embedded default the serve process attaches its
worker thread with `attach`; nothing here imports torch or the worker.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from inference.errors import WorkerUnavailable
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
        """Events in order, ending when the stream has ended. Raises `SlowConsumer` if they were not read in time."""

    async def close(self) -> None:
        """Give the slot back. Idempotent."""


class WorkerClient(Protocol):
    async def open(self, spec: SessionSpec) -> VoiceStream:
        """A stream on a free slot. Raises `AtCapacity`, `WorkerUnavailable` or `InvalidSpec` at once."""

    @property
    def lanes(self) -> frozenset[Lane]:
        """The lanes that streams can be opened in."""

    @property
    def slots(self) -> int: ...

    @property
    def slots_free(self) -> int: ...


_attached: WorkerClient | None = None


def attach(client: WorkerClient | None) -> None:
    """Make `client` the one `connect` returns; None detaches."""
    global _attached
    _attached = client


def connect() -> WorkerClient:
    """The attached worker's client. Raises `WorkerUnavailable` when there is none."""
    if _attached is None:
        raise WorkerUnavailable("no inference worker is attached to this process")
    return _attached
