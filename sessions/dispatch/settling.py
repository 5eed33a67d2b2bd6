"""The end of a lease: written once, with its reason."""

from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from sessions.models import Lease

OPEN = ~Q(state=Lease.State.SETTLED)


def settle(leases: QuerySet[Lease], *, reason: str, skip_locked: bool = False) -> int:
    """Settles those that are open; returns how many.

    `skip_locked` leaves alone what somebody is renewing this moment. Rows are locked in the order of their ids, as
    everywhere, so that two who settle or renew many wait for each other and do not block each other for good.
    """
    with transaction.atomic():
        open_ids = locked_ids(leases, skip_locked=skip_locked)
        if not open_ids:
            return 0
        return Lease.objects.filter(pk__in=open_ids).update(
            state=Lease.State.SETTLED, settled_at=Now(), settled_reason=reason
        )


def locked_ids(leases: QuerySet[Lease], *, skip_locked: bool = False) -> list[UUID]:
    """The open ones among them, locked until the transaction ends."""
    locked = leases.filter(OPEN).select_for_update(skip_locked=skip_locked).order_by("pk")
    return list(locked.values_list("pk", flat=True))
