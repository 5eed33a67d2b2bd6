"""A process renews what it holds, and hears from the rows what is wanted of it."""

import asyncio

import pytest
from django.db import OperationalError
from django.utils import timezone

from sessions.dispatch import booking
from sessions.holding import holding
from sessions.live.registry import live_sessions
from sessions.models import Lease, VoiceSession
from tests.live_server import LiveServer
from tests.sessions.people import Person
from tests.sessions.tier_client import tier_socket


async def _look(server: LiveServer) -> None:
    """Earlier than it would by itself."""

    async def soon() -> None:
        holding.check_soon()

    await asyncio.to_thread(server.call, soon())


async def test_a_session_that_somebody_wants_ended_ends(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await client.expect("response.done", 60)
        await VoiceSession.objects.filter(pk=begun["session_id"]).aupdate(end_requested_at=timezone.now())
        await _look(alice.server)
        assert await client.closed() == 1000
    assert not await Lease.objects.filter(session__pk=begun["session_id"]).exclude(state="settled").aexists()


async def test_calls_go_on_while_their_holds_cannot_be_renewed(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def away(*_: object) -> None:
        loop.call_soon_threadsafe(tried.set)
        raise OperationalError("the database is away")

    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await client.expect("response.done", 60)
        with monkeypatch.context() as patched:
            patched.setattr(booking, "renew", away)
            await _look(alice.server)
            await asyncio.wait_for(tried.wait(), 10)
        before = await VoiceSession.objects.aget(pk=begun["session_id"])
        await client.say_typed("who are you")
        await client.expect("response.done", 30)
        await _look(alice.server)
        await asyncio.sleep(0.5)
        after = await VoiceSession.objects.aget(pk=begun["session_id"])
    assert before.holder_expires_at is not None and after.holder_expires_at is not None
    assert after.holder_expires_at > before.holder_expires_at, "renewed as soon as that was possible again"


async def test_a_place_that_dispatch_gave_away_is_left_for_another(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await client.expect("response.done", 60)
        live = live_sessions.get(begun["session_id"])
        assert live is not None and live.lease is not None
        lost = live.lease
        await Lease.objects.filter(pk=lost).aupdate(state="settled", settled_at=timezone.now())
        await _look(alice.server)
        await client.expect("troupe.session.moved", 20)
        assert live.lease is not None and live.lease != lost
        await client.say_typed("who are you")
        await client.expect("response.done", 30)
