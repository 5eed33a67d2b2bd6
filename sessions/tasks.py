"""Jobs and sweeps about conversations, as Celery runs them."""

from celery import shared_task

from sessions import dispatch
from sessions.jobs.queue import HARD_LIMIT_S, SOFT_LIMIT_S, TASK, job_run, jobs_sweep
from sessions.jobs.retention import transcripts_expire
from sessions.jobs.work import WORK
from sessions.services import session_sweep


@shared_task(name=TASK, soft_time_limit=SOFT_LIMIT_S, time_limit=HARD_LIMIT_S)
def run_session_job(job_id: int) -> None:
    job_run(job_id=job_id, work=WORK)


@shared_task(soft_time_limit=25, time_limit=30)
def sweep_leases() -> None:
    """Settle what died. Every few seconds."""
    dispatch.sweep()


@shared_task(soft_time_limit=50, time_limit=60)
def sweep_jobs() -> None:
    """Queue what is due. Every minute."""
    jobs_sweep()


@shared_task(soft_time_limit=50, time_limit=60)
def sweep_sessions() -> None:
    """Close what a dead process left open. Every minute."""
    session_sweep()


@shared_task(soft_time_limit=3300, time_limit=3400)
def expire_transcripts() -> None:
    """Once a day."""
    transcripts_expire()
