"""Which web process a conversation lives in: renewed together, and ended when nobody came back to it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now

from sessions.dispatch import pulse
from sessions.dispatch.leases import renew
from sessions.dispatch.settling import settle
from sessions.dispatch.terms import HOLD_S
from sessions.models import Lease, VoiceSession


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a process still holds, and what is wanted of it."""

    fenced: frozenset[str] = frozenset()
    """Sessions that another process holds by now, or that are over: let go without a write."""

    end_requested: frozenset[str] = frozenset()
    """Sessions that somebody wants ended."""

    lost_leases: frozenset[str] = frozenset()
    """Leases (hex) that are settled: their streams are not ours any more."""


def renew_holds(*, holder: str, fences: Mapping[str, int], leases: Iterable[str]) -> Renewal:
    """Extends everything a process holds, in one go: sessions (id to fence) and leases (hex).

    A hold that ran out while the database was away is extended too, unless somebody else has taken it.
    """
    pulse.beat()
    with transaction.atomic():
        mine = VoiceSession.objects.filter(pk__in=list(fences), holder=holder).exclude(state=VoiceSession.State.ENDED)
        rows = list(mine.select_for_update().order_by("pk").values_list("pk", "holder_fence", "end_requested_at"))
        kept = [(pk, wanted) for pk, fence, wanted in rows if fences[str(pk)] == fence]
        held = VoiceSession.objects.filter(pk__in=[pk for pk, _wanted in kept])
        held.update(holder_expires_at=Now() + timedelta(seconds=HOLD_S))
    asked = frozenset(leases)
    return Renewal(
        fenced=frozenset(fences) - {str(pk) for pk, _wanted in kept},
        end_requested=frozenset(str(pk) for pk, wanted in kept if wanted is not None),
        lost_leases=asked - renew(asked, holder),
    )


def end_lost_sessions() -> int:
    """Ends conversations whose process died and that nobody resumed in time; returns how many.

    One whose end somebody wanted is not waited for.
    """
    waited = Now() - timedelta(seconds=settings.SESSION_RESUME_SECONDS)
    lost = Q(holder_expires_at__lt=waited) | Q(holder_expires_at__lt=Now(), end_requested_at__isnull=False)
    live = VoiceSession.objects.filter(lost, state=VoiceSession.State.LIVE)
    return sum(_end(session_id, lost) for session_id in list(live.values_list("pk", flat=True)))


@transaction.atomic
def _end(session_id: UUID, lost: Q) -> bool:
    # Asked again by the same UPDATE: whoever resumes it at this moment wins or finds it ended.
    ended = VoiceSession.objects.filter(lost, pk=session_id, state=VoiceSession.State.LIVE).update(
        state=VoiceSession.State.ENDED,
        ended_at=Coalesce(F("last_seen_at"), F("started_at"), F("created_at")),
        ended_reason="lost",
        mind_state={},
        token_digest="",
        token_expires_at=None,
    )
    if ended:
        settle(Lease.objects.filter(session_id=session_id), reason="session_lost")
    return bool(ended)
