"""How long, how many, how fast."""

import asyncio
import json
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings
from websockets.exceptions import InvalidStatus

from inference.client import connect
from scripts.cluster.stores import PrivateRedis
from sessions.models import VoiceSession
from tests.private_stores import redis_server
from tests.sessions.people import Person
from tests.sessions.tier_client import bearer_socket, tier_socket

__all__ = ["redis_server"]


def _error(response: object) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]  # type: ignore[attr-defined]


async def test_a_guest_is_told_when_the_time_is_used_up(guest: Person, settings: Settings) -> None:
    settings.GUEST_SECONDS_PER_DAY = 3
    begun = await asyncio.to_thread(guest.begin)
    async with tier_socket(begun["url"], begun["token"], guest.origin) as client:
        ready = await client.expect("troupe.session.ready")
        assert ready["remaining_s"] == 3
        closing = await client.expect("troupe.session.closing")
        assert closing["reason"] == "limit" and closing["message"]
        assert await client.closed() == 4429
    response = await asyncio.to_thread(guest.http.post, "/sessions/", json={"character": "brief"})
    assert _error(response) == (429, "limit_reached")
    assert response.json()["error"]["retry_after_s"] > 0


async def test_deleting_the_history_gives_a_guest_no_time_back(guest: Person, settings: Settings) -> None:
    settings.GUEST_SECONDS_PER_DAY = 2
    begun = await asyncio.to_thread(guest.begin)
    async with tier_socket(begun["url"], begun["token"], guest.origin) as client:
        assert await client.closed(60) == 4429
    await asyncio.to_thread(guest.http.post, f"/history/{begun['session_id']}/delete/")
    response = await asyncio.to_thread(guest.http.post, "/sessions/", json={"character": "brief"})
    assert _error(response) == (429, "limit_reached")


def test_a_guest_holds_only_so_many_conversations_at_once(guest: Person, settings: Settings) -> None:
    settings.GUEST_SESSIONS_AT_ONCE = 2
    guest.begin()
    guest.begin()
    assert _error(guest.http.post("/sessions/", json={"character": "brief"})) == (429, "limit_reached")
    VoiceSession.objects.update(token_expires_at=timezone.now() - timedelta(seconds=1))
    guest.begin()


@pytest.mark.parametrize("away", ["stopped", "standing still"])
def test_conversations_begin_while_the_cache_is_away(
    guest: Person, settings: Settings, redis_server: PrivateRedis, away: str
) -> None:
    options = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": redis_server.url(0), "OPTIONS": options}}
    settings.SESSIONS_PER_ADDRESS = 1
    settings.GUEST_SESSIONS_AT_ONCE = 10
    guest.begin()
    assert _error(guest.http.post("/sessions/", json={"character": "brief"})) == (429, "limit_reached")
    if away == "stopped":
        redis_server.child.stop()
    else:
        redis_server.child.pause()
    guest.begin()


def test_one_address_begins_only_so_many_conversations(guest: Person, settings: Settings) -> None:
    settings.SESSIONS_PER_ADDRESS = 3
    settings.GUEST_SESSIONS_AT_ONCE = 10
    for _ in range(3):
        guest.begin()
    another = Person(guest.server)
    response = another.http.post("/sessions/", json={"character": "brief"})
    assert _error(response) == (429, "limit_reached")
    assert 0 < int(response.headers["Retry-After"]) <= 600


async def test_a_session_in_which_nobody_speaks_ends(alice: Person, settings: Settings) -> None:
    settings.SESSION_IDLE_SECONDS = 1
    key = await asyncio.to_thread(alice.api_key)
    async with bearer_socket(alice.server.socket_url, key, "model=brief") as client:
        error = (await client.expect("error"))["error"]
        assert error["code"] == "session_idle"
        assert await client.closed() == 4408


async def test_a_session_has_a_longest_length(alice: Person, settings: Settings) -> None:
    settings.SESSION_MAX_SECONDS = 1
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        assert (await client.expect("troupe.session.closing"))["reason"] == "limit"
        assert await client.closed() == 4408


async def test_when_every_slot_is_taken_the_next_is_told_to_come_back(alice: Person) -> None:
    while connect().slots_free < connect().slots:
        await asyncio.sleep(0.05)  # sessions of earlier tests are still being stored
    key = await asyncio.to_thread(alice.api_key)
    opened = [bearer_socket(alice.server.socket_url, key, "model=brief") for _ in range(8)]
    clients = [await each.__aenter__() for each in opened]
    try:
        for client in clients:
            await client.expect("session.created", 30)
        with pytest.raises(InvalidStatus) as refused:
            await bearer_socket(alice.server.socket_url, key, "model=brief").__aenter__()
        answer = refused.value.response
        assert answer.status_code == 503, "a program is told before its socket is accepted"
        assert int(answer.headers["Retry-After"]) > 0
        assert json.loads(answer.body)["error"]["code"] == "at_capacity"
        response = await asyncio.to_thread(alice.http.post, "/sessions/", json={"character": "brief"})
        assert _error(response) == (503, "at_capacity")
        assert int(response.headers["Retry-After"]) > 0
    finally:
        for each in opened:
            await each.__aexit__(None, None, None)
