"""Jobs as rows: planned with the end of a conversation, claimed by one process at a time, tried again, given up."""

import logging
import traceback
from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from sessions.jobs.bell import bell
from sessions.jobs.models import SessionJob
from sessions.models import VoiceSession

logger = logging.getLogger(__name__)

TASK = "sessions.tasks.run_session_job"
MAX_ATTEMPTS = 5
SOFT_LIMIT_S = 120
HARD_LIMIT_S = 150
GONE_AFTER = timedelta(seconds=HARD_LIMIT_S + 30)
"""A job that has run for so long was killed with its process."""

FIRST_WAIT = timedelta(seconds=30)
WAIT_GROWS = 4
QUEUED_AGAIN = timedelta(minutes=10)
"""A queue that was told of a job has lost it when nobody has taken it up by then."""

BATCH = 500
LOOKED_BACK = timedelta(days=2)
OPEN = [SessionJob.State.PENDING, SessionJob.State.RUNNING]

Work = Callable[[SessionJob], None]


def jobs_plan(*, session_id: UUID, kinds: list[SessionJob.Kind]) -> None:
    """Makes sure that these jobs exist, and tells the queue of new ones once they are committed."""
    for kind in kinds:
        job, new = SessionJob.objects.get_or_create(session_id=session_id, kind=kind, defaults={"due_at": Now()})
        if new:
            transaction.on_commit(lambda job_id=job.pk: _enqueue(job_id))  # type: ignore[misc]


def job_run(*, job_id: int, work: Mapping[str, Work]) -> str | None:
    """Carries a due job out. Returns its state afterwards; None when it is not due, another's, or gone."""
    job = _claim(job_id)
    if job is None:
        return None
    mine = SessionJob.objects.filter(pk=job.pk, attempts=job.attempts, state=SessionJob.State.RUNNING)
    try:
        work[job.kind](job)
    except Exception as error:
        # Neither the message nor the values of an error are kept: a database's may quote what somebody said.
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{getattr(error, 'reason', '') or type(error).__name__} ({where.name}, line {where.lineno})"
        state = SessionJob.State.FAILED if job.attempts >= MAX_ATTEMPTS else SessionJob.State.PENDING
        wait = FIRST_WAIT * WAIT_GROWS ** (job.attempts - 1)
        mine.update(state=state, due_at=Now() + wait, error=reason[:200], queued_at=None, updated_at=Now())
        level = logging.ERROR if state == SessionJob.State.FAILED else logging.WARNING
        logger.log(level, "%s of session %s failed at try %d: %s", job.kind, job.session_id, job.attempts, reason)
        return state
    mine.update(state=SessionJob.State.DONE, error="", updated_at=Now())
    return SessionJob.State.DONE


def jobs_sweep(*, at_start: bool = False) -> int:
    """Plans what ended without a job, and tells the queue of what is due; returns how many. Run every minute.

    `at_start`: also of what a queue was told before; for a start with a queue that remembers nothing.
    """
    _plan_forgotten()
    now = timezone.now()
    due = SessionJob.objects.filter(state__in=OPEN, due_at__lte=Now())
    if not at_start:
        due = due.filter(Q(queued_at=None) | Q(queued_at__lt=now - QUEUED_AGAIN))
    jobs = list(due.order_by("due_at").values_list("pk", flat=True)[:BATCH])
    for number, job_id in enumerate(jobs):
        if not _enqueue(job_id):
            return number
    return len(jobs)


def jobs_retry(*, job_ids: list[int]) -> int:
    """Failed jobs begin anew; returns how many."""
    failed = SessionJob.objects.filter(pk__in=job_ids, state=SessionJob.State.FAILED)
    return failed.update(state=SessionJob.State.PENDING, attempts=0, due_at=Now(), queued_at=None, updated_at=Now())


def _claim(job_id: int) -> SessionJob | None:
    """One UPDATE decides between two processes that were given the same job."""
    due = SessionJob.objects.filter(pk=job_id, state__in=OPEN, due_at__lte=Now())
    taken = due.filter(attempts__lt=MAX_ATTEMPTS).update(
        state=SessionJob.State.RUNNING, attempts=F("attempts") + 1, due_at=Now() + GONE_AFTER, updated_at=Now()
    )
    if not taken:
        gone = "the process that ran it was killed"
        due.update(state=SessionJob.State.FAILED, error=gone, updated_at=Now())
        return None
    return SessionJob.objects.select_related("session__version", "session__character").filter(pk=job_id).first()


def _plan_forgotten() -> None:
    """A process that died between the end of a conversation and the job's row left none."""
    finalise = SessionJob.objects.filter(session=OuterRef("pk"), kind=SessionJob.Kind.FINALISE)
    ended = VoiceSession.objects.filter(
        state=VoiceSession.State.ENDED, last_seen_at__gt=timezone.now() - LOOKED_BACK, started_at__isnull=False
    )
    for session_id in ended.filter(~Exists(finalise)).values_list("pk", flat=True)[:BATCH]:
        jobs_plan(session_id=session_id, kinds=[SessionJob.Kind.FINALISE])


def _enqueue(job_id: int) -> bool:
    """Whether a queue was told."""
    if not bell.ring(TASK, job_id):
        return False
    SessionJob.objects.filter(pk=job_id).update(queued_at=timezone.now())
    return True
