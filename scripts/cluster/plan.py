"""What a cluster consists of, and the command of each of its processes."""

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from scripts.cluster.child import Command
from scripts.cluster.programs import program
from scripts.served import ROOT, free_port

COMPOSED, ECHO = "composed", "echo"


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """How many of what. One web site (a port of its own, with `web` processes behind it) for each lane."""

    lanes: tuple[str, ...] = (COMPOSED,)
    web: int = 2
    workers: int = 2
    slots: int = 8
    """Of each worker."""

    jobs: bool = True
    """Celery and its beat too."""

    fsync: bool = True
    host: str = "127.0.0.1"
    port: int = 0
    """Of the first lane's site; 0: any."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """Further settings of all processes."""

    skewed_s: float = 0.0
    """How far the last worker's clock is off; needs `faketime`."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens."""

    sites: Mapping[str, int]
    """Shared port of each lane's web processes."""

    web: Mapping[str, int]
    """Private port of each web process."""

    workers: Mapping[str, int]

    @classmethod
    def of(cls, plan: ClusterPlan) -> "Addresses":
        sites = {lane: plan.port if plan.port and not number else free_port() for number, lane in enumerate(plan.lanes)}
        web = {f"web-{lane}-{number}": free_port() for lane in plan.lanes for number in range(1, plan.web + 1)}
        workers = {f"worker-{number}": free_port() for number in range(1, plan.workers + 1)}
        return cls(sites, web, workers)

    def web_urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.web.values()]


class Commands:
    """Makes them, with the secrets that the processes share."""

    def __init__(self, plan: ClusterPlan, addresses: Addresses, folder: Path, services: Mapping[str, str]) -> None:
        """`services`: the URLs of database, cache, channel layer and broker, by their variables."""
        self._plan = plan
        self._addresses = addresses
        self._folder = folder
        self.worker_key = secrets.token_hex(32)
        self._shared = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
            "LOG_LEVEL": "INFO",
            "SECRET_KEY": secrets.token_hex(32),
            "WORKER_KEY": self.worker_key,
            "TROUPE_VAR_DIR": str(folder / "var"),
            **services,
            **plan.environment,
        }

    def manage(self, *arguments: str) -> Command:
        return self._command(arguments[0], [sys.executable, "manage.py", *arguments], {})

    def web(self, name: str) -> Command:
        """One web process of a lane's site: it shares the site's port, and has one of its own for the others."""
        lane = name.split("-")[1]
        private = self._addresses.web[name]
        argv = [
            sys.executable,
            "manage.py",
            "web",
            "--host",
            self._plan.host,
            "--port",
            str(self._addresses.sites[lane]),
        ]
        argv += ["--reuse-port", "--private-port", str(private)]
        return self._command(name, argv, {"INFERENCE_LANE": lane, "PROCESS_URL": f"http://127.0.0.1:{private}"})

    def worker(self, name: str) -> Command:
        port = self._addresses.workers[name]
        argv = [sys.executable, "-m", "inference.worker"]
        more = {
            "WORKER_ID": name,
            "WORKER_LISTEN": f"127.0.0.1:{port}",
            "WORKER_URL": f"ws://127.0.0.1:{port}/stream",
            "TROUPE_WEB": ",".join(self._addresses.web_urls()),
            "INFERENCE_SLOTS": str(self._plan.slots),
        }
        if self._plan.skewed_s and name == list(self._addresses.workers)[-1]:
            # Only its calendar is wrong: a clock that counts seconds since the start is nobody's to set.
            more["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
            argv = [program("faketime"), "-f", f"{self._plan.skewed_s:+g}s", *argv]
            return replace(self._command(name, argv, more), wrapped=True)
        return self._command(name, argv, more)

    def celery(self, name: str, queues: str) -> Command:
        argv = [sys.executable, "-m", "celery", "-A", "config.celery:app", "worker", "-Q", queues]
        argv += ["--concurrency", "1", "--hostname", f"{name}@troupe", "--loglevel", "INFO"]
        return self._command(name, argv, {})

    def beat(self) -> Command:
        argv = [sys.executable, "-m", "celery", "-A", "config.celery:app", "beat", "--loglevel", "INFO"]
        argv += ["--pidfile=", "--schedule", str(self._folder / "beat-schedule")]
        return self._command("beat", argv, {})

    def _command(self, name: str, argv: list[str], more: Mapping[str, str]) -> Command:
        return Command(name=name, argv=argv, env={**self._shared, **more}, folder=ROOT)
