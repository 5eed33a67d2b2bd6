"""What listeners hear when parts of a deployment die: the fault suite against a real cluster, as JSON.

Starts PostgreSQL, Redis, web processes, workers and jobs privately. For each fault: gaps, calls that live on, turns
that were lost or stored otherwise than the client was told, sound of one caller in another's ear, leases left open.
`--calls N` then holds so many short calls while faults come at random.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import uvloop

from scripts.cluster.cluster import LOGS, Cluster
from scripts.cluster.plan import COMPOSED, ECHO, ClusterPlan
from scripts.cluster.programs import MissingProgram, missing
from scripts.cluster.waiting import ClusterFailed
from scripts.fault_suite.clients import CLIENT_FAULTS
from scripts.fault_suite.doors import DOOR_FAULTS
from scripts.fault_suite.fault import Fault, run
from scripts.fault_suite.random_run import RandomRun
from scripts.fault_suite.servers import SERVER_FAULTS
from scripts.fault_suite.skew import SKEW_FAULTS
from scripts.fault_suite.stage import Stage

ENVIRONMENT = {
    # The cheapest voice: what is tried is the platform.
    "MOUTH": "espeak",
    "SESSIONS_PER_ADDRESS": "1000000",
    "GUEST_SECONDS_PER_DAY": "86400",
    "GUEST_SESSIONS_AT_ONCE": "1000",
}
SKEW_S = 60.0
FAULTS = [*SERVER_FAULTS, *CLIENT_FAULTS, *DOOR_FAULTS]


def plan(options: argparse.Namespace, **more: Any) -> ClusterPlan:
    return ClusterPlan(
        lanes=(COMPOSED, ECHO), web=2, workers=options.workers, slots=options.slots, environment=ENVIRONMENT, **more
    )


async def trials(cluster: Cluster, faults: list[Fault]) -> list[dict[str, Any]]:
    found = []
    async with Stage(cluster) as stage:
        for fault in faults:
            say(f"{fault.name}: {fault.what} ...")
            report = await run(stage, fault)
            say(f"{fault.name}: {report['verdict']} {'; '.join(report['why'])}")
            found.append(report)
    return found


async def random_calls(cluster: Cluster, options: argparse.Namespace) -> dict[str, Any]:
    async with Stage(cluster) as stage:
        say(f"{options.calls} calls, {options.at_once} at a time, while things break ...")
        report = await RandomRun(stage, options.calls, options.at_once, options.seed).run()
        say(f"random: {report['verdict']} {'; '.join(report['why'])}")
        return report


def reports(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Each group in a cluster of its own."""
    found: list[dict[str, Any]] = []
    wanted = [fault for fault in FAULTS if not options.only or fault.name in options.only]
    skewed = [fault for fault in SKEW_FAULTS if not options.only or fault.name in options.only]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if wanted and not options.random_only:
            with Cluster(plan(options), logs=options.logs, say=say) as cluster:
                found += runner.run(trials(cluster, wanted))
        if skewed and not options.random_only:
            found += _skewed(runner, options, skewed)
        if options.calls:
            with Cluster(plan(options), logs=options.logs / "random", say=say) as cluster:
                found.append(runner.run(random_calls(cluster, options)))
    return found


def _skewed(runner: asyncio.Runner, options: argparse.Namespace, faults: list[Fault]) -> list[dict[str, Any]]:
    lacking = missing("faketime")
    if lacking:
        return [{"fault": fault.name, "what": fault.what, "verdict": "skipped", "why": [lacking]} for fault in faults]
    found = []
    for sign in (+1, -1):
        with Cluster(plan(options, skewed_s=sign * SKEW_S), logs=options.logs / "skew", say=say) as cluster:
            for report in runner.run(trials(cluster, faults)):
                found.append(report | {"skew_s": sign * SKEW_S})
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    names = [fault.name for fault in (*FAULTS, *SKEW_FAULTS)]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[], metavar="FAULT", help=f"of: {', '.join(names)}")
    parser.add_argument("--calls", type=int, default=0, metavar="N", help="then so many calls with random faults")
    parser.add_argument("--random-only", action="store_true", help="nothing but those")
    parser.add_argument("--at-once", type=int, default=24, metavar="N", help="calls at a time in the random run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--slots", type=int, default=32, help="calls that each worker may hold")
    parser.add_argument("--logs", type=Path, default=LOGS, help="folder of the processes' logs")
    parser.add_argument("--out", type=Path, help="also write the JSON to this file")
    options = parser.parse_args()
    unknown = sorted(set(options.only) - set(names))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}")
    try:
        found = reports(options)
    except (MissingProgram, ClusterFailed) as error:
        print(f"faults: {error}", file=sys.stderr)
        return 2
    conditions = {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "web_processes_per_lane": 2,
        "workers": options.workers,
        "mouth": ENVIRONMENT["MOUTH"],
        "load_after": [round(value, 2) for value in os.getloadavg()],
    }
    text = json.dumps({"bench": "faults", "conditions": conditions, "faults": found}, indent=2, ensure_ascii=False)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 1 if any(report["verdict"] == "failed" for report in found) else 0


if __name__ == "__main__":
    sys.exit(main())
