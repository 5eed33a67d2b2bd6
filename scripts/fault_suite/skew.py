"""A worker whose calendar is a minute off: nobody may notice."""

import asyncio

from scripts.fault_suite.fault import Fault, Trial
from scripts.fault_suite.stage import Stage

LONG_ENOUGH_S = 12.0
"""Longer than leases, holds and the patience of a heartbeat."""


async def clock_skew(stage: Stage, trial: Trial) -> None:
    """Calls on both workers stay, and those of the right one can move to the wrong one."""
    workers = {await stage.outside(stage.worker_of, call) for call in trial.calls}
    trial.notes["workers_in_use"] = sorted(workers)
    wrong = stage.cluster.names("worker")[-1]
    trial.demand(wrong in workers, f"{wrong}, whose clock is off, got no call")
    trial.notes["clock_offset_s"] = await stage.outside(stage.records.clock_offsets)
    trial.begin()
    await asyncio.sleep(LONG_ENOUGH_S)
    other = stage.cluster.names("worker")[0]
    await stage.outside(stage.cluster.kill, other)
    await asyncio.sleep(6)
    await stage.outside(stage.cluster.wait_ready, other)


SKEW_FAULTS = [
    Fault("clock_skew", "one worker's clock is a minute off, and the other worker dies", clock_skew, gap_limit_ms=3_000)
]
