"""What the jobs do. Each may be done again and again and comes to the same."""

from uuid import UUID

from django.db import transaction

from characters.mind.chat_endpoint import EndpointFailed
from characters.mind.recollection import Line
from characters.recollections import asked_recollection, can_be_asked, plain_recollection
from sessions.jobs.models import SessionJob, SessionUsage
from sessions.jobs.queue import MAX_ATTEMPTS, Work, jobs_plan
from sessions.jobs.totals import USER, totals_of
from sessions.models import Turn, VoiceSession

BLANK = r"^\s*$"


class NotEnded(Exception):
    """The conversation is still going on."""

    reason = "not ended"


@transaction.atomic
def finalise(job: SessionJob) -> None:
    """Drops turns without a word, brings the totals in line with the transcript, plans what builds on both.

    Raises `NotEnded`.
    """
    session = VoiceSession.objects.select_for_update().get(pk=job.session_id)
    if session.state != VoiceSession.State.ENDED:
        raise NotEnded
    turns = Turn.objects.filter(session=session)
    turns.filter(text__regex=BLANK).delete()
    totals = totals_of(turns)
    session.user_seconds, session.heard_seconds = totals.user_s, totals.heard_s
    session.save(update_fields=["user_seconds", "heard_seconds"])
    jobs_plan(session_id=session.pk, kinds=[SessionJob.Kind.SETTLE, SessionJob.Kind.SUMMARISE])


def summarise(job: SessionJob) -> None:
    """A line or two about the conversation. Raises `EndpointFailed` until the last try, which reads the transcript."""
    session = job.session
    turns = Turn.objects.filter(session=session).order_by("index").values_list("speaker", "text")
    lines = [Line(speaker == USER, text) for speaker, text in turns]
    if not lines:
        return
    summary = ""
    if can_be_asked() and any(line.by_listener for line in lines):
        try:
            summary = asked_recollection(session.version, lines, language=session.language)
        except EndpointFailed:
            if job.attempts < MAX_ATTEMPTS:
                raise
    summary = summary or plain_recollection(session.version, lines, language=session.language)
    # Not while it was summed up: retention may have taken the transcript away.
    with transaction.atomic():
        if Turn.objects.filter(session=session).exists():
            VoiceSession.objects.filter(pk=session.pk).update(summary=summary)


def settle(job: SessionJob) -> None:
    usage_settle(session_id=job.session_id)


def usage_settle(*, session_id: UUID) -> None:
    """The conversation's row for billing. One that was settled stays as it is: what was billed does not change."""
    session = VoiceSession.objects.select_related("character").get(pk=session_id)
    if session.started_at is None:
        return
    totals = totals_of(Turn.objects.filter(session=session))
    SessionUsage.objects.get_or_create(
        session_id=session.pk,
        defaults={
            "user": session.user,
            "character": session.character.slug,
            "seconds": totals.seconds,
            "heard_seconds": totals.heard_s,
            "user_seconds": totals.user_s,
            "num_turns": totals.num_turns,
            "ended_at": session.ended_at or session.last_seen_at or session.started_at,
        },
    )


WORK: dict[str, Work] = {
    SessionJob.Kind.FINALISE: finalise,
    SessionJob.Kind.SUMMARISE: summarise,
    SessionJob.Kind.SETTLE: settle,
}
