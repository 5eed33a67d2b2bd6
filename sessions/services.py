"""Writes about conversations."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import get_language

from accounts.keys import digest
from accounts.visitors import Visitor
from characters.models import Character
from sessions.errors import NoCharacter, NotAuthenticated, SessionOver
from sessions.keys import TOKEN_LIFETIME_S, new_client_secret, new_token
from sessions.models import ClientSecret, Turn, VoiceSession

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


def session_begin(*, session_id: UUID) -> None:
    """The conversation is live from now on."""
    now = timezone.now()
    VoiceSession.objects.filter(pk=session_id, state=VoiceSession.State.CREATED).update(
        state=VoiceSession.State.LIVE, started_at=now, last_seen_at=now
    )


def session_touch(*, session_id: UUID, heard_s: float, user_s: float) -> None:
    """It is still live."""
    VoiceSession.objects.filter(pk=session_id, state=VoiceSession.State.LIVE).update(
        last_seen_at=timezone.now(), heard_seconds=heard_s, user_seconds=user_s
    )


def session_finish(*, session_id: UUID, reason: str, heard_s: float, user_s: float) -> None:
    """The conversation is over. One in which nothing was said stays as a record of time only."""
    now = timezone.now()
    VoiceSession.objects.filter(pk=session_id).exclude(state=VoiceSession.State.ENDED).update(
        state=VoiceSession.State.ENDED,
        ended_at=now,
        last_seen_at=now,
        ended_reason=reason,
        heard_seconds=heard_s,
        user_seconds=user_s,
        token_digest="",
        token_expires_at=None,
    )


def session_discard(*, session_id: UUID) -> None:
    """It could not begin: no trace is kept."""
    VoiceSession.objects.filter(pk=session_id, state=VoiceSession.State.CREATED).delete()


def session_delete(*, session: VoiceSession) -> None:
    """The listener wants it gone, with everything said in it.

    A guest's empty row stays for a day: it counts against the guest's allowance.
    """
    if session.user is None and session.created_at > timezone.now() - KEPT_EMPTY:
        Turn.objects.filter(session=session).delete()
    else:
        session.delete()


def session_sweep() -> int:
    """Closes what a crashed process left open and throws away what was never opened; returns how many."""
    now = timezone.now()
    live = VoiceSession.objects.filter(state=VoiceSession.State.LIVE)
    lost = live.filter(Q(last_seen_at__lt=now - LOST_AFTER) | Q(last_seen_at=None))
    count = 0
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


def turn_record(*, session_id: UUID, index: int, fields: dict[str, Any]) -> Turn:
    """Stores a finished turn; the same index again replaces it."""
    latency: dict[str, float] = fields.get("latency", {})
    first = latency.get("sent", latency.get("first_audio"))
    response_ms = None if first is None else max(0, round(first))
    turn, _new = Turn.objects.update_or_create(
        session_id=session_id, index=index, defaults={**fields, "response_ms": response_ms}
    )
    return turn


@transaction.atomic
def turn_amend(*, session_id: UUID, item_id: str, text: str) -> None:
    """The client says how much of a turn was heard: the record is cut to it."""
    turn = Turn.objects.select_for_update().filter(session_id=session_id, item_id=item_id).first()
    if turn is not None and turn.text != text:
        turn.text = text
        turn.interrupted = True
        turn.save(update_fields=["text", "interrupted"])


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
