"""Many callers of one process: who comes when, stays how long, and what they all measured."""

import asyncio
import contextlib
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import uvloop
from numpy.typing import NDArray

from scripts.calls.call import Call, CallPlan, NotOpened
from scripts.calls.door import THREADS, Visitor
from scripts.calls.pacing import Pacer

DRAIN_S = 2.0
PACKETS_PER_FRAME = 2
STORM_STAYS_S = 5.0
Kind = Literal["steady", "storm", "slow"]


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller's appointment, seconds after the start."""

    number: int
    kind: Kind
    comes_s: float
    stays_s: float


@dataclass(frozen=True, slots=True)
class CrowdPlan:
    url: str
    callers: tuple[Caller, ...]
    start_at: float
    """On `time.perf_counter`, which the processes of a machine share."""

    character: str = "storyteller"


@dataclass
class Outcome:
    """What became of one call."""

    kind: Kind
    refused: str = ""
    failed: str = ""
    """Why it could not be opened, or ended without being asked to."""

    opened_ms: dict[str, float] = field(default_factory=dict)
    first_audio_ms: float | None = None
    sent: int = 0
    unsent: int = 0
    returned: int = 0
    dropped_and_told: int = 0
    gaps_ms: list[float] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    close_code: int | None = None

    @property
    def lost_silently(self) -> int:
        return max(0, self.sent - self.returned - self.dropped_and_told)


@dataclass
class CrowdResult:
    outcomes: list[Outcome]
    added_ms: NDArray[np.float32]
    """Round trips of packets of steady and storm callers while this client itself was on time."""

    arrived_s: NDArray[np.float32]
    """When each came back, seconds after the start."""

    excluded: int
    """Packets that were sent or came back while this client was late itself."""

    pacing_ms: NDArray[np.float32]
    cpu_s: float
    """Processor time of this client process."""


def run_crowd(plan: CrowdPlan) -> CrowdResult:
    """Runs until the last caller has left."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_Crowd(plan).run())


class _Crowd:
    def __init__(self, plan: CrowdPlan) -> None:
        self._plan = plan
        self._pacer = Pacer()
        self._done: list[tuple[Call | None, Outcome]] = []

    async def run(self) -> CrowdResult:
        pacing = asyncio.create_task(self._pacer.run(), name="pacer")
        with ThreadPoolExecutor(THREADS, thread_name_prefix="door") as pool:
            async with asyncio.TaskGroup() as tasks:
                for caller in self._plan.callers:
                    tasks.create_task(self._attend(caller, pool), name=f"caller-{caller.number}")
        pacing.cancel()
        return self._result()

    async def _attend(self, caller: Caller, pool: ThreadPoolExecutor) -> None:
        await asyncio.sleep(max(0.0, self._plan.start_at + caller.comes_s - time.perf_counter()))
        slow = caller.kind == "slow"
        plan = CallPlan(caller.number, self._plan.character, comes_back=not slow, reads=not slow)
        call, outcome = Call(plan, Visitor(self._plan.url, pool)), Outcome(caller.kind)
        try:
            await call.open()
        except NotOpened as error:
            if error.refused:
                outcome.refused = error.reason
            else:
                outcome.failed = error.reason
            self._done.append((None, outcome))
            return
        await self._stay(call, caller, outcome)

    async def _stay(self, call: Call, caller: Caller, outcome: Outcome) -> None:
        self._pacer.add(call)
        leaves_at = self._plan.start_at + caller.comes_s + caller.stays_s
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(call.over.wait(), max(0.1, leaves_at - time.perf_counter()))
            outcome.failed = f"closed_{call.record.close_code}"
        call.muted = True
        self._pacer.remove(call)
        if not outcome.failed:
            await asyncio.sleep(DRAIN_S)
        await call.end()
        self._done.append((call, outcome))

    def _result(self) -> CrowdResult:
        added: list[NDArray[np.float32]] = []
        arrived: list[NDArray[np.float32]] = []
        excluded = 0
        for call, outcome in self._done:
            if call is None:
                continue
            self._fill(call, outcome)
            if outcome.kind == "slow":
                continue
            ms, at, late = self._round_trips(call)
            excluded += int(late.sum())
            added.append(ms[~late].astype(np.float32))
            arrived.append((at[~late] - self._plan.start_at).astype(np.float32))
        nothing = np.zeros(0, dtype=np.float32)
        return CrowdResult(
            outcomes=[outcome for _call, outcome in self._done],
            added_ms=np.concatenate([nothing, *added]),
            arrived_s=np.concatenate([nothing, *arrived]),
            excluded=excluded,
            pacing_ms=np.asarray(self._pacer.lateness_ms, dtype=np.float32),
            cpu_s=time.process_time(),
        )

    def _round_trips(self, call: Call) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """Milliseconds, time of arrival, and whether this client was late at either end."""
        record = call.record
        numbers = np.asarray(record.returned, dtype=np.int64)
        at = np.asarray(record.returned_at, dtype=np.float64)
        if not len(numbers):
            return np.zeros(0), at, np.zeros(0, dtype=bool)
        sent_at = np.asarray(record.sent_at)[numbers]
        late = np.asarray(record.sent_late)[numbers] | self._pacer.was_late(at)
        return (at - sent_at) * 1000, at, late

    def _fill(self, call: Call, outcome: Outcome) -> None:
        record = call.record
        outcome.opened_ms, outcome.first_audio_ms = record.opened_ms, record.first_audio_ms
        outcome.sent, outcome.unsent, outcome.returned = len(record.sent_at), record.unsent, len(record.returned)
        outcome.dropped_and_told = record.dropped_uplink + record.dropped_downlink * PACKETS_PER_FRAME
        outcome.foreign, outcome.errors = record.foreign, record.errors
        outcome.resumed, outcome.close_code = record.remembered, record.close_code
        gaps = call.player.gaps
        if gaps:
            ends = np.asarray([gap.at + gap.ms / 1000 for gap in gaps])
            own = self._pacer.was_late(ends)
            outcome.gaps_ms = [gap.ms for gap, mine in zip(gaps, own, strict=True) if not mine]
