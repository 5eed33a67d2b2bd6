"""A PostgreSQL and a Redis of one's own: private ports, thrown away with their folder."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from scripts.cluster.child import Child, Command
from scripts.cluster.programs import program
from scripts.cluster.waiting import ClusterFailed, wait_until
from scripts.served import free_port

READY_LIMIT_S = 30.0
INITDB_LIMIT_S = 60.0
NAME = "troupe"
POSTGRES_USER = "postgres"
"""Root may not run the server: this user of the Debian package does it then."""


@dataclass
class PrivatePostgres:
    """A server with one database, `troupe`, of the user `troupe`."""

    child: Child
    port: int
    password: str

    @classmethod
    def create(cls, folder: Path, logs: Path, *, fsync: bool) -> "PrivatePostgres":
        """Makes the data folder. Raises `MissingProgram` or `ClusterFailed`."""
        data, password, port = folder / "postgres", secrets.token_hex(16), free_port()
        data.mkdir()
        user = POSTGRES_USER if os.geteuid() == 0 else ""
        secret = folder / "postgres-password"
        secret.touch(mode=0o600)
        secret.write_text(password, encoding="utf-8")
        if user:
            _give(data, user)
            _give(secret, user)
        _initdb(data, secret, user)
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": data,
            "fsync": "on" if fsync else "off",
            "max_connections": 200,
            "shared_buffers": "64MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = Command(
            name="postgres",
            argv=[program("postgres"), "-D", str(data), *options],
            env=_plain_environment(),
            folder=data,
            user=user,
            # Fast shutdown: it does not wait for its clients to leave.
            stop_signal=signal.SIGINT,
        )
        return cls(Child(command, logs / "postgres.log"), port, password)

    @property
    def url(self) -> str:
        return f"postgres://{NAME}:{self.password}@127.0.0.1:{self.port}/{NAME}"

    def start(self) -> None:
        self.child.start()
        wait_until(self._answers, self.child, READY_LIMIT_S)

    def create_database(self) -> None:
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {NAME}")

    def connect(self, database: str = NAME) -> "psycopg.Connection[tuple[object, ...]]":
        """A connection that commits each statement. Raises `psycopg.OperationalError`."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=NAME,
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=2,
        )

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


@dataclass
class PrivateRedis:
    """A server that keeps nothing on disk."""

    child: Child
    port: int
    password: str

    @classmethod
    def create(cls, folder: Path, logs: Path) -> "PrivateRedis":
        """Raises `MissingProgram`."""
        port, password = free_port(), secrets.token_hex(16)
        settings = {
            "port": port,
            "bind": "127.0.0.1",
            "requirepass": password,
            "save": '""',
            "appendonly": "no",
            "dir": folder,
            "maxmemory": "256mb",
        }
        config = folder / "redis.conf"
        config.touch(mode=0o600)
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8")
        argv = [program("redis-server"), str(config)]
        return cls(Child(Command("redis", argv, _plain_environment(), folder), logs / "redis.log"), port, password)

    def url(self, number: int, scheme: str = "redis") -> str:
        """Of one of its numbered databases."""
        return f"{scheme}://:{self.password}@127.0.0.1:{self.port}/{number}"

    def start(self) -> None:
        self.child.start()
        wait_until(self._answers, self.child, READY_LIMIT_S)

    def connect(self) -> redis.Redis:
        return redis.Redis(port=self.port, password=self.password, socket_timeout=2, decode_responses=True)

    def _answers(self) -> bool:
        try:
            with self.connect() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


def _initdb(data: Path, secret: Path, user: str) -> None:
    argv = [program("initdb"), "-D", str(data), "-U", NAME, "--auth=scram-sha-256", f"--pwfile={secret}"]
    argv += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
    done = subprocess.run(
        argv,
        cwd=data,
        env=_plain_environment(),
        capture_output=True,
        text=True,
        timeout=INITDB_LIMIT_S,
        check=False,
        user=user or None,
        group=user or None,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        raise ClusterFailed(f"initdb failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def _give(path: Path, user: str) -> None:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ClusterFailed(f"PostgreSQL does not run as root, and there is no user {user!r}") from None
    shutil.chown(path, entry.pw_uid, entry.pw_gid)


def _plain_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
