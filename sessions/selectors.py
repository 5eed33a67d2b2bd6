"""Reads about conversations."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from accounts.keys import digest
from accounts.models import User
from accounts.visitors import Visitor
from sessions.live.memory import Past, PastTurn, memory_from
from sessions.models import ClientSecret, Lease, Turn, VoiceSession

DAY = timedelta(days=1)


def _owned(visitor: Visitor) -> QuerySet[VoiceSession]:
    if visitor.user is not None:
        return VoiceSession.objects.filter(user=visitor.user)
    if not visitor.guest_key:
        return VoiceSession.objects.none()
    return VoiceSession.objects.filter(user=None, guest_key=visitor.guest_key)


def session_access(*, visitor: Visitor, session_id: UUID | str) -> VoiceSession | None:
    """The conversation if it is this visitor's own. The only door to one conversation."""
    return _owned(visitor).filter(pk=session_id).select_related("character", "version", "user").first()


def session_history(*, visitor: Visitor) -> QuerySet[VoiceSession]:
    """The visitor's conversations in which something was said, newest first, with `num_turns`."""
    counted = _owned(visitor).annotate(num_turns=Count("turns"))
    said = counted.filter(num_turns__gt=0).select_related("character__current")
    return said.order_by("-created_at")


def session_turns(*, session: VoiceSession) -> QuerySet[Turn]:
    return Turn.objects.filter(session=session).order_by("index")


def session_past(*, session: VoiceSession, after: int) -> Past:
    """What a process needs to go on with a conversation whose own process is gone."""
    turns = tuple(
        PastTurn(
            index=turn.index,
            item_id=turn.item_id,
            by_listener=turn.speaker == Turn.Speaker.USER,
            text=turn.text,
            full_text=turn.full_text,
            interrupted=turn.interrupted,
            typed=turn.typed,
        )
        for turn in session_turns(session=session)
    )
    memory = memory_from(session.mind_state)
    last = Lease.objects.filter(session=session).order_by("-fence").values_list("worker_id", flat=True).first()
    return Past(
        turns=turns,
        memory=memory,
        elapsed_s=session.duration_s,
        heard_s=max(session.heard_seconds, memory.heard_s if memory is not None else 0.0),
        user_s=max(session.user_seconds, memory.user_s if memory is not None else 0.0),
        after=after,
        worker=last or "",
    )


def has_talked_before(*, session: VoiceSession) -> bool:
    """Whether this listener has talked with the character in an earlier conversation."""
    visitor = Visitor(user=session.user, guest_key=session.guest_key)
    earlier = _owned(visitor).filter(character=session.character, turns__speaker=Turn.Speaker.USER)
    return earlier.exclude(pk=session.pk).exists()


def guest_seconds_left(*, guest_key: str) -> float:
    """What a guest may still talk today, in seconds: the last 24 hours count."""
    since = timezone.now() - DAY
    recent = VoiceSession.objects.filter(guest_key=guest_key, user=None, created_at__gte=since)
    used = sum(session.duration_s for session in recent.exclude(started_at=None))
    return max(0.0, float(settings.GUEST_SECONDS_PER_DAY) - used)


def seconds_left(*, user: User | None, guest_key: str) -> float | None:
    """The listener's allowance; None: no limit."""
    return None if user is not None else guest_seconds_left(guest_key=guest_key)


def num_open_sessions(*, visitor: Visitor) -> int:
    """Conversations that are live, or about to be: their token still works."""
    waiting = Q(state=VoiceSession.State.CREATED, token_expires_at__gt=timezone.now())
    return _owned(visitor).filter(Q(state=VoiceSession.State.LIVE) | waiting).count()


def client_secret(*, key: str) -> ClientSecret | None:
    """The secret if it has not expired and its owner may still sign in."""
    row = ClientSecret.objects.select_related("user", "character").filter(digest=digest(key)).first()
    if row is None or row.expires_at <= timezone.now():
        return None
    if row.user is not None and not row.user.is_active:
        return None
    return row
