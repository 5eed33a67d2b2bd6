"""A conversation lives in one process at a time: whoever lost it writes nothing more."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from sessions import dispatch, services
from sessions.errors import Fenced, Held, NoSession, SessionOver
from sessions.models import Turn, VoiceSession
from tests.sessions.dispatch_rows import announce, live_session, new_session, reserve

pytestmark = pytest.mark.usefixtures("no_workers")

TURN = {"item_id": "item_1", "speaker": "character", "text": "Once", "started_ms": 0, "ended_ms": 900}
NOTHING = {"heard_s": 0.0, "user_s": 0.0}


def _run_out(session: VoiceSession) -> None:
    VoiceSession.objects.filter(pk=session.pk).update(holder_expires_at=Now() - timedelta(seconds=1))


def test_a_held_conversation_names_its_holder() -> None:
    session, fence = live_session("web-1")
    for stranger in ("web-2", "web-1"):
        with pytest.raises(Held) as held:
            services.session_hold(session_id=session.pk, holder=stranger, url="")
        assert (held.value.holder, held.value.url, held.value.fence) == ("web-1", "http://web-1", fence)


def test_a_holder_that_does_not_answer_is_taken_over_once() -> None:
    session, fence = live_session("web-1")
    taken = services.session_hold(session_id=session.pk, holder="web-2", url="http://web-2", over=fence)
    assert taken == fence + 1
    with pytest.raises(Held) as held:
        services.session_hold(session_id=session.pk, holder="web-3", url="", over=fence)
    assert held.value.holder == "web-2"


def test_a_hold_that_ran_out_or_was_let_go_is_free() -> None:
    session, fence = live_session("web-1")
    _run_out(session)
    second = services.session_hold(session_id=session.pk, holder="web-2", url="http://web-2")
    services.session_let_go(session_id=session.pk, fence=fence)  # too late: it is another's
    with pytest.raises(Held):
        services.session_hold(session_id=session.pk, holder="web-3", url="")
    services.session_let_go(session_id=session.pk, fence=second)
    assert services.session_hold(session_id=session.pk, holder="web-3", url="") == second + 1


def test_a_hold_that_ran_out_is_renewed_unless_somebody_took_it() -> None:
    session, fence = live_session("web-1")
    _run_out(session)
    services.session_hold_renew(session_id=session.pk, fence=fence)
    with pytest.raises(Held):
        services.session_hold(session_id=session.pk, holder="web-2", url="")
    services.session_hold(session_id=session.pk, holder="web-2", url="", over=fence)
    with pytest.raises(Fenced):
        services.session_hold_renew(session_id=session.pk, fence=fence)


def test_what_is_over_or_unknown_is_held_by_nobody() -> None:
    session, fence = live_session()
    services.session_finish(session_id=session.pk, reason="ended", fence=fence, **NOTHING)
    with pytest.raises(SessionOver):
        services.session_hold(session_id=session.pk, holder="web-2", url="", over=fence)
    with pytest.raises(NoSession):
        services.session_hold(session_id=VoiceSession().pk, holder="web-2", url="")


def test_a_writer_with_an_old_fence_changes_nothing_and_learns_it() -> None:
    session, old = live_session("web-1")
    services.turn_record(session_id=session.pk, index=0, fields=TURN, fence=old)
    services.session_hold(session_id=session.pk, holder="web-2", url="", over=old)
    before = VoiceSession.objects.filter(pk=session.pk).values().get()
    writes = [
        lambda: services.session_begin(session_id=session.pk, fence=old),
        lambda: services.session_touch(session_id=session.pk, heard_s=9, user_s=9, fence=old),
        lambda: services.session_finish(session_id=session.pk, reason="ended", heard_s=9, user_s=9, fence=old),
        lambda: services.session_keep_mind(session_id=session.pk, state={"old": 1}, fence=old),
        lambda: services.turn_record(session_id=session.pk, index=0, fields=TURN | {"text": "old"}, fence=old),
        lambda: services.turn_record(session_id=session.pk, index=1, fields=TURN, fence=old),
        lambda: services.turn_amend(session_id=session.pk, item_id="item_1", text="old", fence=old),
    ]
    for write in writes:
        with pytest.raises(Fenced):
            write()
    assert VoiceSession.objects.filter(pk=session.pk).values().get() == before
    assert list(Turn.objects.values_list("index", "text", "interrupted")) == [(0, "Once", False)]


def test_the_holder_writes() -> None:
    session, fence = live_session()
    services.session_touch(session_id=session.pk, heard_s=2.5, user_s=1.5, fence=fence)
    services.turn_record(session_id=session.pk, index=0, fields=TURN, fence=fence)
    services.turn_record(session_id=session.pk, index=0, fields=TURN | {"text": "Once upon"}, fence=fence)
    services.turn_amend(session_id=session.pk, item_id="item_1", text="Once u", fence=fence)
    services.session_keep_mind(session_id=session.pk, state={"step": 3}, fence=fence)
    session.refresh_from_db()
    assert (session.heard_seconds, session.user_seconds, session.mind_state) == (2.5, 1.5, {"step": 3})
    assert list(Turn.objects.values_list("index", "text", "interrupted")) == [(0, "Once u", True)]


def test_a_second_end_is_harmless_and_the_first_one_counts() -> None:
    announce("w")
    session, fence = live_session()
    ticket = reserve(session)
    services.session_finish(session_id=session.pk, reason="farewell", heard_s=3, user_s=1, fence=fence)
    services.session_finish(session_id=session.pk, reason="ended", heard_s=0, user_s=0, fence=fence)
    session.refresh_from_db()
    assert (session.state, session.ended_reason, session.heard_seconds) == ("ended", "farewell", 3)
    assert session.leases.get(pk=ticket.lease).settled_reason == "session_ended"
    with pytest.raises(Fenced):
        services.session_touch(session_id=session.pk, heard_s=9, user_s=9, fence=fence)


def test_a_turn_that_was_heard_is_kept_also_when_the_conversation_was_called_lost() -> None:
    session, fence = live_session()
    VoiceSession.objects.update(state="ended", ended_reason="lost")
    services.turn_record(session_id=session.pk, index=0, fields=TURN, fence=fence)
    assert Turn.objects.count() == 1


def test_a_process_renews_everything_it_holds_in_one_go_and_learns_what_is_wanted() -> None:
    announce("w", slots=8)
    held = [live_session("web-1") for _ in range(4)]
    tickets = [reserve(session) for session, _fence in held]
    (kept, _), (wanted, _), (taken, old), (over, last) = held
    services.session_request_end(session_id=wanted.pk)
    services.session_hold(session_id=taken.pk, holder="web-2", url="", over=old)
    services.session_finish(session_id=over.pk, reason="ended", fence=last, **NOTHING)
    renewal = dispatch.renew_holds(
        holder="web-1",
        fences={str(session.pk): fence for session, fence in held},
        leases=[each.lease for each in tickets],
    )
    assert renewal.end_requested == {str(wanted.pk)}
    assert renewal.fenced == {str(taken.pk), str(over.pk)}
    assert renewal.lost_leases == {tickets[2].lease, tickets[3].lease}
    assert str(kept.pk) not in renewal.fenced


def test_only_a_live_conversation_can_be_asked_to_end() -> None:
    waiting = new_session()
    live, _fence = live_session()
    assert not services.session_request_end(session_id=waiting.pk)
    assert services.session_request_end(session_id=live.pk)
    first = VoiceSession.objects.get(pk=live.pk).end_requested_at
    assert services.session_request_end(session_id=live.pk)
    assert VoiceSession.objects.get(pk=live.pk).end_requested_at == first
