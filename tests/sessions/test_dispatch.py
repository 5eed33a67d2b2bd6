"""Which worker takes a stream, what its announcements settle, and what the sweeper calls dead."""

import time
from datetime import timedelta
from uuid import UUID

import pytest
from django.conf import settings
from django.db.models.functions import Now

from inference.client import stream_token
from sessions import dispatch
from sessions.dispatch import pulse, sweep
from sessions.errors import Fenced, Full, NoVoiceModel, SessionOver
from sessions.models import Lease, Pulse, VoiceSession, WorkerNode
from sessions.services import session_finish
from tests.sessions.dispatch_rows import announce, database_was_up_for, live_session, new_session, report, reserve

pytestmark = pytest.mark.usefixtures("no_workers")


def _lease(ticket_lease: str) -> Lease:
    return Lease.objects.get(pk=ticket_lease)


def _silence(worker: str, seconds: float) -> None:
    WorkerNode.objects.filter(pk=worker).update(heartbeat_at=Now() - timedelta(seconds=seconds))


def test_the_least_loaded_worker_that_can_play_it_is_chosen() -> None:
    announce("busy", slots=4, slots_open=1)
    announce("idle", slots=4)
    announce("idler-but-deaf", slots=40, languages=("zh",))
    announce("idler-but-mute", slots=40, lanes=("duplex",))
    assert [reserve().worker for _ in range(3)] == ["idle"] * 3
    assert reserve(language="zh-hans").worker == "idler-but-deaf"


def test_a_resumed_session_goes_back_to_its_worker_while_that_has_room() -> None:
    announce("warm", slots=4, slots_open=1)
    announce("cold", slots=4)
    assert reserve(sticky="warm").worker == "warm"
    assert reserve(sticky="warm").worker == "cold"


def test_a_worker_gets_no_more_than_it_says_it_would_take() -> None:
    announce("slow", slots=8, slots_open=2)
    reserve(), reserve()
    with pytest.raises(Full) as refused:
        reserve()
    assert refused.value.retry_after_s
    assert dispatch.capacity().slots_open == 0 and dispatch.capacity().slots == 8


def test_a_call_that_lost_its_worker_is_taken_where_a_new_one_would_be_too_much() -> None:
    announce("busy", slots=3, slots_open=0)
    session, fence = live_session()
    with pytest.raises(Full):
        reserve()
    ticket = reserve(session, holder_fence=fence)
    assert stream_token.read(settings.WORKER_KEY, ticket.token, worker="busy", now_s=time.time()).goes_on
    for _ in range(2):
        other, other_fence = live_session()
        reserve(other, holder_fence=other_fence)
    with pytest.raises(Full):
        reserve(session, holder_fence=fence)


def test_nobody_is_sent_to_a_worker_that_is_silent_drains_excluded_or_makes_clips() -> None:
    announce("silent")
    _silence("silent", 9)
    announce("draining", draining=True)
    announce("to-drain")
    dispatch.drain(worker_id="to-drain")
    announce("clips", purpose="batch")
    announce("dead")
    with pytest.raises(Full):
        reserve(exclude=["dead"])
    assert reserve().worker == "dead"


def test_a_worker_inside_another_process_is_out_of_reach() -> None:
    dispatch.worker_heartbeat(report("embedded-elsewhere").model_copy(update={"url": "embedded:", "leases": None}))
    assert dispatch.capacity().workers == 0
    with pytest.raises(Full):
        reserve()


def test_a_lane_that_no_worker_serves_is_said_so_and_no_worker_at_all_is_a_full_house() -> None:
    with pytest.raises(Full):
        reserve()
    announce("w")
    WorkerNode.objects.update(languages=["en"])
    with pytest.raises(NoVoiceModel):
        reserve(lane="duplex")
    with pytest.raises(NoVoiceModel):
        reserve(language="zh")
    assert dispatch.lanes_served() == {"composed"}


def test_a_refused_reservation_leaves_no_trace() -> None:
    session = new_session()
    with pytest.raises(Full):
        reserve(session)
    session.refresh_from_db()
    assert session.stream_fence == 0 and not Lease.objects.exists()


def test_the_token_lives_in_the_clock_of_its_worker() -> None:
    for worker, skew_s in (("behind", -60.0), ("ahead", 60.0)):
        WorkerNode.objects.all().delete()
        announce(worker, clock=time.time() + skew_s)
        ticket = reserve()
        claims = stream_token.read(settings.WORKER_KEY, ticket.token, worker=worker, now_s=time.time() + skew_s)
        assert (claims.session, claims.lease, claims.fence) == (ticket.session, ticket.lease, ticket.fence)
        assert claims.expires_s == pytest.approx(time.time() + skew_s + stream_token.LIFETIME_S, abs=2)


def test_each_stream_of_a_session_has_a_higher_number_and_the_newest_settles_the_others() -> None:
    announce("a"), announce("b")
    session, fence = live_session()
    first = reserve(session, holder_fence=fence)
    dispatch.confirm(first)
    second = reserve(session, exclude=[first.worker])
    assert (first.fence, second.fence) == (1, 2)
    assert _lease(first.lease).state == Lease.State.LIVE, "it is heard until the next one is open"
    dispatch.confirm(second)
    assert _lease(first.lease).settled_reason == "superseded"
    with pytest.raises(Fenced):
        dispatch.confirm(first)


def test_a_process_that_lost_the_session_reserves_nothing() -> None:
    announce("w")
    session, fence = live_session()
    with pytest.raises(Fenced):
        reserve(session, holder_fence=fence - 1)
    session_finish(session_id=session.pk, reason="ended", heard_s=0, user_s=0, fence=fence)
    with pytest.raises(SessionOver):
        reserve(session, holder_fence=fence)
    assert not Lease.objects.exists()


def test_a_slot_that_was_given_back_is_there_at_once() -> None:
    announce("w", slots=1)
    ticket = reserve()
    dispatch.confirm(ticket)
    announce("w", slots=1, leases=[ticket.lease])
    with pytest.raises(Full):
        reserve()
    dispatch.release(ticket)
    dispatch.release(ticket, "again")
    assert _lease(ticket.lease).settled_reason == "ended"
    reserve()
    with pytest.raises(Full):
        reserve()


def test_only_the_holder_of_a_session_renews_its_lease() -> None:
    announce("w")
    session, _fence = live_session("web-1")
    ticket = reserve(session)
    before = _lease(ticket.lease).expires_at
    assert dispatch.renew([ticket.lease], "web-2") == frozenset()
    assert dispatch.renew([ticket.lease], "web-1") == {ticket.lease}
    assert _lease(ticket.lease).expires_at > before
    dispatch.release(ticket)
    assert dispatch.renew([ticket.lease], "web-1") == frozenset()


def test_what_a_worker_announces_settles_what_it_has_ended_and_names_what_is_not_its_own() -> None:
    announce("w")
    kept, ended, fresh = reserve(), reserve(), reserve()
    for each in (kept, ended):
        dispatch.confirm(each)
    stranger = new_session().pk.hex
    orders = announce("w", leases=[kept.lease, ended.lease, stranger])
    assert orders.drop == (stranger,) and not orders.drain
    assert announce("w", leases=[kept.lease]).drop == ()
    assert _lease(ended.lease).settled_reason == "ended_at_worker"
    assert [_lease(each.lease).state for each in (kept, fresh)] == ["live", "reserved"]
    dispatch.release(kept)
    assert announce("w", leases=[kept.lease]).drop == (kept.lease,), "the web side has ended it"


def test_a_stream_that_ended_between_two_announcements_is_settled() -> None:
    announce("w")
    ticket = reserve()
    dispatch.confirm(ticket)
    announce("w")
    assert _lease(ticket.lease).state == Lease.State.LIVE, "it may just have been opened"
    Lease.objects.update(reserved_at=Now() - timedelta(seconds=6))
    announce("w")
    assert _lease(ticket.lease).settled_reason == "ended_at_worker"


def test_a_worker_that_was_started_again_has_none_of_its_streams() -> None:
    announce("w")
    ticket = reserve()
    dispatch.drain(worker_id="w")
    assert announce("w").drain
    assert not announce("w", incarnation="2").drain, "it is a new process"
    assert _lease(ticket.lease).settled_reason == "worker_restarted"
    assert reserve().worker == "w"


def test_an_announcement_that_was_overtaken_changes_nothing() -> None:
    late = report("w", slots_open=1)
    time.sleep(0.01)
    announce("w", incarnation="2")
    ticket = reserve()
    dispatch.worker_heartbeat(late)
    node = WorkerNode.objects.get()
    assert (node.incarnation, node.slots_open) == ("2", 4)
    assert _lease(ticket.lease).state == Lease.State.RESERVED


def test_the_sweeper_settles_what_ran_out_and_what_its_worker_took_along() -> None:
    announce("alive"), announce("dead")
    expired, kept, lost = reserve(sticky="alive"), reserve(sticky="alive"), reserve(sticky="dead")
    Lease.objects.filter(pk=expired.lease).update(expires_at=Now() - timedelta(seconds=1))
    _silence("dead", 9)
    database_was_up_for(60)
    assert sweep().leases == 2
    reasons = [_lease(each.lease).settled_reason for each in (expired, kept, lost)]
    assert reasons == ["expired", "", "worker_lost"]
    assert sweep().leases == 0


def test_after_an_outage_of_the_database_everybody_gets_time_to_be_heard_of() -> None:
    announce("w")
    session, fence = live_session()
    ticket = reserve(session)
    Lease.objects.update(expires_at=Now() - timedelta(seconds=60))
    VoiceSession.objects.update(holder_expires_at=Now() - timedelta(seconds=60))
    _silence("w", 60)
    Pulse.objects.update(beat_at=Now() - timedelta(seconds=60), steady_since=Now() - timedelta(hours=1))
    assert sweep() == dispatch.sweeping.Swept(), "the gap has just ended"
    assert not pulse.is_steady()
    renewed = dispatch.renew_holds(holder="web-1", fences={str(session.pk): fence}, leases=[ticket.lease])
    assert renewed == dispatch.Renewal()
    announce("w", leases=[ticket.lease])
    database_was_up_for(60)
    assert sweep() == dispatch.sweeping.Swept()


def test_a_conversation_that_nobody_came_back_to_is_ended_and_its_leases_settled() -> None:
    announce("w")
    (waited, _), (dead, _) = live_session("web-1"), live_session("web-2")
    ticket = reserve(dead)
    past = settings.SESSION_RESUME_SECONDS
    VoiceSession.objects.filter(pk=waited.pk).update(holder_expires_at=Now() - timedelta(seconds=past - 5))
    VoiceSession.objects.filter(pk=dead.pk).update(holder_expires_at=Now() - timedelta(seconds=past + 1))
    database_was_up_for(60)
    assert sweep().sessions == 1
    waited.refresh_from_db()
    dead.refresh_from_db()
    assert (waited.state, dead.state, dead.ended_reason) == ("live", "ended", "lost")
    assert dead.ended_at == dead.last_seen_at
    assert _lease(ticket.lease).settled_reason == "session_lost"


def test_one_whose_end_was_wanted_is_not_waited_for() -> None:
    session, _fence = live_session()
    VoiceSession.objects.update(holder_expires_at=Now() - timedelta(seconds=1), end_requested_at=Now())
    database_was_up_for(60)
    assert sweep().sessions == 1
    assert VoiceSession.objects.get(pk=session.pk).state == "ended"


def test_what_was_settled_long_ago_and_who_left_long_ago_is_forgotten() -> None:
    announce("w"), announce("gone")
    old, new = reserve(sticky="gone"), reserve(sticky="w")
    for each in (old, new):
        dispatch.release(each)
    Lease.objects.filter(pk=old.lease).update(settled_at=Now() - timedelta(days=2))
    _silence("gone", 7200)
    database_was_up_for(60)
    sweep()
    assert list(Lease.objects.values_list("pk", flat=True)) == [UUID(new.lease)]
    assert list(WorkerNode.objects.values_list("pk", flat=True)) == ["w"]
