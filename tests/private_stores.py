"""A PostgreSQL and a Redis for tests, started on private ports and thrown away."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.cluster.programs import missing
from scripts.cluster.stores import PrivatePostgres, PrivateRedis


@contextmanager
def open_folder() -> Iterator[Path]:
    """pytest's own folders are closed to the user that the database runs as."""
    folder = Path(tempfile.mkdtemp(prefix="troupe-stores-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """Without fsync: it lives as long as the tests. Skips where PostgreSQL is not installed."""
    reason = missing("postgres", "initdb")
    if reason:
        pytest.skip(reason)
    with open_folder() as folder:
        server = PrivatePostgres.create(folder, folder, fsync=False)
        try:
            server.start()
            server.create_database()
            yield server
        finally:
            server.child.stop()


@pytest.fixture
def redis_server() -> Iterator[PrivateRedis]:
    """Skips where Redis is not installed."""
    reason = missing("redis-server")
    if reason:
        pytest.skip(reason)
    with open_folder() as folder:
        server = PrivateRedis.create(folder, folder)
        try:
            server.start()
            yield server
        finally:
            server.child.stop()
