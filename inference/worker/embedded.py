"""The embedded default: the worker as a thread of the serve process, behind `inference.client`."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

from inference import client
from inference.client.limits import StreamLimits
from inference.client.ticket import Ticket
from inference.errors import Superseded
from inference.protocol import Command, Event, Fault, Lane, SessionSpec
from inference.worker.doorbell import Doorbell
from inference.worker.lanes import LaneOpener
from inference.worker.loop import Worker
from inference.worker.mailbox import Mailbox
from inference.worker.takeover import take_over


class EmbeddedStream:
    """A `inference.client.VoiceStream` over a mailbox in this process."""

    def __init__(self, stream_id: str, mailbox: Mailbox, lease: str = "") -> None:
        self.id = stream_id
        self.lease = lease
        self._mailbox = mailbox

    @property
    def is_live(self) -> bool:
        return not self._mailbox.leaving and not self._mailbox.ended

    def send_audio(self, pcm: bytes) -> None:
        self._mailbox.put_audio(pcm)

    def send(self, command: Command) -> None:
        self._mailbox.put_command(command)

    def events(self) -> AsyncIterator[Event]:
        return self._mailbox.events()

    async def close(self) -> None:
        await self._mailbox.leave()

    def end(self, fault: Fault) -> None:
        """Ends the stream with this as its last event. May be called from any thread."""
        self._mailbox.fail(fault)


class EmbeddedClient:
    """A `inference.client.WorkerClient` for a worker in this process. Any event loop may use it."""

    def __init__(self, worker: Worker, limits: StreamLimits | None = None) -> None:
        self._worker = worker
        self._limits = limits
        self._doorbells: dict[asyncio.AbstractEventLoop, Doorbell] = {}
        self._leased: dict[str, EmbeddedStream] = {}

    async def open(self, spec: SessionSpec, ticket: Ticket | None = None) -> EmbeddedStream:
        mailbox = Mailbox(self._doorbell(), self._worker.wake, self._worker.clock, self._limits)
        if ticket is None:
            return EmbeddedStream(self._worker.admit(spec, mailbox), mailbox)
        await take_over(self._worker, spec.session_id, ticket.fence)
        stream = EmbeddedStream(self._worker.admit(spec, mailbox, ticket.fence), mailbox, ticket.lease)
        self._leased = {lease: known for lease, known in self._leased.items() if known.is_live}
        self._leased[ticket.lease] = stream
        return stream

    @property
    def leases(self) -> list[str]:
        """Leases with a live stream, for the worker's announcement."""
        return [lease for lease, stream in list(self._leased.items()) if stream.is_live]

    def drop(self, leases: Iterable[str]) -> None:
        """Ends the streams of leases that are no longer theirs."""
        for lease in leases:
            stream = self._leased.get(lease)
            if stream is not None:
                stream.end(Fault(Superseded.code, "the lease is over", fatal=True))

    def _doorbell(self) -> Doorbell:
        loop = asyncio.get_running_loop()
        if loop not in self._doorbells:
            self._doorbells = {known: bell for known, bell in self._doorbells.items() if not known.is_closed()}
            self._doorbells[loop] = Doorbell(loop)
        return self._doorbells[loop]

    @property
    def lanes(self) -> frozenset[Lane]:
        return self._worker.lanes

    @property
    def slots(self) -> int:
        return self._worker.slots

    @property
    def slots_free(self) -> int:
        return self._worker.slots_free

    @property
    def calls(self) -> int:
        return self._worker.calls


def start_worker(lanes: Mapping[Lane, LaneOpener], slots: int = 8) -> Worker:
    """Starts a worker thread with these lanes (`inference.worker.default_lanes`) and attaches it to
    `inference.client`. What a call needs is loaded when the first one opens."""
    worker = Worker(lanes, slots)
    worker.start()
    client.attach(EmbeddedClient(worker))
    return worker


def stop_worker(worker: Worker) -> None:
    """Detaches and stops it: streams end with a fault that says so."""
    client.attach(None)
    worker.stop()
