"""Who may open a socket, and how everybody else is turned away."""

import asyncio
import json
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings
from websockets.asyncio.client import connect

from sessions.models import ClientSecret, VoiceSession
from tests.sessions.people import Person
from tests.sessions.tier_client import tier_socket


async def _refusal(url: str, *, protocols: list[str], origin: str | None = None, **headers: str) -> tuple[int, str]:
    """Close code and error code of a socket that is turned away."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    async with connect(url, subprotocols=protocols or None, origin=origin, additional_headers=more) as socket:  # type: ignore[arg-type]
        event = json.loads(await asyncio.wait_for(socket.recv(), 10))
        await asyncio.wait_for(socket.wait_closed(), 10)
        assert event["type"] == "error"
        return socket.close_code or 0, event["error"]["code"]


async def test_nobody_enters_without_key_or_token(alice: Person) -> None:
    cookie = f"sessionid={alice.http.cookies['sessionid']}"
    url = f"{alice.server.socket_url}?model=brief"
    refused = await _refusal(url, protocols=["realtime"], origin=alice.origin, Cookie=cookie)
    assert refused == (4401, "not_authenticated"), "a cookie alone opens nothing"


async def test_a_wrong_key_is_not_helped_by_a_good_cookie(alice: Person) -> None:
    cookie = f"sessionid={alice.http.cookies['sessionid']}"
    url = f"{alice.server.socket_url}?model=brief"
    for key in ("tk_wrong", "ek_wrong", "sk-wrong", ""):
        refused = await _refusal(url, protocols=[], Authorization=f"Bearer {key}", Cookie=cookie)
        assert refused == (4401, "not_authenticated")


async def test_a_revoked_key_and_a_locked_account_open_nothing(alice: Person) -> None:
    key = await asyncio.to_thread(alice.api_key)
    url = f"{alice.server.socket_url}?model=brief"
    assert alice.user is not None
    await alice.user.api_keys.aupdate(revoked_at=timezone.now())
    assert (await _refusal(url, protocols=[], Authorization=f"Bearer {key}"))[0] == 4401
    await alice.user.api_keys.aupdate(revoked_at=None)
    alice.user.is_active = False
    await alice.user.asave()
    assert (await _refusal(url, protocols=[], Authorization=f"Bearer {key}"))[0] == 4401


async def test_a_token_from_a_foreign_page_is_refused(alice: Person) -> None:
    for origin in ("https://evil.example", None, "null"):
        begun = await asyncio.to_thread(alice.begin)
        protocols = ["realtime", "troupe.v1", f"troupe-token.{begun['token']}"]
        assert await _refusal(begun["url"], protocols=protocols, origin=origin) == (4403, "not_allowed")


async def test_a_token_works_once(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        assert client.socket.subprotocol == "realtime"
        await client.expect("troupe.session.ready")
        protocols = ["realtime", "troupe.v1", f"troupe-token.{begun['token']}"]
        assert (await _refusal(begun["url"], protocols=protocols, origin=alice.origin))[0] == 4401
        await client.say_typed("who are you")
        await client.expect("response.created")


async def test_a_token_expires(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    await VoiceSession.objects.filter(pk=begun["session_id"]).aupdate(
        token_expires_at=timezone.now() - timedelta(seconds=1)
    )
    protocols = ["realtime", "troupe.v1", f"troupe-token.{begun['token']}"]
    assert (await _refusal(begun["url"], protocols=protocols, origin=alice.origin))[0] == 4401


async def test_bob_and_a_guest_cannot_resume_what_alice_began(alice: Person, bob: Person, guest: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    for stranger in (bob, guest):
        response = await asyncio.to_thread(stranger.http.post, f"/sessions/{begun['session_id']}/resume/")
        assert response.status_code == 404
    key = await asyncio.to_thread(bob.api_key)
    url = f"{bob.server.socket_url}?session={begun['session_id']}&tier=troupe"
    assert await _refusal(url, protocols=[], Authorization=f"Bearer {key}") == (4404, "no_such_session")


async def test_a_character_that_is_not_there_is_said_so(alice: Person) -> None:
    key = await asyncio.to_thread(alice.api_key)
    for model in ("nobody", "", "../brief"):
        url = f"{alice.server.socket_url}?model={model}"
        refused = await _refusal(url, protocols=[], Authorization=f"Bearer {key}")
        assert refused == (4404, "no_such_character")
    response = await asyncio.to_thread(alice.http.post, "/sessions/", json={"character": "nobody"})
    assert response.status_code == 404


async def test_a_page_needs_its_csrf_token_to_begin(alice: Person) -> None:
    response = await asyncio.to_thread(
        alice.http.post, "/sessions/", json={"character": "brief"}, headers={"X-CSRFToken": "wrong"}
    )
    assert response.status_code == 403


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"character": 3}', b'{"character": ""}', b"\xff" * 10])
def test_a_request_that_makes_no_sense_is_answered_in_words(alice: Person, body: bytes) -> None:
    response = alice.http.post("/sessions/", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400 and response.json()["error"]["message"]


async def test_a_guest_gets_a_short_lived_key_for_a_browser_client(guest: Person) -> None:
    answer = await asyncio.to_thread(guest.http.post, "/v1/realtime/client_secrets", json={})
    key = answer.json()["value"]
    protocols = ["realtime", f"openai-insecure-api-key.{key}"]
    async with connect(f"{guest.server.socket_url}?model=brief", subprotocols=protocols) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == "realtime"
        assert json.loads(await socket.recv())["type"] == "session.created"
    await ClientSecret.objects.aupdate(expires_at=timezone.now())
    assert (await _refusal(f"{guest.server.socket_url}?model=brief", protocols=protocols))[0] == 4401


def test_a_persons_cookie_makes_no_short_lived_key_without_the_csrf_token(alice: Person) -> None:
    wrong = alice.http.post("/v1/realtime/client_secrets", json={}, headers={"X-CSRFToken": "wrong"})
    right = alice.http.post("/v1/realtime/client_secrets", json={})
    assert (wrong.status_code, right.status_code) == (401, 200)


def test_a_short_lived_key_for_settings_that_make_no_sense_is_refused(alice: Person) -> None:
    for body in (
        {"session": {"output_modalities": ["text", "audio"]}},
        {"session": {"audio": {"output": {"voice": "nobody"}}}},
        {"session": {"model": "nobody"}},
        {"expires_after": {"seconds": 5}},
        {"session": 3},
    ):
        response = alice.http.post("/v1/realtime/client_secrets", json=body)
        assert response.status_code in (400, 404), body
        assert response.json()["error"]["message"]


async def test_where_guests_may_not_talk_they_are_told(guest: Person, settings: Settings) -> None:
    settings.GUESTS_MAY_TALK = False
    for path, body in (("/sessions/", {"character": "brief"}), ("/v1/realtime/client_secrets", {})):
        response = await asyncio.to_thread(guest.http.post, path, json=body)
        assert response.status_code == 403 and response.json()["error"]["code"] == "not_allowed"
