"""Settles what died. Any process may run it, any number at once."""

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.db.models.functions import Now

from sessions.dispatch import pulse
from sessions.dispatch.holding import end_lost_sessions
from sessions.dispatch.settling import settle
from sessions.dispatch.terms import KEPT_SETTLED_S, KEPT_SILENT_S, SILENT_S
from sessions.models import Lease, WorkerNode

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    leases: int = 0
    sessions: int = 0


def sweep() -> Swept:
    """Settles leases that ran out or whose worker fell silent, and ends conversations that nobody came back to.

    Does nothing until the database has been reachable for a while: silence proves nothing when nobody could speak.
    """
    pulse.beat()
    if not pulse.is_steady():
        return Swept()
    silent = WorkerNode.objects.filter(heartbeat_at__lt=Now() - timedelta(seconds=SILENT_S))
    leases = settle(Lease.objects.filter(worker__in=silent), reason="worker_lost", skip_locked=True)
    leases += settle(Lease.objects.filter(expires_at__lt=Now()), reason="expired", skip_locked=True)
    swept = Swept(leases, end_lost_sessions())
    _forget()
    if swept != Swept():
        logger.warning("settled %d leases and ended %d conversations that died", swept.leases, swept.sessions)
    return swept


def _forget() -> None:
    old = Now() - timedelta(seconds=KEPT_SETTLED_S)
    Lease.objects.filter(state=Lease.State.SETTLED, settled_at__lt=old).delete()
    gone = Now() - timedelta(seconds=KEPT_SILENT_S)
    WorkerNode.objects.filter(heartbeat_at__lt=gone, leases=None).delete()
