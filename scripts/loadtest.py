"""How many callers the platform carries: paced clients over the real protocol, with storms of joining and leaving.

Every caller speaks a tone of its own against the echo lane and checks that it hears this tone and no other. JSON:
per stage p50/p95/p99, gaps at the client over 100 ms, refusals (they stay in the denominator), drops that were told and
packets that were lost without a word, errors by kind, memory of the server's processes. A client that is late itself is
recognised: what it measured then is left out and counted.

LOADTEST_PACKET_MS=40 makes packets of whole frames; the page's have 20 ms. Without `--url` it starts a cluster of its
own (`--embedded`: one `manage.py serve`).
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.calls.crowd import STORM_STAYS_S, Caller, CrowdPlan, CrowdResult, run_crowd
from scripts.calls.figures import figures
from scripts.calls.tones import PACKET_MS
from scripts.processes import cpu_seconds, family, resident_mb
from scripts.served import served

CALLS_PER_PROCESS = 100
SPAWN_S = 3.0
"""Given to the client processes to start."""

SETTLING_S = 3.0
"""After the last steady caller was due; by then it talks."""

LIMITS = {
    "INFERENCE_LANE": "echo",
    "SESSIONS_PER_ADDRESS": "1000000",
    "GUEST_SECONDS_PER_DAY": "86400",
    "LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True, slots=True)
class Target:
    """What is measured. `pids`: the server's processes by name, where they are known."""

    url: str
    kind: str
    pids: Mapping[str, int] = field(default_factory=dict)


def appointments(options: argparse.Namespace) -> list[Caller]:
    """Steady callers over the ramp; storms that come and go at once; callers that read nothing, from the middle on."""
    calls, seconds = options.calls, options.seconds
    callers = [
        Caller(number, "steady", options.ramp * number / max(1, calls), seconds - options.ramp * number / max(1, calls))
        for number in range(calls)
    ]
    if options.storm:
        at = options.ramp + options.storm_every
        while at + STORM_STAYS_S < seconds:
            callers += [Caller(len(callers) + n, "storm", at, STORM_STAYS_S) for n in range(options.storm)]
            at += options.storm_every
    middle = options.ramp + (seconds - options.ramp) / 2
    callers += [Caller(len(callers) + n, "slow", middle, seconds - middle) for n in range(options.slow)]
    return callers


def measure(target: Target, options: argparse.Namespace) -> dict[str, Any]:
    callers = appointments(options)
    num = options.processes or max(1, round(len(callers) / CALLS_PER_PROCESS))
    start_at = time.perf_counter() + SPAWN_S
    plans = [CrowdPlan(target.url, tuple(callers[i::num]), start_at, options.character) for i in range(num)]
    before = memory(target.pids)
    with ProcessPoolExecutor(num, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(run_crowd, plan) for plan in plans]
        _sleep_until(start_at + options.ramp)
        used_s, since = processor_time(target.pids), time.perf_counter()
        _sleep_until(start_at + options.ramp + (options.seconds - options.ramp) * 0.8)
        during, watched_s = memory(target.pids), time.perf_counter() - since
        shares = {name: (now_s - used_s[name]) / watched_s for name, now_s in processor_time(target.pids).items()}
        results: list[CrowdResult] = [future.result() for future in running]
    middle = options.ramp + (options.seconds - options.ramp) / 2
    report = figures(results, full_from_s=options.ramp + SETTLING_S, slow_from_s=middle if options.slow else None)
    report["cpu_share_once_all_are_there"] = {name: round(share, 3) for name, share in shares.items()}
    report["memory_mb"] = {
        "before": before,
        "during": during,
        "per_session": round((sum(during.values()) - sum(before.values())) / max(1, options.calls), 3),
    }
    return report


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.perf_counter()))


def memory(pids: Mapping[str, int]) -> dict[str, float]:
    """Of each process with its children; what they share is counted for each."""
    return {name: round(sum(resident_mb(each) for each in family(pid)), 1) for name, pid in pids.items()}


def processor_time(pids: Mapping[str, int]) -> dict[str, float]:
    """Seconds so far, children included."""
    return {name: sum(cpu_seconds(each) for each in family(pid)) for name, pid in pids.items()}


@contextlib.contextmanager
def target(options: argparse.Namespace) -> Iterator[Target]:
    if options.url:
        pids = {str(pid): pid for pid in options.pids}
        yield Target(options.url.rstrip("/"), "given", pids)
        return
    slots = options.slots or options.calls + options.storm * 2 + options.slow + 8
    if options.embedded:
        with served(**LIMITS, INFERENCE_SLOTS=str(slots)) as server:
            yield Target(server.url, "embedded", {"serve": server.pid})
        return
    # Only here: who measures a given server needs no programs of a cluster.
    from scripts.cluster.cluster import Cluster, ClusterPlan

    per_worker = -(-slots // options.workers)
    plan = ClusterPlan(lanes=("echo",), web=options.web, workers=options.workers, slots=per_worker, environment=LIMITS)
    with Cluster(plan) as cluster:
        yield Target(cluster.url("echo"), "cluster", cluster.pids())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0, help="from the first caller to the last")
    parser.add_argument("--ramp", type=float, default=10.0, metavar="S", help="over which the callers come")
    parser.add_argument("--storm", type=int, default=0, metavar="N", help="callers who come at once, and go at once")
    parser.add_argument("--storm-every", type=float, default=10.0, metavar="S")
    parser.add_argument("--slow", type=int, default=0, metavar="N", help="callers who read nothing, from the middle on")
    parser.add_argument("--url", default="", help="a server that runs already, in the echo lane")
    parser.add_argument("--pids", type=int, nargs="*", default=[], help="its processes, for their memory")
    parser.add_argument("--embedded", action="store_true", help="against one `manage.py serve` instead of a cluster")
    parser.add_argument("--web", type=int, default=2, help="web processes of the cluster")
    parser.add_argument("--workers", type=int, default=2, help="workers of the cluster")
    parser.add_argument("--slots", type=int, default=0, help="calls that the server may hold; 0: enough for all")
    parser.add_argument("--processes", type=int, default=0, help=f"of clients; 0: one for {CALLS_PER_PROCESS} callers")
    parser.add_argument("--character", default="storyteller", metavar="SLUG")
    parser.add_argument("--out", type=Path, help="also write the JSON to this file")
    options = parser.parse_args()
    if options.ramp >= options.seconds:
        parser.error("--ramp must be shorter than --seconds")
    with target(options) as found:
        conditions = {
            "target": found.kind,
            "calls": options.calls,
            "seconds": options.seconds,
            "ramp_s": options.ramp,
            "storm": options.storm,
            "packet_ms": PACKET_MS,
            "web": options.web,
            "workers": options.workers,
            "cpus": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "client": "same machine",
            "load_before": [round(value, 2) for value in os.getloadavg()],
        }
        report = {"bench": "loadtest", "conditions": conditions} | measure(found, options)
    text = json.dumps(report, indent=2)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
