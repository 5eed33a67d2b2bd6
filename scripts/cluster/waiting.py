"""Waiting for a process to be ready, with a limit."""

import time
from collections.abc import Callable

from scripts.cluster.child import Child

STEP_S = 0.1
LOG_TAIL = 3_000


class ClusterFailed(RuntimeError):
    """The cluster did not come up, or not again; the message says which process and shows the end of its log."""


def wait_until(ready: Callable[[], bool], child: Child, limit_s: float) -> None:
    """Returns once `ready` is true. Raises `ClusterFailed` when the process ends first, or time is up."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if ready():
            return
        if not child.runs and not child.wanted:
            break
        if not child.runs and child.exit_code is not None:
            raise ClusterFailed(f"{child.name} ended with status {child.exit_code}:\n{log_tail(child)}")
        time.sleep(STEP_S)
    raise ClusterFailed(f"{child.name} was not ready within {limit_s:g} s:\n{log_tail(child)}")


def log_tail(child: Child) -> str:
    try:
        return child.log_path.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:]
    except OSError:
        return "(no log)"
