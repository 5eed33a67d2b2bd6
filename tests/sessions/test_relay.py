"""A socket that comes to another web process than the one that holds its conversation."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import jwt
import pytest
from django.conf import settings
from django.db import connection
from websockets.asyncio.client import connect

from sessions.models import VoiceSession
from sessions.relay import AUDIENCE, HEADER, Pass, pass_token
from tests.sessions.people import Person
from tests.sessions.tier_client import TierClient, tier_socket

START_LIMIT_S = 60.0


@dataclass(frozen=True)
class Neighbour:
    """A second web process over the same database, without a worker within its reach."""

    port: int

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/realtime"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def neighbour(troupe_server: object) -> Iterator[Neighbour]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = Path(settings.BASE_DIR)
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "TROUPE_VAR_DIR": str(settings.VAR_DIR),
        "SECRET_KEY": settings.SECRET_KEY,
        "PROCESS_URL": f"http://127.0.0.1:{port}",
    }
    command = [sys.executable, "manage.py", "web", "--port", str(port)]
    process = subprocess.Popen(command, cwd=here, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz", process)
        yield Neighbour(port)
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError("the second process did not start")


async def _dropped(person: Person) -> tuple[str, TierClient]:
    """A conversation on the first server whose socket was lost."""
    begun = await asyncio.to_thread(person.begin)
    async with tier_socket(begun["url"], begun["token"], person.origin) as client:
        await client.expect("response.done", 60)
        client.socket.transport.abort()
        await client.closed()
    return begun["session_id"], client


async def test_it_is_passed_through_to_the_process_that_holds_it(alice: Person, neighbour: Neighbour) -> None:
    session_id, before = await _dropped(alice)
    await VoiceSession.objects.filter(pk=session_id).aupdate(holder_url=alice.server.url)
    token = (await asyncio.to_thread(alice.resume, session_id))["token"]
    async with tier_socket(neighbour.socket_url, token, neighbour.origin, after=before.last_sequence) as after:
        ready = await after.expect("troupe.session.ready")
        assert (ready["resumed"], ready["rebuilt"]) == (True, False)
        assert ready["sequence"] == before.last_sequence + 1
        await after.say_typed("count slowly")
        await after.expect("troupe.caption.word", 20, where=lambda event: event["index"] == 3)
        assert len(after.packets) > 10, "sound comes through"
        await after.send({"type": "troupe.end"})
        assert await after.closed() == 1000, "and so does the close code"
    row = await VoiceSession.objects.aget(pk=session_id)
    assert (row.state, row.ended_reason) == ("ended", "ended")


async def test_a_page_that_leaves_through_another_process_has_left(alice: Person, neighbour: Neighbour) -> None:
    session_id, before = await _dropped(alice)
    await VoiceSession.objects.filter(pk=session_id).aupdate(holder_url=alice.server.url)
    token = (await asyncio.to_thread(alice.resume, session_id))["token"]
    async with tier_socket(neighbour.socket_url, token, neighbour.origin, after=before.last_sequence) as after:
        await after.expect("troupe.session.ready")
        await after.socket.close(1001)
    for _ in range(50):
        row = await VoiceSession.objects.aget(pk=session_id)
        if row.state == "ended":
            break
        await asyncio.sleep(0.1)
    assert (row.state, row.ended_reason) == ("ended", "ended")


async def test_a_holder_that_does_not_answer_is_taken_over_from(alice: Person, neighbour: Neighbour) -> None:
    """It has no worker to go on with, says so, and leaves the conversation to the next that tries: here the old holder,
    which does not know yet that it was taken over from."""
    session_id, before = await _dropped(alice)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        await VoiceSession.objects.filter(pk=session_id).aupdate(holder_url=url)
        fence = (await VoiceSession.objects.aget(pk=session_id)).holder_fence
        token = (await asyncio.to_thread(alice.resume, session_id))["token"]
        began_at = time.monotonic()
        async with tier_socket(neighbour.socket_url, token, neighbour.origin, after=before.last_sequence) as after:
            assert await after.closed(20) == 4503
            assert time.monotonic() - began_at < 5
    row = await VoiceSession.objects.aget(pk=session_id)
    assert row.state == "live" and row.holder_fence > fence
    again = await asyncio.to_thread(alice.resume, session_id)
    async with tier_socket(again["url"], again["token"], alice.origin, after=before.last_sequence) as home:
        await home.expect("troupe.session.ready")
        await home.say_typed("who are you")
        await home.expect("response.done", 30)


@pytest.mark.parametrize("key", ["", "another key that is as long as it must be"])
async def test_nobody_else_can_make_a_pass(alice: Person, key: str) -> None:
    session_id, _ = await _dropped(alice)
    token = pass_token(Pass(session_id, 1, True, None))
    claims = jwt.decode(token, options={"verify_signature": False}, audience=AUDIENCE)
    forged = jwt.encode({**claims, "aud": "troupe-web"}, settings.WORKER_KEY) if not key else jwt.encode(claims, key)
    async with connect(alice.server.socket_url, additional_headers={HEADER: forged}) as stranger:
        assert "not_authenticated" in str(await stranger.recv())
        await stranger.wait_closed()
        assert stranger.close_code == 4401
