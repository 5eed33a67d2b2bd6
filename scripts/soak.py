"""Half an hour of calls that come and go: does any process grow, does any queue?

Starts a cluster, keeps `--calls` callers in it who join and leave all the time (most hear themselves, some are told
stories), and every ten seconds looks at memory, threads and open files of every process, and at gauges of `/metrics`.
Prints JSON: each figure's slope per hour by least squares, with a verdict.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from prometheus_client.parser import text_string_to_metric_families

from scripts.calls.call import Call
from scripts.cluster.cluster import LOGS, Cluster
from scripts.cluster.plan import COMPOSED, ECHO, ClusterPlan
from scripts.cluster.programs import MissingProgram
from scripts.cluster.waiting import ClusterFailed
from scripts.fault_suite.stage import STORIES, NotUnderWay, Stage, leaked
from scripts.fault_suite.transcripts import TranscriptCheck, check
from scripts.faults import ENVIRONMENT, say
from scripts.processes import num_open_files, num_threads, resident_mb
from scripts.trend import trend

SAMPLE_S = 10.0
STORED_LIMIT_S = 15.0
LEAST_S = 600.0
"""A shorter run shows no trend: its slopes are told, and not judged."""

WARM_UP_SHARE = 0.2
"""Of the time: caches and pools fill up, language models are loaded."""

STORY_SHARE = 0.3
STAYS_S = (8.0, 40.0)
GROWTH = {"resident_mb": 12.0, "open_files": 6.0, "threads": 3.0}
"""What may be added per hour and process before it is called a leak."""

GAUGE_GROWTH = 20.0
GAUGE_WORDS = ("queue", "waiting", "backlog", "depth", "pending")


@dataclass
class Samples:
    at_s: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)
    """By `PROCESS FIGURE`; NaN where there was nothing to read."""

    def add(self, at_s: float, found: dict[str, float]) -> None:
        self.at_s.append(at_s)
        for name in found.keys() - self.values.keys():
            self.values[name] = [float("nan")] * (len(self.at_s) - 1)
        for name, values in self.values.items():
            values.append(found.get(name, float("nan")))


class Soak:
    """One run."""

    def __init__(self, stage: Stage, calls: int, seconds: float, seed: int) -> None:
        self._stage = stage
        self._calls = calls
        self._seconds = seconds
        self._dice = random.Random(seed)
        self._samples = Samples()
        self._held = self._refused = self._ended_unasked = 0
        self._errors: Counter[str] = Counter()
        self._leaks: list[str] = []
        self._turns = TranscriptCheck()
        self._gaps = 0
        self._until = 0.0

    async def run(self) -> dict[str, Any]:
        began = time.monotonic()
        self._until = began + self._seconds
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._calls):
                tasks.create_task(self._caller(), name=f"caller-{number}")
            tasks.create_task(self._look(began), name="samples")
        settled = await self._stage.outside(self._stage.records.wait_settled, 90.0)
        return self._report(settled)

    async def _caller(self) -> None:
        await asyncio.sleep(self._dice.uniform(0, 5))
        while (left_s := self._until - time.monotonic()) > STAYS_S[0]:
            try:
                call = await self._stage.open(self._stage.plan(echoes=self._dice.random() >= STORY_SHARE))
            except NotUnderWay:
                self._refused += 1
                continue
            if not call.plan.echoes:
                call.say(self._dice.choice(STORIES))
            stays_s = min(left_s, self._dice.uniform(*STAYS_S))
            done, _pending = await asyncio.wait({asyncio.create_task(call.over.wait())}, timeout=stays_s)
            self._ended_unasked += bool(done)
            await self._take_down(call)

    async def _take_down(self, call: Call) -> None:
        self._gaps += len(call.player.gaps)
        await self._stage.end([call])
        self._held += 1
        self._errors.update(call.record.errors)
        self._leaks += leaked([call])
        if not call.plan.echoes:
            await self._stage.outside(self._stage.records.wait_ended, call.session_id, STORED_LIMIT_S)
            stored = await self._stage.outside(self._stage.records.turns, call.session_id)
            self._turns.add(check(call.conversation, stored, orderly=call.record.close_code == 1000))

    async def _look(self, began: float) -> None:
        while time.monotonic() < self._until:
            found = await self._stage.outside(look, self._stage.cluster)
            self._samples.add(time.monotonic() - began, found)
            await asyncio.sleep(SAMPLE_S)

    def _report(self, settled: dict[str, Any]) -> dict[str, Any]:
        trends, why = judge(self._samples, self._seconds * WARM_UP_SHARE)
        if self._seconds < LEAST_S:
            why = []
        crashes = Counter(self._stage.cluster.crashes)
        for bad, reason in (
            (settled["open_leases"], f"{settled['open_leases']} leases are not settled"),
            (
                self._turns.lost or self._turns.wrong,
                f"{len(self._turns.lost)} turns lost, {len(self._turns.wrong)} wrong",
            ),
            (self._leaks, f"sound of others heard {len(self._leaks)} times"),
            (self._ended_unasked, f"{self._ended_unasked} calls ended unasked"),
            (crashes, f"processes crashed: {dict(crashes)}"),
        ):
            if bad:
                why.append(reason)
        return {
            "calls": {"held": self._held, "not_opened": self._refused, "ended_unasked": self._ended_unasked},
            "gaps_over_100_ms": self._gaps,
            "errors": dict(self._errors),
            "turns": {"checked": self._turns.checked, "lost": self._turns.lost, "wrong": self._turns.wrong},
            "leaked_audio": self._leaks[:20],
            "leases": settled,
            "figures": trends,
            "trends_judged": self._seconds >= LEAST_S,
            "verdict": "failed" if why else "passed",
            "why": why,
        }


def look(cluster: Cluster) -> dict[str, float]:
    """Every figure of this moment."""
    found: dict[str, float] = {}
    for name, pid in cluster.pids().items():
        found[f"{name} resident_mb"] = resident_mb(pid)
        found[f"{name} open_files"] = num_open_files(pid)
        found[f"{name} threads"] = num_threads(pid)
    ports = {**cluster.addresses.web, **cluster.addresses.workers}
    for name, port in ports.items():
        found |= {f"{name} {gauge}": value for gauge, value in gauges(f"http://127.0.0.1:{port}/metrics").items()}
    return found


def gauges(url: str) -> dict[str, float]:
    """The gauges of queues; nothing when the process does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=3) as reply:
            text = reply.read().decode()
    except (urllib.error.URLError, OSError):
        return {}
    return {
        " ".join([sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(text)
        if family.type == "gauge" and any(word in family.name for word in GAUGE_WORDS)
        for sample in family.samples
    }


def judge(samples: Samples, since_s: float) -> tuple[dict[str, Any], list[str]]:
    """Every figure's trend after the warm-up, and what grows."""
    trends: dict[str, Any] = {}
    why: list[str] = []
    for name, values in sorted(samples.values.items()):
        pairs = [
            (at, value) for at, value in zip(samples.at_s, values, strict=True) if at >= since_s and value == value
        ]
        if len(pairs) < 3:
            continue
        line = trend([at for at, _value in pairs], [value for _at, value in pairs])
        limit = GROWTH.get(name.rsplit(" ", 1)[1], GAUGE_GROWTH)
        grows = line.grows(limit)
        trends[name] = {
            "first": round(line.first, 1),
            "last": round(line.last, 1),
            "greatest": round(line.greatest, 1),
            "per_hour": line.per_hour,
            "error": line.per_hour_error,
            "verdict": "grows" if grows else "flat",
        }
        if grows:
            why.append(f"{name} grows by {line.per_hour:g} an hour")
    return trends, why


async def soak(cluster: Cluster, options: argparse.Namespace) -> dict[str, Any]:
    async with Stage(cluster) as stage:
        say(f"{options.calls} callers for {options.minutes:g} minutes ...")
        return await Soak(stage, options.calls, options.minutes * 60, options.seed).run()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--logs", type=Path, default=LOGS, help="folder of the processes' logs")
    parser.add_argument("--out", type=Path, help="also write the JSON to this file")
    options = parser.parse_args()
    plan = ClusterPlan(
        lanes=(COMPOSED, ECHO), workers=options.workers, slots=options.calls + 8, environment=ENVIRONMENT
    )
    try:
        with (
            Cluster(plan, logs=options.logs, say=say) as cluster,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            report = runner.run(soak(cluster, options))
    except (MissingProgram, ClusterFailed) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    conditions = {
        "minutes": options.minutes,
        "calls": options.calls,
        "story_share": STORY_SHARE,
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    text = json.dumps({"bench": "soak", "conditions": conditions} | report, indent=2, ensure_ascii=False)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0 if report["verdict"] == "passed" else 1


if __name__ == "__main__":
    sys.exit(main())
