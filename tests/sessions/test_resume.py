"""A socket is lost, comes back, or is taken over; nothing that was said is lost."""

import asyncio

import pytest
from pytest_django.fixtures import Settings

from sessions.models import VoiceSession
from tests.sessions import ga_checker
from tests.sessions.people import Person
from tests.sessions.tier_client import TierClient, bearer_socket, tier_socket

LONG = "count slowly"


def _cut(client: TierClient) -> None:
    """The network goes away: no close frame, no farewell."""
    client.socket.transport.abort()


async def _talking(client: TierClient) -> None:
    await client.expect("response.done", 60)
    await client.say_typed(LONG)
    await client.expect("troupe.caption.word", where=lambda event: event["index"] == 4)


async def test_a_lost_socket_comes_back_and_misses_nothing(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as before:
        await _talking(before)
        _cut(before)
        await before.closed()
    seen = before.last_sequence
    await asyncio.sleep(1.0)
    again = await asyncio.to_thread(alice.resume, begun["session_id"])
    # As if the last twenty messages had never arrived.
    async with tier_socket(again["url"], again["token"], alice.origin, after=seen - 20) as after:
        ready = await after.expect("troupe.session.ready")
        assert ready["resumed"] is True
        await after.send({"type": "response.cancel"})
        await after.expect("response.done")
    known = dict(before.messages)
    overlap = [(number, message) for number, message in after.messages if number <= seen]
    assert [number for number, _message in overlap] == list(range(seen - 19, seen + 1))
    assert all(known[number] == message for number, message in overlap), "the replay is exact"
    numbers = [number for number, _message in after.messages]
    assert numbers == list(range(seen - 19, seen - 19 + len(numbers)))
    ga_checker.check([*before.events, *(event for event in after.events if event["sequence"] > seen)], tier=True)


async def test_what_was_said_while_the_socket_was_gone_is_replayed_as_sound(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as before:
        await _talking(before)
        _cut(before)
        await before.closed()
    await asyncio.sleep(1.5)
    again = await asyncio.to_thread(alice.resume, begun["session_id"])
    async with tier_socket(again["url"], again["token"], alice.origin, after=before.last_sequence) as after:
        await after.expect("troupe.session.ready")
    packets = [*before.packets, *after.packets]
    spoken = [packet for packet in packets if packet.response == 2]
    position = 0
    for packet in spoken:
        assert packet.position == position
        position += len(packet.pcm) // 2
    assert len(after.packets) > 25, "at least a second of sound was replayed"


async def test_a_second_socket_takes_the_conversation_over(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as first:
        await first.expect("response.done", 60)
        again = await asyncio.to_thread(alice.resume, begun["session_id"])
        async with tier_socket(again["url"], again["token"], alice.origin, after=first.last_sequence) as second:
            assert await first.closed() == 4409
            assert first.of("troupe.session.closing")[0]["reason"] == "replaced"
            await second.expect("troupe.session.ready")
            await second.say_typed("who are you")
            await second.expect("response.done")
    assert not second.of("troupe.session.closing")


async def test_a_conversation_nobody_comes_back_to_ends(alice: Person, settings: Settings) -> None:
    settings.SESSION_RESUME_SECONDS = 1
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await client.expect("response.done", 60)
        _cut(client)
    await asyncio.sleep(1.6)
    session = await VoiceSession.objects.aget(pk=begun["session_id"])
    assert (session.state, session.ended_reason) == ("ended", "abandoned")
    late = await asyncio.to_thread(alice.http.post, f"/sessions/{begun['session_id']}/resume/")
    assert late.status_code == 410 and late.json()["error"]["code"] == "session_over"


async def test_a_page_that_leaves_ends_the_conversation_at_once(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await client.expect("response.done", 60)
        await client.socket.close(1001)
    await asyncio.sleep(0.5)
    session = await VoiceSession.objects.aget(pk=begun["session_id"])
    assert (session.state, session.ended_reason) == ("ended", "ended")


@pytest.mark.parametrize("after", ["999999", "-1", "x"])
async def test_a_place_that_never_was_is_refused(alice: Person, after: str) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as first:
        await first.expect("response.created")
        again = await asyncio.to_thread(alice.resume, begun["session_id"])
        url = f"{again['url']}?after={after}"
        async with tier_socket(url, again["token"], alice.origin) as second:
            assert await second.closed() == 4400
            assert second.of("error")
        await first.say_typed("who are you")
        await first.expect("response.done", 60)


async def test_an_api_client_comes_back_with_its_key(alice: Person) -> None:
    key = await asyncio.to_thread(alice.api_key)
    async with bearer_socket(alice.server.socket_url, key, "model=brief&tier=troupe") as first:
        session_id = (await first.expect("troupe.session.ready"))["session_id"]
        await first.expect("response.done", 60)
        _cut(first)
        await first.closed()
    place = f"tier=troupe&session={session_id}&after={first.last_sequence}"
    async with bearer_socket(alice.server.socket_url, key, place) as second:
        assert (await second.expect("troupe.session.ready"))["resumed"] is True
