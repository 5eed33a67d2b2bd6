"""What happens when several want the same thing at the same moment: the row decides, once.

Threads with connections of their own, on whichever database the suite runs on.
"""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models.functions import Now

from inference.client import Ticket
from sessions import dispatch, services
from sessions.dispatch import sweep
from sessions.errors import Fenced, Full, Held, NotAuthenticated
from sessions.models import Lease, Turn, VoiceSession
from tests.sessions.dispatch_rows import (
    all_at_once,
    announce,
    database_was_up_for,
    live_session,
    new_session,
    reserve,
)

pytestmark = pytest.mark.usefixtures("no_workers")

NOTHING = {"heard_s": 0.0, "user_s": 0.0}
ROUNDS = 5


def _kinds(results: list[Any]) -> dict[str, int]:
    names = [type(each).__name__ for each in results]
    return {name: names.count(name) for name in sorted(set(names))}


@pytest.mark.parametrize("slots", [[3], [2, 1, 2]])
def test_many_who_reserve_at_once_get_exactly_the_slots_there_are(slots: list[int]) -> None:
    for number, each in enumerate(slots):
        announce(f"w{number}", slots=each)
    sessions = [new_session() for _ in range(12)]
    results = all_at_once(partial(reserve, each) for each in sessions)
    assert _kinds(results) == {"Full": 12 - sum(slots), "Ticket": sum(slots)}
    tickets = [each for each in results if isinstance(each, Ticket)]
    for number, each in enumerate(slots):
        assert sum(ticket.worker == f"w{number}" for ticket in tickets) == each
    with pytest.raises(Full):
        reserve()


def test_slots_that_come_and_go_are_never_promised_twice() -> None:
    announce("w", slots=3)

    def come_and_go() -> int:
        most = 0
        for _ in range(6):
            try:
                ticket = reserve()
            except Full:
                continue
            dispatch.confirm(ticket)
            most = max(most, Lease.objects.exclude(state="settled").count())
            dispatch.release(ticket)
        return most

    results = all_at_once([come_and_go] * 6)
    assert all(isinstance(each, int) and each <= 3 for each in results), results
    assert max(results) >= 1
    assert not Lease.objects.exclude(state="settled").exists()


def test_of_two_processes_that_start_a_conversation_one_does() -> None:
    for _ in range(ROUNDS):
        session = new_session()
        results = all_at_once(
            partial(services.session_hold, session_id=session.pk, holder=name, url=name)
            for name in ("web-1", "web-2", "web-3", "web-4")
        )
        assert _kinds(results) == {"Held": 3, "int": 1}
        losers = {each.holder for each in results if isinstance(each, Held)}
        assert losers == {VoiceSession.objects.get(pk=session.pk).holder}


def test_of_two_processes_that_take_a_dead_one_over_one_does() -> None:
    for _ in range(ROUNDS):
        session, fence = live_session("web-dead")
        results = all_at_once(
            partial(services.session_hold, session_id=session.pk, holder=name, url=name, over=fence)
            for name in ("web-1", "web-2", "web-3")
        )
        assert _kinds(results) == {"Held": 2, "int": 1}
        assert VoiceSession.objects.get(pk=session.pk).holder_fence == fence + 1


def test_of_two_sockets_with_one_token_one_opens() -> None:
    for _ in range(ROUNDS):
        token = services.token_issue(session=new_session())
        results = all_at_once([partial(services.session_open, token=token)] * 4)
        assert _kinds(results) == {"NotAuthenticated": 3, "VoiceSession": 1}, results
        assert all(isinstance(each, NotAuthenticated | VoiceSession) for each in results)


def test_of_many_ends_one_counts() -> None:
    for _ in range(ROUNDS):
        session, fence = live_session()
        reasons = ["farewell", "ended", "idle", "limit"]
        finish = partial(services.session_finish, session_id=session.pk, user_s=0.0, fence=fence)
        results = all_at_once(partial(finish, reason=each, heard_s=float(len(each))) for each in reasons)
        assert results == [None] * 4
        session.refresh_from_db()
        assert session.heard_seconds == len(session.ended_reason)


def test_a_turn_is_written_by_the_old_holder_or_refused_but_never_after_the_take_over() -> None:
    """What the new holder reads after it took over is all there will be of the old one."""
    turn = {"item_id": "i", "speaker": "user", "text": "t", "started_ms": 0, "ended_ms": 1}
    for _ in range(ROUNDS):
        session, fence = live_session("web-1")

        def take_over(session: VoiceSession = session, fence: int = fence) -> int:
            services.session_hold(session_id=session.pk, holder="web-2", url="", over=fence)
            return Turn.objects.filter(session=session).count()

        record = partial(services.turn_record, session_id=session.pk, fields=turn, fence=fence)
        writes = [partial(record, index=index) for index in range(5)]
        seen, *written = all_at_once([take_over, *writes])
        assert seen == Turn.objects.filter(session=session).count()
        assert all(isinstance(each, Turn | Fenced) for each in written), written
        assert seen == sum(isinstance(each, Turn) for each in written)


def test_a_lease_is_renewed_or_swept_and_its_holder_knows_which() -> None:
    for _ in range(ROUNDS):
        announce("w", slots=40)
        session, _fence = live_session("web-1")
        ids = [reserve(session).lease for _ in range(6)]
        Lease.objects.filter(pk__in=ids).update(expires_at=Now() - timedelta(seconds=1))
        database_was_up_for(60)
        renewed, *_swept = all_at_once([partial(dispatch.renew, ids, "web-1"), sweep, sweep])
        assert isinstance(renewed, frozenset), renewed
        still_open = {each.hex for each in Lease.objects.exclude(state="settled").values_list("pk", flat=True)}
        assert renewed == still_open & set(ids)
        Lease.objects.all().delete()


def test_a_conversation_is_resumed_or_swept_never_both() -> None:
    for _ in range(ROUNDS):
        session, _fence = live_session("web-dead")
        VoiceSession.objects.filter(pk=session.pk).update(holder_expires_at=Now() - timedelta(hours=1))
        database_was_up_for(60)
        resume = partial(services.session_hold, session_id=session.pk, holder="web-2", url="")
        resumed, *_swept = all_at_once([resume, sweep, sweep])
        session.refresh_from_db()
        if isinstance(resumed, int):
            assert (session.state, session.holder) == ("live", "web-2")
        else:
            assert type(resumed).__name__ == "SessionOver" and session.state == "ended"


def test_announcements_reservations_renewals_and_sweeps_do_not_block_each_other_for_good() -> None:
    names = ["w0", "w1", "w2"]
    for name in names:
        announce(name, slots=30)
    session, fence = live_session("web-1")
    database_was_up_for(60)

    def web() -> None:
        for _ in range(5):
            tickets = [reserve(session), reserve(session)]
            dispatch.confirm(tickets[0])
            dispatch.renew_holds(
                holder="web-1", fences={str(session.pk): fence}, leases=[each.lease for each in tickets]
            )
            for each in tickets:
                dispatch.release(each)

    def worker(name: str) -> None:
        for _ in range(10):
            mine = Lease.objects.filter(worker=name).exclude(state="settled").values_list("pk", flat=True)
            announce(name, slots=30, leases=[each.hex for each in mine])

    def sweeper() -> None:
        for _ in range(10):
            sweep()

    results = all_at_once([web, sweeper, sweeper, *(partial(worker, name) for name in names)])
    assert results == [None] * 6


def test_a_drain_and_a_reservation_do_not_miss_each_other() -> None:
    """Once `drain` has returned, nobody is sent there any more."""
    for _ in range(ROUNDS):
        announce("w", slots=50)
        drained: list[int] = []

        def drain(drained: list[int] = drained) -> None:
            dispatch.drain(worker_id="w")
            drained.append(Lease.objects.count())

        all_at_once([drain, *[reserve] * 5])
        assert Lease.objects.count() == drained[0]
        dispatch.drain(worker_id="w", wanted=False)
        Lease.objects.all().delete()
