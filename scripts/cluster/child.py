"""One process of the cluster."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.processes import family

STOP_LIMIT_S = 15.0
KILL_LIMIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Command:
    """How a process is started."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    user: str = ""
    """Whose process it is, when root starts it; empty: one's own."""

    stop_signal: signal.Signals = signal.SIGTERM
    wrapped: bool = False
    """The program runs another and does not pass signals on."""


@dataclass
class Child:
    """A process, its log, and what can happen to it. Started again, it appends to the same log."""

    command: Command
    log_path: Path
    wanted: bool = False
    """It should be running: one that is not has crashed."""

    starts: list[float] = field(default_factory=list)
    _asked: bool = False
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def pid(self) -> int:
        """Of the running or last process; 0 before the first start."""
        return self._process.pid if self._process is not None else 0

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Starts it unless it runs."""
        if self.runs:
            return
        user = self.command.user or None
        with self.log_path.open("ab") as log:
            # A group of its own: Ctrl-C is for the cluster, which stops its processes in order.
            self._process = subprocess.Popen(
                self._argv(),
                cwd=self.command.folder,
                env=dict(self.command.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )
        self.wanted, self._asked = True, False
        self.starts.append(time.monotonic())

    def _argv(self) -> list[str]:
        # Nothing stays behind when the cluster itself is killed.
        setpriv = shutil.which("setpriv")
        return [setpriv, "--pdeathsig", "TERM", "--", *self.command.argv] if setpriv else list(self.command.argv)

    def ask_to_stop(self) -> None:
        """Its stop signal; `stop` then waits."""
        self.wanted = False
        if self.runs and not self._asked:
            self._asked = True
            self.resume()
            for pid in family(self.pid) if self.command.wrapped else [self.pid]:
                _signal(pid, self.command.stop_signal)

    def stop(self, limit_s: float = STOP_LIMIT_S) -> bool:
        """Asks it to stop and waits; kills it after the limit. Returns whether it stopped by itself."""
        self.ask_to_stop()
        if self._process is None or not self.runs:
            return True
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self._end()
            return False
        return True

    def kill(self, *, stay_down: bool = False) -> int:
        """kill -9. With `stay_down` nobody starts it again. Returns the pid it had."""
        pid = self.pid
        self.wanted = not stay_down
        if self.runs:
            self._end()
        return pid

    def pause(self) -> None:
        """SIGSTOP to it and everything it has started."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _end(self) -> None:
        assert self._process is not None
        for pid in reversed(family(self._process.pid)):
            _signal(pid, signal.SIGKILL)
        self._process.wait(KILL_LIMIT_S)

    def _signal_all(self, number: signal.Signals) -> None:
        if self.runs:
            for pid in family(self.pid):
                _signal(pid, number)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
