"""A whole deployment as one object: started, disturbed and stopped by the tests and the tools."""

import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from scripts.cluster.child import Child, Command
from scripts.cluster.plan import Addresses, ClusterPlan, Commands
from scripts.cluster.programs import MissingProgram, missing
from scripts.cluster.stores import PrivatePostgres, PrivateRedis
from scripts.cluster.supervisor import Supervisor
from scripts.cluster.waiting import ClusterFailed, wait_until
from scripts.served import ROOT

LOGS = ROOT / "var" / "cluster"
READY_LIMIT_S = 120.0
PREPARE_LIMIT_S = 180.0


class Cluster:
    """Processes by name: `postgres`, `redis`, `web-LANE-N`, `worker-N`, `jobs`, `renders`, `beat`.

    A context manager. Everything it writes but its logs is thrown away at the end.
    """

    def __init__(self, plan: ClusterPlan, *, logs: Path = LOGS, say: Callable[[str], None] | None = None) -> None:
        self.plan = plan
        self.addresses = Addresses.of(plan)
        self._logs = logs
        self._say = say or (lambda text: None)
        self.worker_key = ""
        """What signs stream tokens, once it has started."""

        self._folder: Path | None = None
        self._children: dict[str, Child] = {}
        self._supervisor = Supervisor(lambda: tuple(self._children.values()), self._say)
        self._postgres: PrivatePostgres | None = None
        self._redis: PrivateRedis | None = None

    # --- life ---

    def __enter__(self) -> "Cluster":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when every process is ready. Raises `MissingProgram` or `ClusterFailed`."""
        lacking = missing() or (missing("faketime") if self.plan.skewed_s else "")
        if lacking:
            raise MissingProgram(lacking)
        folder = self._prepare_folders()
        self._say("Starting PostgreSQL and Redis ...")
        postgres = self._postgres = PrivatePostgres.create(folder, self._logs, fsync=self.plan.fsync)
        redis = self._redis = PrivateRedis.create(folder, self._logs)
        for child in (postgres.child, redis.child):
            self._children[child.name] = child
        postgres.start()
        redis.start()
        postgres.create_database()
        commands = self._commands(folder)
        self.worker_key = commands.worker_key
        # Workers know no database, and they are the ones who take long to be ready.
        for name in self.addresses.workers:
            self._add(commands.worker(name))
        self._say("Preparing the database and loading the cast ...")
        self._once(commands.manage("migrate", "--no-input", "-v", "0"))
        self._once(commands.manage("load_cast"))
        self._say("Starting web processes and jobs ...")
        for command in self._web_and_jobs(commands):
            self._add(command)
        self._supervisor.start()
        for name in self._children:
            self.wait_ready(name)

    def stop(self) -> None:
        """Ends everything in order: who takes calls first, what they rely on last. Idempotent."""
        self._supervisor.stop()
        groups: list[list[Child]] = [[], [], [], []]
        for name, child in self._children.items():
            order = 0 if name.startswith("web") else 1 if name.startswith("worker") else 3 if name in _STORES else 2
            groups[order].append(child)
        for group in groups:
            _stop_all(group)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    # --- for tests and tools ---

    def url(self, lane: str = "") -> str:
        """Of a lane's site, the first one's by default."""
        return f"http://127.0.0.1:{self.addresses.sites[lane or self.plan.lanes[0]]}"

    def names(self, kind: str) -> list[str]:
        """The processes whose names begin so: `web`, `web-echo`, `worker`."""
        return [name for name in self._children if name.startswith(kind)]

    def child(self, name: str) -> Child:
        return self._children[name]

    def pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self._children.items() if child.runs}

    @property
    def crashes(self) -> list[str]:
        """Processes that ended unasked, or were killed and started again, in order."""
        return self._supervisor.crashes

    @property
    def postgres(self) -> PrivatePostgres:
        if self._postgres is None:
            raise ClusterFailed("the cluster has not been started")
        return self._postgres

    @property
    def redis(self) -> PrivateRedis:
        if self._redis is None:
            raise ClusterFailed("the cluster has not been started")
        return self._redis

    def kill(self, name: str, *, stay_down: bool = False) -> int:
        """kill -9; the supervisor starts it again unless it is to `stay_down`. Returns the pid it had."""
        return self._children[name].kill(stay_down=stay_down)

    def pause(self, name: str) -> None:
        self._children[name].pause()

    def resume(self, name: str) -> None:
        self._children[name].resume()

    def bring_back(self, name: str) -> None:
        """Starts a process that was to stay down, and waits until it is ready."""
        self._children[name].start()
        self.wait_ready(name)

    def wait_ready(self, name: str, limit_s: float = READY_LIMIT_S) -> None:
        """Raises `ClusterFailed`."""
        child = self._children[name]
        deadline = time.monotonic() + limit_s
        while not child.runs and child.wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        if name in _STORES:
            store = self.postgres if name == "postgres" else self.redis
            store.start()
        elif name in self.addresses.web:
            wait_until(lambda: _answers(f"http://127.0.0.1:{self.addresses.web[name]}/healthz"), child, limit_s)
        elif name in self.addresses.workers:
            wait_until(lambda: _answers(f"http://127.0.0.1:{self.addresses.workers[name]}/readyz"), child, limit_s)
        elif not child.runs:
            raise ClusterFailed(f"{name} does not run; see {child.log_path}")

    # --- within ---

    def _prepare_folders(self) -> Path:
        # The database server runs as another user, who has to be able to go in.
        self._folder = Path(tempfile.mkdtemp(prefix="troupe-cluster-"))
        self._folder.chmod(0o711)
        own = self._folder / "var"
        own.mkdir()
        # Language models take seconds to make; they are the same for everybody.
        cache = ROOT / "var" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        (own / "cache").symlink_to(cache)
        self._logs.mkdir(parents=True, exist_ok=True)
        for log in self._logs.glob("*.log"):
            log.unlink()
        return self._folder

    def _commands(self, folder: Path) -> Commands:
        redis = self.redis
        services = {
            "DATABASE_URL": self.postgres.url,
            "CACHE_URL": redis.url(1),
            "CHANNEL_URL": redis.url(2, "redis+pubsub"),
            "CELERY_BROKER_URL": redis.url(0),
        }
        return Commands(self.plan, self.addresses, folder, services)

    def _web_and_jobs(self, commands: Commands) -> list[Command]:
        found = [commands.web(name) for name in self.addresses.web]
        if self.plan.jobs:
            found += [commands.celery("jobs", "default,media"), commands.celery("renders", "render"), commands.beat()]
        return found

    def _add(self, command: Command) -> None:
        child = Child(command, self._logs / f"{command.name}.log")
        self._children[command.name] = child
        child.start()

    def _once(self, command: Command) -> None:
        done = subprocess.run(
            command.argv,
            cwd=command.folder,
            env=dict(command.env),
            capture_output=True,
            text=True,
            timeout=PREPARE_LIMIT_S,
            check=False,
        )
        if done.returncode:
            raise ClusterFailed(f"{command.name} failed:\n{(done.stderr or done.stdout).strip()[-3000:]}")


_STORES = ("postgres", "redis")


def _stop_all(children: list[Child]) -> None:
    """All of them are asked before any is waited for."""
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
