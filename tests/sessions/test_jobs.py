"""What happens to a conversation once it is over."""

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from celery import current_app
from django.conf import settings
from django.db import connection
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import User
from accounts.visitors import Visitor
from characters.cast_file import read_cast_file
from characters.models import Character
from characters.services import character_load
from sessions import tasks
from sessions.jobs import queue
from sessions.jobs.bell import LEFT_ALONE_S, Bell
from sessions.jobs.models import SessionJob, SessionUsage
from sessions.jobs.queue import job_run, jobs_retry, jobs_sweep
from sessions.jobs.retention import transcripts_expire
from sessions.jobs.totals import totals_of
from sessions.jobs.work import WORK
from sessions.models import Turn, VoiceSession
from sessions.services import session_begin, session_create, session_delete, session_finish, turn_record
from tests.characters.chat_server import chat_server, streams
from voices.library import read_library
from voices.services import library_load

pytestmark = pytest.mark.django_db(transaction=True)

Kind, State = SessionJob.Kind, SessionJob.State
MINUTES = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ids of the jobs a queue was told of."""
    told: list[int] = []
    monkeypatch.setattr(current_app._get_current_object(), "send_task", lambda name, args: told.append(args[0]))
    return told


@pytest.fixture
def brief() -> Character:
    library_load(library=read_library())
    character_load(cast=read_cast_file(Path(__file__).with_name("brief.yaml")))
    return Character.objects.get(slug="brief")


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice", password="correct horse battery")


def _turn(session: VoiceSession, index: int, speaker: str, text: str, started_ms: int, length_ms: int) -> None:
    pieces = text.split()
    words = [[word, length_ms * n // len(pieces), length_ms * (n + 1) // len(pieces)] for n, word in enumerate(pieces)]
    fields: dict[str, Any] = {
        "item_id": f"item_{index}",
        "speaker": speaker,
        "text": text,
        "full_text": text,
        "started_ms": started_ms,
        "ended_ms": started_ms + length_ms,
        "words": words,
    }
    turn_record(session_id=session.pk, index=index, fields=fields)


def _talked(character: Character, user: User | None = None) -> VoiceSession:
    """A conversation of 2 s of the listener and 5.5 s of the character, half a second of it both at once."""
    visitor = Visitor(user=user) if user is not None else Visitor(guest_key="g" * 64)
    session = session_create(visitor=visitor, character=character, origin="web")
    session_begin(session_id=session.pk)
    _turn(session, 1, "character", "Hello there.", 0, 1500)
    _turn(session, 2, "user", "tell me a story about a stone", 3000, 2000)
    _turn(session, 3, "character", "A pebble lay in a stream. The stream was patient.", 4500, 4000)
    _turn(session, 4, "user", "  ", 9000, 300)
    return session


def _ended(character: Character, user: User | None = None) -> VoiceSession:
    session = _talked(character, user)
    session_finish(session_id=session.pk, reason="ended", heard_s=9, user_s=9)
    return session


def _job(session: VoiceSession, kind: SessionJob.Kind) -> SessionJob:
    return SessionJob.objects.get(session=session, kind=kind)


def _run_all(session: VoiceSession) -> None:
    for kind in (Kind.FINALISE, Kind.SETTLE, Kind.SUMMARISE):
        tasks.run_session_job(_job(session, kind).pk)


def test_the_end_of_a_conversation_plans_its_jobs_and_tells_the_queue(brief: Character, queued: list[int]) -> None:
    session = _ended(brief)
    assert queued == [_job(session, Kind.FINALISE).pk]
    tasks.run_session_job(queued[0])
    assert {job.kind: job.state for job in session.jobs.all()} == {
        Kind.FINALISE: State.DONE,
        Kind.SETTLE: State.PENDING,
        Kind.SUMMARISE: State.PENDING,
    }
    assert set(queued) == set(session.jobs.values_list("pk", flat=True))


def test_the_totals_come_from_the_transcript_and_turns_without_a_word_go(brief: Character) -> None:
    session = _ended(brief)
    _run_all(session)
    session.refresh_from_db()
    assert (session.user_seconds, session.heard_seconds) == (2.0, 5.5)
    assert list(session.turns.order_by("index").values_list("index", flat=True)) == [1, 2, 3]


def test_usage_counts_every_second_once_and_only_what_was_heard(brief: Character, alice: User) -> None:
    session = _ended(brief, alice)
    _run_all(session)
    usage = SessionUsage.objects.get(session_id=session.pk)
    # 0..1.5 s and 3..8.5 s: seven seconds in which somebody was heard.
    assert (usage.seconds, usage.heard_seconds, usage.user_seconds, usage.num_turns) == (7, 5.5, 2.0, 3)
    assert (usage.user, usage.character) == (alice, "brief")


def test_words_that_were_cut_off_written_or_typed_cost_nothing() -> None:
    words = [["One", 0, 400], ["two", 400, 900], ["three.", 900, 1500]]
    cut = Turn(speaker="character", text="One two", started_ms=0, ended_ms=1500, words=words)
    written = Turn(speaker="character", text="You can read this.", started_ms=2000, ended_ms=9000, words=[])
    typed = Turn(speaker="user", text="hello", typed=True, started_ms=9000, ended_ms=12_000, words=[])
    totals = totals_of([cut, written, typed])
    assert (totals.heard_s, totals.user_s, totals.seconds, totals.num_turns) == (0.9, 0.0, 0, 3)


def test_a_job_done_again_comes_to_the_same(brief: Character) -> None:
    session = _ended(brief)
    _run_all(session)
    before = SessionUsage.objects.values().get(session_id=session.pk)
    session.jobs.update(state=State.PENDING, due_at=timezone.now() - MINUTES)
    _run_all(session)
    assert SessionUsage.objects.values().get(session_id=session.pk) == before
    assert session.jobs.filter(state=State.DONE).count() == 3


def test_two_processes_with_the_same_job_carry_it_out_once(brief: Character) -> None:
    job = _job(_ended(brief), Kind.FINALISE)
    runs: list[int] = []
    meet = threading.Barrier(2)

    def run() -> None:
        meet.wait()
        job_run(job_id=job.pk, work={Kind.FINALISE: lambda job: runs.append(job.pk)})
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == [job.pk]
    assert job_run(job_id=job.pk, work=WORK) is None


def test_a_failing_job_waits_longer_each_time_is_given_up_and_says_why_without_quoting(brief: Character) -> None:
    job = _job(_ended(brief), Kind.FINALISE)

    def broken(job: SessionJob) -> None:
        raise RuntimeError("tell me a story about a stone")

    waits = []
    for attempt in range(1, queue.MAX_ATTEMPTS + 1):
        state = job_run(job_id=job.pk, work={Kind.FINALISE: broken})
        assert state == (State.FAILED if attempt == queue.MAX_ATTEMPTS else State.PENDING)
        assert job_run(job_id=job.pk, work={Kind.FINALISE: broken}) is None, "it is not due again yet"
        job.refresh_from_db()
        waits.append(job.due_at - job.updated_at)
        SessionJob.objects.filter(pk=job.pk).update(due_at=timezone.now() - MINUTES)
    assert waits == sorted(waits) and waits[0] >= 0.9 * queue.FIRST_WAIT and waits[-1] > 100 * waits[0]
    assert job.error.startswith("RuntimeError (broken, line") and "story" not in job.error
    assert jobs_retry(job_ids=[job.pk]) == 1
    assert job_run(job_id=job.pk, work=WORK) == State.DONE


def test_a_job_whose_process_was_killed_is_found_by_the_sweep(brief: Character, queued: list[int]) -> None:
    job = _job(_ended(brief), Kind.FINALISE)
    queued.clear()
    SessionJob.objects.filter(pk=job.pk).update(
        state=State.RUNNING, attempts=1, due_at=timezone.now() + MINUTES, queued_at=timezone.now() - 60 * MINUTES
    )
    assert jobs_sweep() == 0, "somebody is still at it"
    SessionJob.objects.filter(pk=job.pk).update(due_at=timezone.now() - MINUTES)
    assert jobs_sweep() == 1 and queued == [job.pk]
    assert job_run(job_id=job.pk, work=WORK) == State.DONE


def test_a_job_that_kills_its_process_every_time_is_given_up(brief: Character) -> None:
    job = _job(_ended(brief), Kind.FINALISE)
    past = timezone.now() - MINUTES
    SessionJob.objects.filter(pk=job.pk).update(state=State.RUNNING, attempts=queue.MAX_ATTEMPTS, due_at=past)
    assert job_run(job_id=job.pk, work=WORK) is None
    job.refresh_from_db()
    assert (job.state, job.error) == (State.FAILED, "the process that ran it was killed")


def test_what_a_queue_was_told_lately_is_not_told_again_except_at_a_start(brief: Character, queued: list[int]) -> None:
    _ended(brief)
    assert jobs_sweep() == 0
    assert jobs_sweep(at_start=True) == 1
    assert len(queued) == 2


def test_a_conversation_that_ended_without_a_job_gets_one(brief: Character, queued: list[int]) -> None:
    session = _ended(brief)
    session.jobs.all().delete()
    queued.clear()
    jobs_sweep()
    assert queued == [_job(session, Kind.FINALISE).pk]


def test_a_queue_that_is_away_loses_no_job_and_is_not_asked_again_at_once(
    brief: Character, queued: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def away(name: str, args: list[int]) -> None:
        asked.append(args[0])
        raise OperationalError("Error 111 connecting to redis")

    now_s = 100.0
    monkeypatch.setattr(queue, "bell", Bell(lambda: now_s))
    with monkeypatch.context() as while_away:
        while_away.setattr(current_app._get_current_object(), "send_task", away)
        session, other = _ended(brief), _ended(brief)
    session.refresh_from_db()
    assert session.state == VoiceSession.State.ENDED and len(asked) == 1
    assert jobs_sweep() == 0
    now_s += LEFT_ALONE_S
    assert jobs_sweep() == 2
    assert queued == [_job(session, Kind.FINALISE).pk, _job(other, Kind.FINALISE).pk]


def test_a_conversation_that_goes_on_is_not_settled(brief: Character) -> None:
    session = _talked(brief)
    job = SessionJob.objects.create(session=session, kind=Kind.FINALISE, due_at=timezone.now() - MINUTES)
    assert job_run(job_id=job.pk, work=WORK) == State.PENDING
    job.refresh_from_db()
    assert job.error.startswith("not ended")
    assert session.turns.count() == 4


@pytest.mark.parametrize(
    ("language", "parts"),
    [
        ("en", ["The Pebble", "tell me a story about a stone"]),
        ("zh-hans", ["小石子", "tell me a story about a stone"]),
    ],
)
def test_a_summary_names_what_was_done_and_how_it_began(brief: Character, language: str, parts: list[str]) -> None:
    session = _talked(brief)
    VoiceSession.objects.filter(pk=session.pk).update(language=language)
    session_finish(session_id=session.pk, reason="ended", heard_s=0, user_s=0)
    _run_all(session)
    session.refresh_from_db()
    assert all(part in session.summary for part in parts), session.summary


def test_activities_that_were_only_mentioned_are_not_in_the_summary(brief: Character) -> None:
    session = session_create(visitor=Visitor(guest_key="g" * 64), character=brief, origin="web")
    session_begin(session_id=session.pk)
    _turn(session, 1, "user", "do you know the pebble", 0, 1000)
    _turn(session, 2, "character", "I see.", 2000, 500)
    session_finish(session_id=session.pk, reason="ended", heard_s=0, user_s=0)
    _run_all(session)
    session.refresh_from_db()
    assert "Pebble" not in session.summary and "do you know the pebble" in session.summary


async def test_the_chat_endpoint_sums_up_the_conversation(brief: Character, settings: Any) -> None:
    session = await sync_to_async(_ended)(brief)
    async with chat_server(streams("They told ", "each other about a stone.")) as server:
        settings.MIND_BASE_URL, settings.MIND_MODEL = server.url, "test"
        await sync_to_async(_run_all)(session)
    await session.arefresh_from_db()
    assert session.summary == "They told each other about a stone."
    asked = json.dumps(server.messages(0))
    assert "Listener: tell me a story about a stone" in asked and "Brief: A pebble lay" in asked


def test_when_the_chat_endpoint_fails_for_good_the_transcript_speaks(brief: Character, settings: Any) -> None:
    settings.MIND_BASE_URL, settings.MIND_MODEL = "http://127.0.0.1:9/v1", "test"
    session = _ended(brief)
    tasks.run_session_job(_job(session, Kind.FINALISE).pk)
    job = _job(session, Kind.SUMMARISE)
    for _ in range(queue.MAX_ATTEMPTS - 1):
        assert job_run(job_id=job.pk, work=WORK) == State.PENDING
        SessionJob.objects.filter(pk=job.pk).update(due_at=timezone.now() - MINUTES)
    assert job_run(job_id=job.pk, work=WORK) == State.DONE
    session.refresh_from_db()
    assert "The Pebble" in session.summary


def _ended_days_ago(session: VoiceSession, days: int) -> None:
    VoiceSession.objects.filter(pk=session.pk).update(
        ended_at=timezone.now() - timedelta(days=days), mind_state={"said": "something"}
    )


def test_transcripts_go_when_their_time_is_over_and_usage_stays(brief: Character, alice: User, settings: Any) -> None:
    settings.TRANSCRIPT_DAYS, settings.GUEST_TRANSCRIPT_DAYS = 0, 30
    sessions = {"old guest": _ended(brief), "new guest": _ended(brief), "user": _ended(brief, alice)}
    for session in sessions.values():
        _run_all(session)
    for name, days in (("old guest", 31), ("new guest", 29), ("user", 4000)):
        _ended_days_ago(sessions[name], days)
    assert transcripts_expire() == 1
    old = VoiceSession.objects.get(pk=sessions["old guest"].pk)
    assert (old.turns.count(), old.summary, old.mind_state) == (0, "", {})
    assert sessions["new guest"].turns.count() == sessions["user"].turns.count() == 3
    assert SessionUsage.objects.filter(session_id=old.pk, seconds=7).exists()
    settings.TRANSCRIPT_DAYS = 365
    assert transcripts_expire() == 1 and sessions["user"].turns.count() == 0
    assert transcripts_expire() == 0


@pytest.mark.parametrize("by_guest", [True, False])
def test_a_deleted_conversation_leaves_its_time_and_no_word(brief: Character, alice: User, by_guest: bool) -> None:
    session = _ended(brief, None if by_guest else alice)
    VoiceSession.objects.filter(pk=session.pk).update(summary="A stone.", mind_state={"said": "x"})
    session.refresh_from_db()
    session_id = session.pk
    session_delete(session=session)
    assert not Turn.objects.filter(session_id=session_id).exists()
    row = VoiceSession.objects.filter(pk=session_id).first()
    assert row is None or (row.summary, row.mind_state) == ("", {})
    assert SessionUsage.objects.get(session_id=session_id).seconds == 7


def test_every_scheduled_task_and_route_exists_and_no_task_runs_without_a_limit() -> None:
    app = current_app._get_current_object()
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled | set(settings.CELERY_TASK_ROUTES) <= set(app.tasks)
    visible_s = settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]
    own = [task for name, task in app.tasks.items() if not name.startswith("celery.")]
    assert own
    for task in own:
        assert task.soft_time_limit < task.time_limit < visible_s, task.name
        assert task.acks_late and task.reject_on_worker_lost and task.ignore_result, task.name
