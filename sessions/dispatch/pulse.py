"""Since when the database has been reachable without a gap."""

from datetime import datetime, timedelta

from django.db.models import Case, F, When
from django.db.models.functions import Now

from sessions.dispatch.terms import GAP_S, PULSE_S, STEADY_S
from sessions.models import Pulse


def beat() -> None:
    """Somebody has just reached the database. Writes at most once in `PULSE_S`.

    Call it outside of transactions: whoever holds this one row keeps everybody waiting.
    """
    due = Pulse.objects.filter(beat_at__lt=Now() - timedelta(seconds=PULSE_S))
    after_gap = When(beat_at__lt=Now() - timedelta(seconds=GAP_S), then=Now())
    if due.update(beat_at=Now(), steady_since=Case(after_gap, default=F("steady_since"))):
        return
    if not Pulse.objects.exists():
        Pulse.objects.bulk_create([Pulse(id=1, beat_at=Now(), steady_since=Now())], ignore_conflicts=True)


def is_steady() -> bool:
    """Whether silence means anything: everybody has had `STEADY_S` to be heard of."""
    since = Now() - timedelta(seconds=STEADY_S)
    fresh = Now() - timedelta(seconds=GAP_S)
    return Pulse.objects.filter(steady_since__lt=since, beat_at__gt=fresh).exists()


def database_time() -> datetime:
    """By the database's clock, which is the same for every process. Call it after `beat`."""
    return Pulse.objects.annotate(now=Now()).values_list("now", flat=True).get()
