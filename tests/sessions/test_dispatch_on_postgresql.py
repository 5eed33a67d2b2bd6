"""The same rules on PostgreSQL: migrations from nothing and back, and every test that only needs a database."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.cluster.stores import PrivatePostgres
from tests.private_stores import postgres

__all__ = ["postgres"]

ROOT = Path(__file__).resolve().parents[2]
RULES = ["test_dispatch.py", "test_dispatch_races.py", "test_session_holding.py"]
LIMIT_S = 150


def _run(database: str, *argv: str, settings: str = "tests.settings") -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": settings}
    # Set by pytest for this process; a child would think it is one of several.
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, *argv], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def test_the_rules_of_dispatch_hold_on_postgresql(postgres: PrivatePostgres) -> None:
    rules = [str(Path(__file__).with_name(name)) for name in RULES]
    done = _run(postgres.url, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--create-db", *rules)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "passed" in done.stdout and "skipped" not in done.stdout


def test_the_migrations_go_forth_and_back_and_the_models_match_them(postgres: PrivatePostgres) -> None:
    for argv in (
        ["migrate", "--verbosity", "0"],
        ["makemigrations", "--check", "--dry-run"],
        ["migrate", "voice_sessions", "0001", "--verbosity", "0"],
        ["migrate", "--verbosity", "0"],
    ):
        done = _run(postgres.url, "manage.py", *argv)
        assert done.returncode == 0, f"{argv}: {done.stderr[-3000:]}"


QUESTIONS = """
import sys, time, django
django.setup()
from django.conf import settings
from django.db import close_old_connections
from django.test import Client
from inference.client.stream_token import issue_announcement
from tests.sessions.dispatch_rows import report

def ask():
    token = issue_announcement(settings.WORKER_KEY, worker="w", now_s=time.time())
    answer = Client().post("/internal/workers/heartbeat", report("w").model_dump_json(),
        content_type="application/json", headers={"Authorization": "Bearer " + token, "Host": "localhost"})
    return answer.status_code, answer.headers.get("Retry-After", "-")

for line in sys.stdin:
    began = time.monotonic()
    print(*ask(), time.monotonic() - began, flush=True)
    close_old_connections()  # as a server does after each request, but Django's test client does not
"""
"""A process that passes a heartbeat on for each line it reads."""


@pytest.fixture
def announcing(postgres: PrivatePostgres) -> Iterator[Callable[[], tuple[int, str, float]]]:
    """Announces a worker: the status, `Retry-After` and the seconds it took."""
    _run(postgres.url, "manage.py", "migrate", "--verbosity", "0")
    process = subprocess.Popen(
        [sys.executable, "-c", QUESTIONS],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": postgres.url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    questions, answers = process.stdin, process.stdout
    assert questions is not None and answers is not None

    def announce() -> tuple[int, str, float]:
        questions.write("?\n")
        questions.flush()
        status, retry_after, seconds = answers.readline().split()
        return int(status), retry_after, float(seconds)

    yield announce
    questions.close()
    process.wait(20)


def test_while_the_database_is_away_workers_are_told_to_try_again(
    postgres: PrivatePostgres, announcing: Callable[[], tuple[int, str, float]]
) -> None:
    """Within seconds, not after a timeout of the system; and the first beat after its return is taken."""
    assert announcing()[0] == 200
    postgres.child.stop()
    try:
        for _ in range(2):
            status, retry_after, seconds = announcing()
            assert (status, retry_after) == (503, "2") and seconds < 30
    finally:
        postgres.start()
    assert announcing()[0] == 200
