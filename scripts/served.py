"""A server of one's own for a script: a private port, a folder that is thrown away, a key that works."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Served:
    """A running server."""

    url: str
    key: str
    """An API key of its only user, `bench`."""

    pid: int
    log_path: Path

    def wait_for_exit(self) -> str:
        """What the server printed, once it has stopped by itself. Raises `TimeoutError`."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline:
            # A process that ended and was not waited for is a zombie.
            if Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] == "Z":
                return self.log_path.read_text(encoding="utf-8", errors="replace")
            time.sleep(0.1)
        raise TimeoutError(f"the server still runs {STOP_TIMEOUT_S:g} s after it was asked to stop")

    @property
    def websocket_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/v1/realtime"

    def resident_mb(self) -> float:
        """Memory of the server process, MiB (Linux)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found.group(1)) / 1024 if found else float("nan")

    def cpu_seconds(self) -> float:
        """Processor time of the server process so far (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(**environment: str) -> Iterator[Served]:
    """Starts `manage.py serve` with these variables and waits until it answers."""
    with tempfile.TemporaryDirectory(prefix="troupe-served-") as folder:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        own = {"TROUPE_VAR_DIR": folder, "LOG_LEVEL": "WARNING", "DJANGO_SETTINGS_MODULE": "config.settings"}
        variables = os.environ | own | environment
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        log_path = Path(folder) / "serve.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_up(url, process, log_path)
            yield Served(url, _api_key(variables), process.pid, log_path)
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_up(url: str, process: "subprocess.Popen[bytes]", log_path: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the server did not come up:\n{log_path.read_text(encoding='utf-8', errors='replace')[-4000:]}")


def _api_key(variables: dict[str, str]) -> str:
    variables = variables | {"DJANGO_SUPERUSER_PASSWORD": "bench-only-and-thrown-away"}

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout.strip()

    manage("createsuperuser", "--noinput", "--username", "bench", "--email", "bench@example.org")
    return manage("create_api_key", "bench", "--title", "bench")
