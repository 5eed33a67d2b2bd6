"""The echo lane: what measures the platform goes through the same doors."""

import asyncio

from pytest_django.fixtures import Settings

from tests.sessions import ga_checker
from tests.sessions.people import Person
from tests.sessions.tier_client import tier_socket


async def test_sound_comes_back_as_it_was_sent(alice: Person, settings: Settings) -> None:
    settings.INFERENCE_LANE = "echo"
    begun = await asyncio.to_thread(alice.begin)
    sound = bytes(range(240)) * 4 * 25
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await client.expect("response.done")
        await client.speak(sound, silence_s=0.2)
        await client.expect("troupe.response.started")
    ga_checker.check(client.events, tier=True)
    echoed = b"".join(packet.pcm for packet in client.packets)
    assert echoed[: len(sound)] == sound
