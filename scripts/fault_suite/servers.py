"""Faults of processes and machines."""

import asyncio

from scripts.fault_suite.fault import Fault, Trial
from scripts.fault_suite.stage import Stage

OUTAGE_S = 10.0
STALL_S = 5.0
AFTER_S = 6.0


async def worker_killed(stage: Stage, trial: Trial) -> None:
    name = await stage.outside(stage.worker_of, trial.stories[0])
    trial.notes["killed"] = name
    held = [await stage.outside(stage.worker_of, call) for call in trial.calls]
    trial.notes["calls_on_it"] = held.count(name)
    trial.begin()
    await stage.outside(stage.cluster.kill, name)
    await asyncio.sleep(AFTER_S)
    await stage.outside(stage.cluster.wait_ready, name)
    moved = await stage.outside(stage.worker_of, trial.stories[0])
    trial.notes["moved_to"] = moved


async def worker_stalled(stage: Stage, trial: Trial) -> None:
    name = await stage.outside(stage.worker_of, trial.stories[0])
    trial.notes["stalled"] = name
    trial.begin()
    stage.cluster.pause(name)
    await asyncio.sleep(STALL_S)
    stage.cluster.resume(name)
    await asyncio.sleep(AFTER_S)


async def web_killed(stage: Stage, trial: Trial) -> None:
    names = {await stage.outside(stage.web_of, calls[0]) for calls in (trial.echoes, trial.stories)}
    trial.notes["killed"] = sorted(names)
    trial.begin()
    for name in names:
        await stage.outside(stage.cluster.kill, name)
    await asyncio.sleep(AFTER_S + 4)
    for name in names:
        await stage.outside(stage.cluster.wait_ready, name)
    trial.demand(sum(call.record.remembered for call in trial.calls) >= 2, "nobody had to come back")


async def redis_stalled(stage: Stage, trial: Trial) -> None:
    await _stalled(stage, "redis")


async def redis_restarted(stage: Stage, trial: Trial) -> None:
    await _down(stage, "redis")


async def postgres_stalled(stage: Stage, trial: Trial) -> None:
    await _stalled(stage, "postgres")


async def postgres_restarted(stage: Stage, trial: Trial) -> None:
    child = stage.cluster.child("postgres")
    await stage.outside(child.stop)
    await asyncio.sleep(OUTAGE_S)
    await stage.outside(stage.cluster.bring_back, "postgres")
    await asyncio.sleep(AFTER_S)


async def _stalled(stage: Stage, name: str) -> None:
    stage.cluster.pause(name)
    await asyncio.sleep(OUTAGE_S)
    stage.cluster.resume(name)
    await asyncio.sleep(AFTER_S)


async def _down(stage: Stage, name: str) -> None:
    await stage.outside(lambda: stage.cluster.kill(name, stay_down=True))
    await asyncio.sleep(OUTAGE_S)
    await stage.outside(stage.cluster.bring_back, name)
    await asyncio.sleep(AFTER_S)


SERVER_FAULTS = [
    Fault("worker_killed", "kill -9 of a worker in mid-sentence", worker_killed, gap_limit_ms=3_000),
    Fault("worker_stalled", f"a worker stands still for {STALL_S:g} s", worker_stalled, gap_limit_ms=4_500),
    Fault("web_killed", "kill -9 of the web processes that hold two of the calls", web_killed, gap_limit_ms=5_000),
    Fault("redis_stalled", f"Redis does not answer for {OUTAGE_S:g} s", redis_stalled, gap_limit_ms=300),
    Fault("redis_restarted", f"kill -9 of Redis, back after {OUTAGE_S:g} s", redis_restarted, gap_limit_ms=300),
    Fault("postgres_stalled", f"PostgreSQL does not answer for {OUTAGE_S:g} s", postgres_stalled, gap_limit_ms=300),
    Fault(
        "postgres_restarted", f"PostgreSQL is stopped, back after {OUTAGE_S:g} s", postgres_restarted, gap_limit_ms=300
    ),
]
