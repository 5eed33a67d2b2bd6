"""Celery as it is deployed: real processes, a real Redis and PostgreSQL, and what happens when they die."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from scripts.cluster.programs import missing
from scripts.cluster.stores import PrivatePostgres, PrivateRedis
from tests.private_stores import open_folder

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 60.0
AWAY_S = 4.0
LACKING = missing("postgres", "initdb", "redis-server")

pytestmark = [pytest.mark.skipif(bool(LACKING), reason=LACKING or "all there"), pytest.mark.timeout(240)]

MAKE_A_CONVERSATION = """
import pathlib
from accounts.visitors import Visitor
from characters.cast_file import read_cast_file
from characters.models import Character
from characters.services import character_load
from sessions.services import session_begin, session_create, session_finish, turn_record
from voices.library import read_library
from voices.services import library_load
library_load(library=read_library())
character_load(cast=read_cast_file(pathlib.Path("tests/sessions/brief.yaml")))
session = session_create(visitor=Visitor(guest_key="g" * 64), character=Character.objects.get(), origin="web")
session_begin(session_id=session.pk)
words = [["Hello", 0, 1000], ["there.", 1000, 2500]]
turn_record(session_id=session.pk, index=1, fields={"item_id": "i", "speaker": "character", "text": "Hello there.",
    "full_text": "Hello there.", "started_ms": 0, "ended_ms": 2500, "words": words})
session_finish(session_id=session.pk, reason="ended", heard_s=0, user_s=0)
"""

READ_EVERYTHING = """
from datetime import timedelta
from django.conf import settings
from django.utils import timezone
from config.metrics import database_text
from sessions.jobs.retention import transcripts_expire
from sessions.models import VoiceSession
from sessions.operations.board import board
assert b"troupe_database_up 1.0" in database_text()
assert board().num_calls == 0
VoiceSession.objects.update(ended_at=timezone.now() - timedelta(days=40), mind_state={"a": 1})
settings.GUEST_TRANSCRIPT_DAYS = 30
assert transcripts_expire() == VoiceSession.objects.count() and transcripts_expire() == 0
"""


@dataclass
class Deployment:
    postgres: PrivatePostgres
    redis: PrivateRedis
    environment: dict[str, str]
    logs: Path

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        assert done.returncode == 0, done.stderr

    def celery(self, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "celery", "-A", "config", *arguments]
        with (self.logs / f"{name}.log").open("wb") as log:
            return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)

    def one(self, statement: str) -> object:
        with self.postgres.connect() as connection:
            row = connection.execute(statement).fetchone()
        return None if row is None else row[0]

    def wait_for(self, statement: str, wanted: Callable[[object], bool]) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not wanted(found := self._polled(statement)):
            assert time.monotonic() < deadline, f"{statement} is {found!r}; {self._log_tail()}"
            time.sleep(0.2)

    def _polled(self, statement: str) -> object:
        try:
            return self.one(statement)
        except psycopg.OperationalError as error:
            return error

    def _log_tail(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in self.logs.glob("*.log"))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    logs = tmp_path_factory.mktemp("logs")
    with open_folder() as folder:
        postgres, redis = PrivatePostgres.create(folder, logs, fsync=False), PrivateRedis.create(folder, logs)
        try:
            yield _deployed(postgres, redis, logs, tmp_path_factory.mktemp("var"))
        finally:
            redis.child.stop()
            postgres.child.stop()


def _deployed(postgres: PrivatePostgres, redis: PrivateRedis, logs: Path, var: Path) -> Deployment:
    """Stores that run, the tables, and one conversation with a job to do."""
    postgres.start()
    redis.start()
    postgres.create_database()
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "TROUPE_VAR_DIR": str(var),
        "SECRET_KEY": "k" * 50,
        "DATABASE_URL": postgres.url,
        "DATABASE_POOL": "4",
        "CELERY_BROKER_URL": redis.url(2),
        "CACHE_URL": redis.url(0),
        "MOUTH": "espeak",
        "LOG_LEVEL": "INFO",
        "OMP_NUM_THREADS": "1",
    }
    made = Deployment(postgres, redis, environment, logs)
    made.manage("migrate", "--verbosity", "0")
    made.manage("shell", "--verbosity", "0", "-c", MAKE_A_CONVERSATION)
    return made


def _stopped(process: "subprocess.Popen[bytes]") -> int:
    process.terminate()
    try:
        return process.wait(LIMIT_S)
    finally:
        process.kill()


def test_forked_processes_do_jobs_that_a_queue_forgot_and_come_back_to_one_that_was_away(
    deployment: Deployment,
) -> None:
    """The conversation's job is in the queue already; it is thrown away with it before anybody reads it."""
    with deployment.redis.connect() as redis:
        redis.select(2)
        assert redis.llen("default") == 1
        redis.flushall()
    deployment.manage("shell", "--verbosity", "0", "-c", "from sessions.tasks import *; jobs_sweep(at_start=True)")
    worker = deployment.celery("default", "worker", "-Q", "default,media", "-c", "2", "-P", "prefork")
    try:
        done = "SELECT count(*) FROM voice_sessions_sessionjob WHERE state = 'done'"
        deployment.wait_for(done, lambda number: number == 3)
        deployment.redis.child.stop()
        time.sleep(AWAY_S)
        deployment.redis.start()
        deployment.manage("shell", "--verbosity", "0", "-c", MAKE_A_CONVERSATION)
        deployment.wait_for(done, lambda number: number == 6)
        assert deployment.one("SELECT min(seconds) FROM voice_sessions_sessionusage") == 2
        assert deployment.one("SELECT max(attempts) FROM voice_sessions_sessionjob") == 1
        assert _stopped(worker) == 0
    finally:
        worker.kill()
    log = (deployment.logs / "default.log").read_text()
    assert "PoolTimeout" not in log and "InterfaceError" not in log, log
    assert "Hello there" not in log


def test_the_beat_begins_the_sweeps_and_clips_are_rendered_by_a_process_with_a_voice_of_its_own(
    deployment: Deployment,
) -> None:
    deployment.manage("shell", "--verbosity", "0", "-c", "from voices.tasks import *; sweep_clips(at_start=True)")
    render = deployment.celery("render", "worker", "-Q", "render", "-c", "1", "-P", "prefork")
    try:
        deployment.wait_for("SELECT state FROM voices_clip", lambda state: state == "ready")
        seconds = deployment.one("SELECT seconds FROM voices_clip")
        assert isinstance(seconds, float) and seconds > 0.2
        assert _stopped(render) == 0
    finally:
        render.kill()
    with deployment.redis.connect() as redis:
        redis.select(2)
        # What is waiting from before says nothing about the beat.
        redis.delete("default")
    beat = deployment.celery("beat", "beat", "--pidfile", "")
    try:
        with deployment.redis.connect() as redis:
            redis.select(2)
            deadline = time.monotonic() + LIMIT_S
            while not redis.llen("default"):
                assert time.monotonic() < deadline
                time.sleep(0.2)
        assert _stopped(beat) == 0
    finally:
        beat.kill()


def test_figures_board_and_retention_work_with_postgresql(deployment: Deployment) -> None:
    deployment.manage("shell", "--verbosity", "0", "-c", MAKE_A_CONVERSATION + READ_EVERYTHING)
    assert deployment.one("SELECT count(*) FROM voice_sessions_turn") == 0
