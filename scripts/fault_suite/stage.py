"""Calls in a running cluster, and what becomes of them."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from scripts.calls.call import Call, CallPlan, NotOpened
from scripts.calls.door import THREADS, Visitor
from scripts.calls.pacing import Pacer
from scripts.cluster.cluster import Cluster
from scripts.cluster.plan import COMPOSED, ECHO
from scripts.cluster.records import Records
from scripts.fault_suite.transcripts import TranscriptCheck, check

STORIES = ("tell me a funny story", "tell me a sad story", "tell me a ghost story")
UNDER_WAY_WORDS = 6
UNDER_WAY_LIMIT_S = 30.0
OPEN_TRIES = 30
OPEN_AGAIN_S = 1.0
STEP_S = 0.05
Result = TypeVar("Result")


class NotUnderWay(RuntimeError):
    """A call did not get as far as the trial needs."""


class Stage:
    """Use it as an async context manager: its pacer runs as long. No number, and so no tone, is given twice."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.records = Records(cluster.postgres)
        self.pacer = Pacer()
        self.calls: list[Call] = []
        self.refusals: Counter[str] = Counter()
        """Why calls could not be opened at once."""

        self._numbers = itertools.count()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="door")
        self._pacing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Stage":
        self._pacing = asyncio.create_task(self.pacer.run(), name="pacer")
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._pacing is not None
        self._pacing.cancel()
        for call in self.calls:
            call.hang_up()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def plan(self, *, echoes: bool, reads: bool = True, comes_back: bool = True) -> CallPlan:
        """Of the next call."""
        return CallPlan(next(self._numbers), echoes=echoes, reads=reads, comes_back=comes_back)

    def visitor(self, plan: CallPlan) -> Visitor:
        return Visitor(self.cluster.url(ECHO if plan.echoes else COMPOSED), self._pool)

    async def open(self, plan: CallPlan, tries: int = OPEN_TRIES) -> Call:
        """Tries again while the server is full or away. Raises `NotUnderWay`."""
        reason = ""
        for _attempt in range(tries):
            call = Call(plan, self.visitor(plan))
            try:
                await call.open()
            except NotOpened as error:
                reason = error.reason
                self.refusals[reason] += 1
                await asyncio.sleep(OPEN_AGAIN_S)
            else:
                self.calls.append(call)
                self.pacer.add(call)
                return call
        raise NotUnderWay(f"call {plan.number} could not be opened: {reason}")

    async def echoes(self, num: int) -> list[Call]:
        """Callers who hear themselves."""
        calls = await asyncio.gather(*(self.open(self.plan(echoes=True)) for _ in range(num)))
        await self.until(lambda: all(call.record.returned for call in calls), "the echo came back")
        return calls

    async def stories(self, num: int) -> list[Call]:
        """Callers to whom a story is being told."""
        calls = await asyncio.gather(*(self.open(self.plan(echoes=False)) for _ in range(num)))
        await asyncio.gather(*(self.story(call, STORIES[at % len(STORIES)]) for at, call in enumerate(calls)))
        return calls

    async def story(self, call: Call, wish: str) -> None:
        """Asks for a story and waits until some words of it have been heard."""
        await self.until(lambda: bool(call.conversation.word_times), "the greeting began")
        before = len(call.conversation.items)
        call.say(wish)
        await self.until(lambda: len(call.conversation.items) >= before + 2, "the question was answered")
        words = len(call.conversation.word_times)
        await self.until(
            lambda: len(call.conversation.word_times) >= words + UNDER_WAY_WORDS, "the story was under way"
        )

    async def until(self, true: Callable[[], bool], what: str, limit_s: float = UNDER_WAY_LIMIT_S) -> None:
        """Raises `NotUnderWay` after the limit."""
        deadline = time.perf_counter() + limit_s
        while not true():
            if time.perf_counter() > deadline:
                raise NotUnderWay(f"not within {limit_s:g} s: {what}")
            await asyncio.sleep(STEP_S)

    async def end(self, calls: Iterable[Call]) -> None:
        calls = list(calls)
        for call in calls:
            self.pacer.remove(call)
            if call in self.calls:
                self.calls.remove(call)
        await asyncio.gather(*(call.end() for call in calls))

    async def outside(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Runs what blocks on a thread."""
        return await asyncio.get_running_loop().run_in_executor(None, lambda: work(*arguments))

    # --- who does what ---

    def worker_of(self, call: Call) -> str:
        """The worker that holds its newest lease."""
        leases = self.records.leases(call.session_id)
        if not leases:
            raise NotUnderWay(f"call {call.plan.number} has no lease")
        return leases[-1][0]

    def web_of(self, call: Call) -> str:
        """The web process that holds its session."""
        holder = self.records.holder(call.session_id)
        pids = {str(pid): name for name, pid in self.cluster.pids().items()}
        # HOST-PID-RANDOM, and a host's name may hold hyphens.
        name = pids.get(holder.rsplit("-", 2)[1] if holder.count("-") >= 2 else "", "")
        if not name:
            raise NotUnderWay(f"nobody holds call {call.plan.number}")
        return name

    # --- judging ---

    def transcripts(self, calls: Sequence[Call]) -> TranscriptCheck:
        """Of the composed calls among them."""
        found = TranscriptCheck()
        for call in calls:
            if not call.plan.echoes:
                orderly = call.record.close_code == 1000
                found.add(check(call.conversation, self.records.turns(call.session_id), orderly=orderly))
        return found


def heard(calls: Sequence[Call], since: float) -> dict[str, Any]:
    """What the listeners of these calls heard after `since`. Call it while they are still live."""
    now = time.perf_counter()
    silences = [call.player.longest_pause_ms(since, now, within=not call.plan.echoes) for call in calls]
    return {
        "calls": len(calls),
        "still_live": sum(call.is_live for call in calls),
        "resumed": sum(call.record.remembered for call in calls),
        "longest_gap_ms": round(max(silences, default=0.0)),
        "gap_ms": [round(ms) for ms in silences],
        "sound_lost_s": round(sum(call.player.lost_s for call in calls), 2),
        "sound_repeated_s": round(sum(call.player.repeated_s for call in calls), 2),
        "messages_missed": sum(call.record.sequence_jumps for call in calls),
    }


def leaked(calls: Iterable[Call]) -> list[str]:
    """Sound of others that was heard in a call."""
    return [f"call {call.plan.number}: {owner}" for call in calls for owner in call.record.foreign]
