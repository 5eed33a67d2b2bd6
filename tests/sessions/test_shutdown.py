"""A server that stops says so; one that crashed is tidied up after."""

import asyncio
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from websockets.exceptions import InvalidStatus

from accounts.models import User
from characters.models import Character
from sessions.live.registry import live_sessions
from sessions.models import ClientSecret, Turn, VoiceSession
from sessions.services import session_sweep
from tests.sessions.people import Person
from tests.sessions.tier_client import bearer_socket, tier_socket


async def test_at_shutdown_clients_are_told_and_what_was_said_is_stored(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    key = await asyncio.to_thread(alice.api_key)
    try:
        async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
            await client.expect("response.done", 60)
            await client.say_typed("count slowly")
            await client.expect("troupe.caption.word", where=lambda event: event["index"] == 5)
            await asyncio.to_thread(alice.server.call, live_sessions.drain())
            assert (await client.expect("troupe.session.closing"))["reason"] == "draining"
            assert await client.closed() == 1012
        with pytest.raises(InvalidStatus) as refused:
            await bearer_socket(alice.server.socket_url, key, "model=brief").__aenter__()
        assert refused.value.response.status_code == 503
    finally:
        live_sessions.open_again()
    session = await VoiceSession.objects.aget(pk=begun["session_id"])
    assert session.state == "live", "its client may come back, to this server or another"
    last = await Turn.objects.filter(session=session).order_by("-index").afirst()
    assert last is not None and last.interrupted and last.text.startswith("One is the first")
    await VoiceSession.objects.filter(pk=session.pk).aupdate(state="ended")


async def test_at_shutdown_a_client_that_cannot_come_back_has_ended(alice: Person) -> None:
    key = await asyncio.to_thread(alice.api_key)
    try:
        async with bearer_socket(alice.server.socket_url, key, "model=brief") as client:
            await client.expect("session.created")
            await asyncio.to_thread(alice.server.call, live_sessions.drain())
            assert await client.closed() == 1012
    finally:
        live_sessions.open_again()
    session = await VoiceSession.objects.filter(user=alice.user).alatest("created_at")
    assert (session.state, session.ended_reason) == ("ended", "draining")


def _session(state: str, seen_s_ago: float, **more: object) -> VoiceSession:
    character = Character.objects.get(slug="brief")
    assert character.current is not None
    at = timezone.now() - timedelta(seconds=seen_s_ago)
    session = VoiceSession.objects.create(
        character=character,
        version=character.current,
        guest_key="someone",
        state=state,
        started_at=None if state == "created" else at - timedelta(seconds=10),
        last_seen_at=None if state == "created" else at,
        **more,
    )
    VoiceSession.objects.filter(pk=session.pk).update(created_at=at)
    return session


def test_sessions_left_open_by_a_crash_are_closed_where_they_were_last_seen(alice: Person) -> None:
    lost, live = _session("live", 600), _session("live", 5)
    never, fresh = _session("created", 7_200), _session("created", 5)
    ClientSecret.objects.create(digest="old", expires_at=timezone.now() - timedelta(seconds=1))
    session_sweep()
    lost.refresh_from_db()
    assert (lost.state, lost.ended_reason) == ("ended", "lost")
    assert 9 < lost.duration_s < 11
    live.refresh_from_db()
    assert live.state == "live"
    assert not VoiceSession.objects.filter(pk=never.pk).exists()
    assert VoiceSession.objects.filter(pk=fresh.pk).exists()
    assert not ClientSecret.objects.filter(digest="old").exists()
    assert session_sweep() == 0
    VoiceSession.objects.filter(guest_key="someone").delete()


def test_the_admin_shows_conversations_and_changes_none(alice: Person) -> None:
    session = _session("ended", 60, ended_at=timezone.now())
    Turn.objects.create(
        session=session,
        index=1,
        item_id="i",
        speaker="user",
        text="my secret",
        started_ms=0,
        ended_ms=1,
        response_ms=210,
    )
    assert alice.user is not None
    User.objects.filter(pk=alice.user.pk).update(is_staff=True, is_superuser=True)
    admin = Client()
    admin.force_login(User.objects.get(pk=alice.user.pk))
    listed = admin.get("/admin/voice_sessions/voicesession/", {"q": str(session.pk)})
    assert listed.status_code == 200 and b"210" in listed.content
    place = f"/admin/voice_sessions/voicesession/{session.pk}/change/"
    shown = admin.get(place)
    assert shown.status_code == 200 and b"my secret" in shown.content
    assert b"someone" not in shown.content, "a guest's key is nobody's business"
    assert admin.post(place, {"state": "live"}).status_code == 403
    found = admin.get("/admin/voice_sessions/voicesession/", {"q": "secret"})
    assert str(session.pk).encode() not in found.content
    VoiceSession.objects.filter(guest_key="someone").delete()
