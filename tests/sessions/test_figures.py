"""What a call leaves in the figures of its process."""

import asyncio

from sessions.live.figures import REGISTRY, STAGES
from tests.live_server import LiveServer
from tests.sessions.people import Person
from tests.sessions.speech import spoken
from tests.sessions.tier_client import bearer_socket, tier_socket

FIRST_S = 60.0


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"troupe_{name}", labels) or 0.0


async def test_a_call_is_counted_from_its_beginning_to_its_end_with_every_stage_of_its_answer(alice: Person) -> None:
    begun, ended = _value("sessions_begun_total"), _value("sessions_ended_total", reason="ended")
    sockets, resumes = _value("sockets"), _value("resumes_total", where="here")
    stages = {stage: _value("answer_stage_seconds_count", stage=stage) for stage in STAGES}
    call = await asyncio.to_thread(alice.begin)
    async with tier_socket(call["url"], call["token"], alice.origin) as client:
        await client.expect("troupe.session.ready")
        await client.expect("response.done", FIRST_S)
        assert _value("sessions_begun_total") == begun + 1
        assert _value("sockets") >= sockets + 1
        await client.speak(spoken("what is your name"), silence_s=1.5)
        await client.expect("troupe.latency")
        await client.expect("response.done")
        last = client.last_sequence
        client.socket.transport.abort()
    again = await asyncio.to_thread(alice.resume, call["session_id"])
    async with tier_socket(again["url"], again["token"], alice.origin, after=last) as client:
        await client.expect("troupe.session.ready")
        assert _value("resumes_total", where="here") == resumes + 1
        await client.send({"type": "troupe.end"})
        await client.closed()
    assert _value("sessions_ended_total", reason="ended") == ended + 1
    for stage in STAGES:
        assert _value("answer_stage_seconds_count", stage=stage) > stages[stage], stage


async def test_a_refusal_is_counted_by_its_code(house: LiveServer, guest: Person) -> None:
    unknown = _value("refusals_total", code="not_authenticated")
    async with bearer_socket(house.socket_url, "tk_wrong", "model=brief") as client:
        assert await client.closed() == 4401
    assert _value("refusals_total", code="not_authenticated") == unknown + 1
    nobody = _value("refusals_total", code="no_such_character")
    answer = await asyncio.to_thread(guest.http.post, "/sessions/", json={"character": "nobody"})
    assert answer.status_code == 404
    assert _value("refusals_total", code="no_such_character") == nobody + 1
