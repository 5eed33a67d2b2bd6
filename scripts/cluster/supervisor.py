"""Watches the processes of a cluster and starts again what crashed, within bounds."""

import threading
import time
from collections.abc import Callable, Iterable

from scripts.cluster.child import Child

LOOK_S = 0.25
MOST_STARTS = 5
WITHIN_S = 60.0
FIRST_WAIT_S = 0.5


class Supervisor:
    """A thread. `say` is told of every crash and what is done about it."""

    def __init__(self, children: Callable[[], Iterable[Child]], say: Callable[[str], None]) -> None:
        self._children = children
        self._say = say
        self._stopped = threading.Event()
        self._due: dict[str, float] = {}
        self._given_up: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self.crashes: list[str] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_S):
            for child in self._children():
                self._look_at(child)

    def _look_at(self, child: Child) -> None:
        if not child.wanted or child.runs or child.name in self._given_up:
            return
        now = time.monotonic()
        due = self._due.get(child.name)
        if due is None:
            self._crashed(child, now)
        elif now >= due:
            del self._due[child.name]
            child.start()

    def _crashed(self, child: Child, now: float) -> None:
        self.crashes.append(child.name)
        lately = sum(now - started < WITHIN_S for started in child.starts)
        if lately >= MOST_STARTS:
            self._given_up.add(child.name)
            self._say(f"{child.name} ended {lately} times within {WITHIN_S:g} s and stays down; see {child.log_path}")
            return
        wait_s = FIRST_WAIT_S * 2 ** (lately - 1) if lately else FIRST_WAIT_S
        self._due[child.name] = now + wait_s
        self._say(f"{child.name} ended with status {child.exit_code} and is started again in {wait_s:g} s")
