"""Many short calls while one thing after another breaks: at the end every transcript is right and no lease is open."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from scripts.calls.call import Call
from scripts.fault_suite.stage import STORIES, NotUnderWay, Stage, leaked
from scripts.fault_suite.transcripts import TranscriptCheck, check

STORY_SHARE = 0.4
FAULT_EVERY_S = (6.0, 14.0)
SETTLE_LIMIT_S = 150.0
PAUSE_S = (0.5, 4.0)
KEPT = 20
"""Examples of what went wrong in the report."""


@dataclass
class Tally:
    opened: int = 0
    not_opened: int = 0
    lost: int = 0
    """Calls that ended although nobody asked them to."""

    resumed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    behaviours: Counter[str] = field(default_factory=Counter)


class RandomRun:
    """`calls` calls, `at_once` at a time. The same seed plans the same calls and faults."""

    def __init__(self, stage: Stage, calls: int, at_once: int, seed: int) -> None:
        self._stage = stage
        self._left = calls
        self._at_once = at_once
        self._dice = random.Random(seed)
        self._tally = Tally()
        self._talks: list[Call] = []

    async def run(self) -> dict[str, Any]:
        began = time.monotonic()
        breaking = asyncio.create_task(self._break_things(), name="faults")
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._at_once):
                tasks.create_task(self._callers(), name=f"callers-{number}")
        breaking.cancel()
        await asyncio.gather(breaking, return_exceptions=True)
        calls_s = time.monotonic() - began
        await self._mend()
        settled = await self._stage.outside(self._stage.records.wait_settled, SETTLE_LIMIT_S)
        turns = await self._transcripts()
        return self._report(settled, turns, calls_s)

    # --- calls ---

    async def _callers(self) -> None:
        while self._left > 0:
            self._left -= 1
            try:
                call = await self._stage.open(self._stage.plan(echoes=self._dice.random() >= STORY_SHARE))
            except NotUnderWay:
                self._tally.not_opened += 1
                continue
            self._tally.opened += 1
            await self._hold(call)
            self._take_down(call)

    async def _hold(self, call: Call) -> None:
        dice = self._dice
        behaviour = dice.choices(["ends", "hangs_up", "loses_network", "vanishes"], [6, 2, 2, 1])[0]
        self._tally.behaviours[behaviour] += 1
        await self._talk(call, dice.uniform(2, 5))
        if behaviour == "loses_network" and call.is_live:
            call.lose_network()
            await self._talk(call, dice.uniform(2, 4))
        lost = call.over.is_set()
        self._tally.lost += lost
        if behaviour == "vanishes":
            self._stage.pacer.remove(call)
            call.freeze()
            await asyncio.sleep(0.2)
            call.hang_up_silently()
        elif behaviour == "hangs_up":
            self._stage.pacer.remove(call)
            call.hang_up()
        else:
            await self._stage.end([call])

    async def _talk(self, call: Call, seconds: float) -> None:
        if not call.plan.echoes:
            call.say(self._dice.choice(STORIES))
            seconds += 2
        try:
            await asyncio.wait_for(call.over.wait(), seconds)
        except TimeoutError:
            return

    def _take_down(self, call: Call) -> None:
        self._tally.resumed += call.record.remembered
        self._tally.errors.update(call.record.errors)
        self._tally.leaks += leaked([call])
        if call in self._stage.calls:
            self._stage.calls.remove(call)
        if not call.plan.echoes:
            self._talks.append(call)

    # --- faults ---

    async def _break_things(self) -> None:
        faults: list[tuple[str, Callable[[], Awaitable[None]], int]] = [
            ("worker_killed", self._kill_worker, 4),
            ("worker_paused", self._pause_worker, 3),
            ("web_killed", self._kill_web, 4),
            ("redis_paused", lambda: self._pause("redis"), 2),
            ("redis_killed", lambda: self._kill("redis"), 1),
            ("postgres_paused", lambda: self._pause("postgres"), 2),
            ("postgres_restarted", self._restart_postgres, 1),
        ]
        while True:
            await asyncio.sleep(self._dice.uniform(*FAULT_EVERY_S))
            name, inflict, _weight = self._dice.choices(faults, [weight for *_rest, weight in faults])[0]
            self._tally.faults[name] += 1
            await inflict()

    async def _kill_worker(self) -> None:
        await self._kill(self._dice.choice(self._stage.cluster.names("worker")))

    async def _kill_web(self) -> None:
        await self._kill(self._dice.choice(self._stage.cluster.names("web")))

    async def _pause_worker(self) -> None:
        await self._pause(self._dice.choice(self._stage.cluster.names("worker")))

    async def _kill(self, name: str) -> None:
        await self._stage.outside(self._stage.cluster.kill, name)
        await self._stage.outside(self._stage.cluster.wait_ready, name)

    async def _pause(self, name: str) -> None:
        self._stage.cluster.pause(name)
        try:
            await asyncio.sleep(self._dice.uniform(*PAUSE_S))
        finally:
            self._stage.cluster.resume(name)

    async def _restart_postgres(self) -> None:
        child = self._stage.cluster.child("postgres")
        try:
            await self._stage.outside(child.stop)
            await asyncio.sleep(self._dice.uniform(*PAUSE_S))
        finally:
            child.start()
        await self._stage.outside(self._stage.cluster.wait_ready, "postgres")

    async def _mend(self) -> None:
        """Everything runs again, so that what is open can be settled."""
        for name in self._stage.cluster.names(""):
            self._stage.cluster.child(name).start()
            await self._stage.outside(self._stage.cluster.wait_ready, name)

    # --- the end ---

    async def _transcripts(self) -> TranscriptCheck:
        stored = await self._stage.outside(self._stage.records.all_turns)
        found = TranscriptCheck()
        for call in self._talks:
            orderly = call.record.close_code == 1000 and call.record.closing == "ended"
            found.add(check(call.conversation, stored.get(call.session_id, []), orderly=orderly))
        return found

    def _report(self, settled: dict[str, Any], turns: TranscriptCheck, calls_s: float) -> dict[str, Any]:
        tally, why = self._tally, []
        for bad, reason in (
            (turns.lost, f"{len(turns.lost)} turns lost"),
            (turns.wrong, f"{len(turns.wrong)} turns wrong"),
            (tally.leaks, f"sound of others heard {len(tally.leaks)} times"),
            (settled["open_leases"], f"{settled['open_leases']} leases leaked"),
            (settled["live_sessions"], f"{settled['live_sessions']} conversations never ended"),
            (not turns.checked, "no turn was checked"),
        ):
            if bad:
                why.append(reason)
        return {
            "fault": "random",
            "what": "many short calls while things break at random",
            "calls": {
                "opened": tally.opened,
                "not_opened": tally.not_opened,
                "refusals_before_that": dict(self._stage.refusals),
                "with_a_story": len(self._talks),
                "ended_unasked": tally.lost,
                "came_back": tally.resumed,
                "behaviours": dict(tally.behaviours),
                "seconds": round(calls_s),
            },
            "faults": dict(tally.faults),
            "restarts": dict(Counter(self._stage.cluster.crashes)),
            "errors": dict(tally.errors),
            "turns": {"checked": turns.checked, "lost": turns.lost[:KEPT], "wrong": turns.wrong[:KEPT]},
            "leaked_audio": tally.leaks[:KEPT],
            "leases": settled,
            "sessions_ended": dict(self._stage.records.ended_reasons()),
            "verdict": "failed" if why else "passed",
            "why": why,
        }
