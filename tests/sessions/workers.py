"""Several real workers in one process, and a dispatch in memory that knows them."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from inference.client import Ticket, WorkerClient
from inference.protocol import Fault, Lane
from inference.worker.composed import ComposedLane
from inference.worker.echo import EchoLane
from inference.worker.embedded import EmbeddedClient
from inference.worker.loop import Worker
from sessions.errors import Fenced, Full
from tests.inference.scripted_call import LevelDetector, ToneEars, ToneMouth


@dataclass
class Hand:
    """One worker with ears and a mouth of its own, which work on tones."""

    name: str
    mouth: ToneMouth = field(default_factory=ToneMouth)

    def __post_init__(self) -> None:
        lane = ComposedLane(ToneEars(), self.mouth, LevelDetector)
        self.worker = Worker({Lane.COMPOSED: lane, Lane.ECHO: EchoLane()}, slots=2)
        self.worker.start()
        self.client = EmbeddedClient(self.worker)

    def die(self) -> None:
        self.worker.stop()

    def tell(self, *events: Fault) -> None:
        """To every stream on it."""
        for slot in self.worker._slots:
            if slot is not None:
                slot.mailbox.put_events(events)


class Company:
    """Workers, and who has leases on them: a `sessions.live.moving.Dispatcher`."""

    def __init__(self, *names: str) -> None:
        self.hands = {name: Hand(name) for name in names}
        self.open: dict[str, str] = {}
        """Lease to worker."""

        self.settled: list[tuple[str, str]] = []
        self.refusing: set[str] = set()
        self.is_fenced = False
        self._fence = 0

    def door(self, url: str) -> WorkerClient:
        return self.hands[url].client

    async def reserve(
        self, *, session_id: str, lane: str, language: str, sticky: str = "", exclude: Collection[str] = ()
    ) -> Ticket:
        if self.is_fenced:
            raise Fenced("another process holds it")
        free = [name for name in self.hands if name not in exclude and name not in self.refusing]
        if not free:
            raise Full("all voices are taken")
        self._fence += 1
        lease = f"{self._fence:032x}"
        self.open[lease] = free[0]
        return Ticket(free[0], free[0], "", self._fence, lease, session_id)

    async def confirm(self, ticket: Ticket) -> None:
        assert ticket.lease in self.open

    async def release(self, ticket: Ticket, reason: str) -> None:
        worker = self.open.pop(ticket.lease, None)
        if worker is not None:
            self.settled.append((worker, reason))


@contextmanager
def company(*names: str) -> Iterator[Company]:
    made = Company(*names)
    try:
        yield made
    finally:
        for hand in made.hands.values():
            hand.die()
