"""Writes about conversations."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import get_language

from accounts.keys import digest
from accounts.visitors import Visitor
from characters.models import Character
from sessions.dispatch import pulse
from sessions.dispatch.holding import end_lost_sessions
from sessions.dispatch.settling import settle
from sessions.dispatch.terms import HOLD_S
from sessions.errors import Fenced, Held, NoCharacter, NoSession, NotAuthenticated, SessionOver
from sessions.jobs.models import SessionJob
from sessions.jobs.queue import jobs_plan
from sessions.jobs.work import usage_settle
from sessions.keys import TOKEN_LIFETIME_S, new_client_secret, new_token
from sessions.models import ClientSecret, Lease, Turn, VoiceSession

LOST_AFTER = timedelta(seconds=150)
"""A live session is seen about once a minute: without that for so long its process is gone."""

KEPT_UNOPENED = timedelta(hours=1)
KEPT_EMPTY = timedelta(days=1)


def session_create(
    *, visitor: Visitor, character: Character, origin: str, voice: str = "", style: str = ""
) -> VoiceSession:
    """A conversation that is about to begin. Raises `NoCharacter` for one without a version to play."""
    if character.current is None:
        raise NoCharacter("this character cannot be played yet")
    return VoiceSession.objects.create(
        character=character,
        version=character.current,
        user=visitor.user,
        guest_key="" if visitor.user is not None else visitor.guest_key,
        origin=origin,
        language=(get_language() or "en")[:10],
        voice=voice,
        style=style,
    )


def token_issue(*, session: VoiceSession) -> str:
    """A single-use token for this session's next socket; one issued before stops working."""
    token = new_token()
    session.token_digest = digest(token)
    session.token_expires_at = timezone.now() + timedelta(seconds=TOKEN_LIFETIME_S)
    session.save(update_fields=["token_digest", "token_expires_at"])
    return token


def session_open(*, token: str) -> VoiceSession:
    """Uses the token up: the session it was issued for.

    Raises `NotAuthenticated` for an unknown, used or expired one, `SessionOver` when the conversation has ended.
    """
    fresh = VoiceSession.objects.filter(token_digest=digest(token), token_expires_at__gt=timezone.now())
    session = fresh.select_related("character", "version", "user").first()
    # One UPDATE decides between two sockets that bring the same token.
    if session is None or not fresh.filter(pk=session.pk).update(token_digest="", token_expires_at=None):
        raise NotAuthenticated("the token is unknown, used up or older than a minute")
    if session.user is not None and not session.user.is_active:
        raise NotAuthenticated("this account may not sign in")
    if session.state == VoiceSession.State.ENDED:
        raise SessionOver("the conversation has ended")
    return session


def session_hold(*, session_id: UUID, holder: str, url: str, over: int | None = None) -> int:
    """From now on the conversation lives in the process `holder`, reached by others at `url`; returns its fence.

    One UPDATE decides between two that want it. It is free when nobody holds it or the hold has run out; `over` takes
    it from a holder that does not answer, if that one's fence is still `over`. Raises `Held`, `NoSession`,
    `SessionOver`.
    """
    free = Q(holder="") | Q(holder_expires_at__lt=Now())
    if over is not None:
        free |= Q(holder_fence=over)
    rows = VoiceSession.objects.filter(pk=session_id)
    with transaction.atomic():
        taken = rows.filter(free).exclude(state=VoiceSession.State.ENDED)
        if taken.update(
            holder=holder,
            holder_url=url,
            holder_fence=F("holder_fence") + 1,
            holder_expires_at=Now() + timedelta(seconds=HOLD_S),
        ):
            return rows.values_list("holder_fence", flat=True).get()
    row = rows.first()
    if row is None:
        raise NoSession("there is no such conversation")
    if row.state == VoiceSession.State.ENDED:
        raise SessionOver("the conversation has ended")
    raise Held(row.holder, row.holder_url, row.holder_fence)


def session_hold_renew(*, session_id: UUID, fence: int) -> None:
    """It still lives here. Raises `Fenced`. A process that holds many renews them by `dispatch.renew_holds`."""
    held = _fenced(session_id, fence).exclude(state=VoiceSession.State.ENDED)
    _must(held.update(holder_expires_at=Now() + timedelta(seconds=HOLD_S)), session_id)


def session_let_go(*, session_id: UUID, fence: int) -> None:
    """The process stops and the conversation goes on: the next one takes it at once. An old fence changes nothing."""
    _fenced(session_id, fence).update(holder_url="", holder_expires_at=Now() - timedelta(seconds=1))


def session_begin(*, session_id: UUID, fence: int = 0) -> None:
    """The conversation is live from now on; one that is already stays as it is. Raises `Fenced`."""
    now = timezone.now()
    with transaction.atomic():
        mine = _fenced(session_id, fence)
        begun = mine.filter(state=VoiceSession.State.CREATED)
        if not begun.update(state=VoiceSession.State.LIVE, started_at=now, last_seen_at=now):
            _must(mine.exists(), session_id)


def session_touch(*, session_id: UUID, heard_s: float, user_s: float, fence: int = 0) -> None:
    """It is still live. Raises `Fenced` when it is not, or not this writer's."""
    live = _fenced(session_id, fence).filter(state=VoiceSession.State.LIVE)
    count = live.update(last_seen_at=timezone.now(), heard_seconds=heard_s, user_seconds=user_s)
    _must(count, session_id)


def session_finish(*, session_id: UUID, reason: str, heard_s: float, user_s: float, fence: int = 0) -> None:
    """The conversation is over, and its leases are settled. The first end counts. Raises `Fenced`.

    One in which nothing was said stays as a record of time only.
    """
    now = timezone.now()
    with transaction.atomic():
        mine = _fenced(session_id, fence)
        ended = mine.exclude(state=VoiceSession.State.ENDED).update(
            state=VoiceSession.State.ENDED,
            ended_at=now,
            last_seen_at=now,
            ended_reason=reason,
            heard_seconds=heard_s,
            user_seconds=user_s,
            token_digest="",
            token_expires_at=None,
        )
        if ended:
            settle(Lease.objects.filter(session_id=session_id), reason="session_ended")
            jobs_plan(session_id=session_id, kinds=[SessionJob.Kind.FINALISE])
        else:
            _must(mine.exists(), session_id)


def session_request_end(*, session_id: UUID) -> bool:
    """Somebody wants it ended; its holder sees that with its next renewal, or is told (`sessions.control`)."""
    live = VoiceSession.objects.filter(pk=session_id, state=VoiceSession.State.LIVE)
    return bool(live.update(end_requested_at=Coalesce("end_requested_at", Now())))


def session_keep_mind(*, session_id: UUID, state: dict[str, Any], fence: int) -> None:
    """What its mind needs to go on in another process. Raises `Fenced`."""
    _must(_fenced(session_id, fence).update(mind_state=state), session_id)


def session_discard(*, session_id: UUID) -> None:
    """It could not begin: no trace is kept."""
    VoiceSession.objects.filter(pk=session_id, state=VoiceSession.State.CREATED).delete()


@transaction.atomic
def session_delete(*, session: VoiceSession) -> None:
    """The listener wants it gone, with everything said in it. What it amounted to in time stays, for billing.

    A guest's empty row stays for a day: it counts against the guest's allowance.
    """
    usage_settle(session_id=session.pk)
    if session.user is None and session.created_at > timezone.now() - KEPT_EMPTY:
        Turn.objects.filter(session=session).delete()
        VoiceSession.objects.filter(pk=session.pk).update(summary="", mind_state={})
    else:
        session.delete()


def session_sweep() -> int:
    """Closes what a crashed process left open and throws away what was never opened; returns how many."""
    now = timezone.now()
    live = VoiceSession.objects.filter(state=VoiceSession.State.LIVE, holder="")
    lost = live.filter(Q(last_seen_at__lt=now - LOST_AFTER) | Q(last_seen_at=None))
    count = end_lost_sessions() if pulse.is_steady() else 0
    for session in lost:
        end = session.last_seen_at or session.started_at or session.created_at
        count += VoiceSession.objects.filter(pk=session.pk, state=VoiceSession.State.LIVE).update(
            state=VoiceSession.State.ENDED, ended_at=end, ended_reason="lost", token_digest="", token_expires_at=None
        )
    unopened = VoiceSession.objects.filter(state=VoiceSession.State.CREATED, created_at__lt=now - KEPT_UNOPENED)
    empty = VoiceSession.objects.filter(state=VoiceSession.State.ENDED, turns=None, ended_at__lt=now - KEPT_EMPTY)
    for stale in (unopened, empty):
        count += stale.delete()[1].get(VoiceSession._meta.label, 0)
    ClientSecret.objects.filter(expires_at__lt=now).delete()
    return count


@transaction.atomic
def turn_record(*, session_id: UUID, index: int, fields: dict[str, Any], fence: int = 0) -> Turn:
    """Stores a turn; the same index again replaces it. Raises `Fenced`."""
    _lock(session_id, fence)
    latency: dict[str, float] = fields.get("latency", {})
    first = latency.get("sent", latency.get("first_audio"))
    response_ms = None if first is None else max(0, round(first))
    turn, _new = Turn.objects.update_or_create(
        session_id=session_id, index=index, defaults={**fields, "response_ms": response_ms}
    )
    return turn


@transaction.atomic
def turn_amend(*, session_id: UUID, item_id: str, text: str, fence: int = 0) -> None:
    """The client says how much of a turn was heard: the record is cut to it. Raises `Fenced`."""
    _lock(session_id, fence)
    turn = Turn.objects.select_for_update().filter(session_id=session_id, item_id=item_id).first()
    if turn is not None and turn.text != text:
        turn.text = text
        turn.interrupted = True
        turn.save(update_fields=["text", "interrupted"])


def _fenced(session_id: UUID, fence: int) -> QuerySet[VoiceSession]:
    """The row if this writer may still write. 0: nobody has held it yet."""
    return VoiceSession.objects.filter(pk=session_id, holder_fence=fence)


def _must(happened: object, session_id: UUID) -> None:
    if not happened:
        raise Fenced(f"session {session_id} has another holder, or has ended")


def _lock(session_id: UUID, fence: int) -> None:
    """Nobody takes the conversation over until the transaction ends."""
    mine = _fenced(session_id, fence).select_for_update(no_key=True)
    _must(mine.values_list("pk", flat=True).first(), session_id)


def client_secret_create(
    *, visitor: Visitor, character: Character | None, session: dict[str, Any], lifetime_s: int
) -> tuple[ClientSecret, str]:
    """A short-lived key and its row; the key cannot be read again."""
    key = new_client_secret()
    row = ClientSecret.objects.create(
        digest=digest(key),
        user=visitor.user,
        guest_key="" if visitor.user is not None else visitor.guest_key,
        character=character,
        session=session,
        expires_at=timezone.now() + timedelta(seconds=lifetime_s),
    )
    return row, key
