"""One fault: what it does, what may be heard of it, and how it is judged."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.calls.call import Call
from scripts.fault_suite.stage import Stage, heard, leaked

SETTLE_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Fault:
    """`inflict` does it to a stage with calls under way, and returns when it is over and time to look has passed."""

    name: str
    what: str
    inflict: Callable[[Stage, "Trial"], Awaitable[None]]
    gap_limit_ms: float
    """The longest silence that a listener may hear because of it."""

    echoes: int = 4
    stories: int = 2
    settle_limit_s: float = SETTLE_LIMIT_S


@dataclass
class Trial:
    """A fault as it goes: the calls it finds, and what it notes."""

    echoes: list[Call] = field(default_factory=list)
    stories: list[Call] = field(default_factory=list)
    began_at: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)
    """Reasons why it was not passed."""

    @property
    def calls(self) -> list[Call]:
        return [*self.echoes, *self.stories]

    def begin(self) -> None:
        self.began_at = time.perf_counter()

    def demand(self, true: bool, reason: str) -> None:
        if not true:
            self.why.append(reason)


async def run(stage: Stage, fault: Fault) -> dict[str, Any]:
    """Never raises for what the cluster does wrong: the verdict says so."""
    trial = Trial()
    report: dict[str, Any] = {"fault": fault.name, "what": fault.what}
    try:
        trial.echoes = await stage.echoes(fault.echoes)
        trial.stories = await stage.stories(fault.stories)
        # What opening them cost is over by now.
        await asyncio.sleep(1.0)
        trial.begin()
        await fault.inflict(stage, trial)
        report |= await _judge(stage, fault, trial)
    except Exception as error:
        # One trial that breaks does not keep the others from being held.
        trial.why.append(f"{type(error).__name__}: {error}")
        trial.notes["workers"] = await stage.outside(stage.records.workers)
        await stage.end(stage.calls)
    report |= {"notes": trial.notes, "verdict": "failed" if trial.why else "passed", "why": trial.why}
    return report


async def _judge(stage: Stage, fault: Fault, trial: Trial) -> dict[str, Any]:
    hears = {
        name: heard(calls, trial.began_at)
        for name, calls in (("echo", trial.echoes), ("story", trial.stories))
        if calls
    }
    for name, each in hears.items():
        trial.demand(
            each["still_live"] == each["calls"], f"{name}: {each['still_live']} of {each['calls']} calls live on"
        )
        limit_ms = fault.gap_limit_ms
        trial.demand(each["longest_gap_ms"] <= limit_ms, f"{name}: a gap of {each['longest_gap_ms']} ms > {limit_ms:g}")
    trial.notes["workers"] = await stage.outside(stage.records.workers)
    await stage.end(trial.calls)
    settled = await stage.outside(stage.records.wait_settled, fault.settle_limit_s)
    trial.demand(not settled["open_leases"], f"{settled['open_leases']} leases are not settled")
    trial.demand(not settled["live_sessions"], f"{settled['live_sessions']} conversations are not ended")
    turns = await stage.outside(stage.transcripts, trial.stories)
    trial.demand(turns.is_right, f"{len(turns.lost)} turns lost, {len(turns.wrong)} wrong")
    trial.demand(not trial.stories or turns.checked > 0, "no turn was there to be checked")
    leaks = leaked(trial.calls)
    trial.demand(not leaks, f"sound of others was heard {len(leaks)} times")
    return {
        "hears": hears,
        "errors": _errors(trial.calls),
        "turns": {"checked": turns.checked, "lost": turns.lost, "wrong": turns.wrong},
        "leaked_audio": leaks[:10],
        "leases": settled,
    }


def _errors(calls: Sequence[Call]) -> dict[str, int]:
    found: dict[str, int] = {}
    for call in calls:
        for code, count in call.record.errors.items():
            found[code] = found.get(code, 0) + count
    return found
