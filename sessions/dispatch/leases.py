"""A slot of a worker for a stream: promised, used, given back."""

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from inference.client import EMBEDDED_URL, Ticket
from inference.client.stream_token import issue
from sessions.dispatch import pulse
from sessions.dispatch.embedded import announce_embedded
from sessions.dispatch.load import (
    Load,
    load_of,
    loaded,
    serves,
    slots_free,
    slots_open,
    usable_workers,
    with_load,
)
from sessions.dispatch.settling import OPEN, locked_ids, settle
from sessions.dispatch.terms import LEASE_S, RESERVATION_S
from sessions.errors import Fenced, Full, NoVoiceModel, SessionOver
from sessions.live.closing import RETRY_AFTER_S
from sessions.models import Lease, VoiceSession, WorkerNode


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a stream needs of its worker."""

    lane: str
    language: str
    sticky: str
    exclude: Collection[str]
    goes_on: bool

    def room(self, worker: WorkerNode, load: Load) -> int:
        return slots_free(worker, load) if self.goes_on else slots_open(worker, load)


class _Lock(Enum):
    MINE = auto()
    FULL = auto()
    ANOTHERS = auto()
    """Or it cannot be used any more."""


def reserve(
    *,
    session_id: UUID | str,
    lane: str,
    language: str,
    sticky: str = "",
    exclude: Collection[str] = (),
    holder_fence: int | None = None,
) -> Ticket:
    """A slot for the session's next stream, on the least loaded worker that can play it; `sticky` goes first.

    A conversation that is live already, and has lost its worker or its process, may take any free slot; a new one only
    what the workers say they have time for.

    Raises `Full` when no worker has room, `NoVoiceModel` when none serves this lane and language, `SessionOver`, and
    `Fenced` when `holder_fence` is given and not the session's own any more.
    """
    announce_embedded()
    with transaction.atomic():
        fence, goes_on = _next_stream(session_id, holder_fence)
        worker = _choose(_Wish(lane, language, sticky, exclude, goes_on))
        return _lease(worker, UUID(str(session_id)), fence, goes_on)


def confirm(ticket: Ticket) -> None:
    """The stream is open: its lease is live, and those of the session's earlier streams are settled.

    Raises `Fenced` when the lease has been settled meanwhile: the stream must be closed.
    """
    with transaction.atomic():
        mine = Lease.objects.filter(pk=ticket.lease)
        if not mine.filter(OPEN).update(state=Lease.State.LIVE, expires_at=Now() + timedelta(seconds=LEASE_S)):
            raise Fenced(f"lease {ticket.lease} is settled")
        settle(Lease.objects.filter(session_id=UUID(ticket.session), fence__lt=ticket.fence), reason="superseded")


def renew(lease_ids: Iterable[str], holder: str) -> frozenset[str]:
    """Extends those that are open and whose session this process holds; returns them. The others are lost."""
    pulse.beat()
    with transaction.atomic():
        held = Q(session__in=VoiceSession.objects.filter(holder=holder))
        ids = locked_ids(Lease.objects.filter(held, pk__in=[UUID(each) for each in lease_ids]))
        Lease.objects.filter(pk__in=ids).update(expires_at=Now() + timedelta(seconds=LEASE_S))
    return frozenset(each.hex for each in ids)


def release(ticket: Ticket, reason: str = "ended") -> None:
    """The stream has ended. Idempotent."""
    settle(Lease.objects.filter(pk=ticket.lease), reason=reason[:20])


def _next_stream(session_id: UUID | str, holder_fence: int | None) -> tuple[int, bool]:
    """Its number, and whether the conversation is live already."""
    rows = VoiceSession.objects.filter(pk=session_id).exclude(state=VoiceSession.State.ENDED)
    mine = rows if holder_fence is None else rows.filter(holder_fence=holder_fence)
    # The row stays locked until the lease is written.
    if mine.update(stream_fence=F("stream_fence") + 1):
        fence, state = rows.values_list("stream_fence", "state").get()
        return fence, state == VoiceSession.State.LIVE
    if rows.exists():
        raise Fenced(f"session {session_id} has another holder")
    raise SessionOver("the conversation has ended")


def _choose(wish: _Wish) -> WorkerNode:
    """A worker with room, its row locked: nobody else promises its slots until the transaction ends."""
    workers = list(with_load(usable_workers()))
    able = [each for each in workers if serves(each, lane=wish.lane, language=wish.language)]
    if workers and not able:
        raise NoVoiceModel(f"no worker serves the {wish.lane} lane in {wish.language!r} here")
    with_room = [each for each in able if each.pk not in wish.exclude and wish.room(each, loaded(each)) > 0]
    # A random order among equals: processes that choose at the same time shall not all want the same row.
    with_room.sort(key=lambda each: (each.pk != wish.sticky, _share_taken(each), random.random()))
    locked_by_others: list[WorkerNode] = []
    for worker in with_room:
        match _lock(worker, wish, skip_locked=True):
            case _Lock.MINE:
                return worker
            case _Lock.ANOTHERS:
                locked_by_others.append(worker)
    for worker in locked_by_others:
        if _lock(worker, wish, skip_locked=False) is _Lock.MINE:
            return worker
    message = "all voices are taken" if workers else "the voice engine is starting"
    raise Full(f"{message}; try again in a moment", retry_after_s=RETRY_AFTER_S)


def _share_taken(worker: WorkerNode) -> float:
    return 1.0 - slots_open(worker, loaded(worker)) / max(1, worker.slots)


def _lock(worker: WorkerNode, wish: _Wish, *, skip_locked: bool) -> _Lock:
    """Locks its row if it has room. The lock of a full one is given back at once: whoever waits for a second row while
    it holds a first could wait for good."""
    before = transaction.savepoint()
    row = usable_workers().filter(pk=worker.pk).select_for_update(skip_locked=skip_locked).first()
    if row is not None and wish.room(row, load_of(row)) > 0:
        transaction.savepoint_commit(before)
        return _Lock.MINE
    transaction.savepoint_rollback(before)
    return _Lock.ANOTHERS if row is None else _Lock.FULL


def _lease(worker: WorkerNode, session_id: UUID, fence: int, goes_on: bool) -> Ticket:
    lease = Lease(session_id=session_id, worker=worker, fence=fence)
    lease.reserved_at = Now()
    lease.expires_at = Now() + timedelta(seconds=RESERVATION_S)
    lease.save(force_insert=True)
    session = str(session_id)
    return Ticket(worker.pk, worker.url, _token(worker, session, lease, goes_on), fence, lease.pk.hex, session)


def _token(worker: WorkerNode, session: str, lease: Lease, goes_on: bool) -> str:
    """Its times are the worker's: the clocks of two machines may differ by minutes."""
    if worker.url == EMBEDDED_URL:
        return ""
    now_s = pulse.database_time().timestamp() + worker.clock_offset_s
    return issue(
        settings.WORKER_KEY,
        worker=worker.pk,
        session=session,
        lease=lease.pk.hex,
        fence=lease.fence,
        now_s=now_s,
        goes_on=goes_on,
    )
