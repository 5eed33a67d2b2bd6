"""Whatever a client sends: each bad message gets an error that names it, and the session goes on or closes by name."""

import asyncio
import base64
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from inference.protocol import HEADER_BYTES, Packet, PacketKind, pack
from sessions.realtime.troupe import TIER_EVENTS
from tests.sessions import ga_checker
from tests.sessions.people import Person
from tests.sessions.tier_client import bearer_socket

NAMED_CODES = {1000, 1009, 4400}
PROBE = "the-probe"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
VALID: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"type": "realtime", "instructions": "Be kind."}},
    {"type": "session.update", "session": {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}},
    {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(960)).decode()},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
    },
    {"type": "conversation.item.truncate", "item_id": "item_x", "content_index": 0, "audio_end_ms": 100},
    {"type": "conversation.item.delete", "item_id": "item_x"},
    {"type": "conversation.item.retrieve", "item_id": "item_x"},
    {"type": "response.create", "response": {"metadata": {"a": "b"}, "output_modalities": ["text"]}},
    {"type": "response.cancel"},
    {"type": "output_audio_buffer.clear"},
    {"type": "troupe.playback.ack", "response_id": "resp_x", "played_ms": 100},
    {"type": "troupe.style.set", "style": "whisper"},
    {"type": "troupe.voice.set", "voice": "ember"},
    {"type": "troupe.activity.start", "activity": "pebble"},
    {"type": "troupe.ping", "t": 1},
]


def _steps(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside."""
    paths = [path] if path else []
    if isinstance(value, dict):
        return paths + [each for key, inner in value.items() for each in _steps(inner, (*path, key))]
    if isinstance(value, list):
        return paths + [each for key, inner in enumerate(value) for each in _steps(inner, (*path, key))]
    return paths


@st.composite
def damaged_events(draw: st.DrawFn) -> str:
    """A good event with one value replaced, removed or cut."""
    event = json.loads(json.dumps(draw(st.sampled_from(VALID))))
    *way, last = draw(st.sampled_from(_steps(event)))
    place = event
    for step in way:
        place = place[step]
    match draw(st.sampled_from(["replace", "remove", "cut"])):
        case "remove" if isinstance(place, dict):
            del place[last]
        case "cut" if isinstance(place[last], str):
            place[last] = place[last][: draw(st.integers(0, len(place[last])))]
        case _:
            place[last] = draw(json_values)
    return json.dumps(event)


def _is_no_event(message: str | bytes) -> bool:
    """Surely bad: no JSON object with the type of an event that exists."""
    if isinstance(message, bytes):
        return True
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return True
    return not (isinstance(value, dict) and isinstance(value.get("type"), str) and value["type"] in TIER_EVENTS)


messages = st.lists(
    st.one_of(
        json_values.map(json.dumps),
        st.text(max_size=60).filter(lambda text: text < "\ud800" or text.isascii()),
        st.binary(max_size=80).filter(lambda data: len(data) < HEADER_BYTES or data[:2] != b"\x01\x01"),
        damaged_events(),
        st.sampled_from(VALID).map(json.dumps),
    ),
    min_size=1,
    max_size=10,
)


async def _throw(url: str, key: str, thrown: list[str | bytes]) -> None:
    events: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(f"{url}?model=brief&tier=troupe", additional_headers=headers, max_queue=None) as socket:
        alive = await _send_all(socket, thrown, events)
        errors = [event["error"] for event in events if event["type"] == "error"]
        if alive:
            assert len(errors) > sum(map(_is_no_event, thrown)), "a bad message went without an error"
        assert all(error["message"] and error["code"] for error in errors)
        assert not [error for error in errors if error["type"] == "server_error"], errors
        if not alive:
            assert socket.close_code in NAMED_CODES
    ga_checker.check(events, tier=True)


async def _send_all(socket: ClientConnection, thrown: list[str | bytes], events: list[dict[str, Any]]) -> bool:
    """Whether the session answers a probe after all of it."""
    try:
        for message in thrown:
            await socket.send(message)
        await socket.send(json.dumps({"type": "conversation.item.retrieve", "item_id": "none", "event_id": PROBE}))
        async with asyncio.timeout(10):
            while True:
                received = await socket.recv()
                if isinstance(received, bytes):
                    continue
                events.append(json.loads(received))
                if events[-1]["type"] == "error" and events[-1]["error"]["event_id"] == PROBE:
                    return True
    except ConnectionClosed:
        return False


@pytest.fixture
def key(alice: Person) -> str:
    return alice.api_key()


def test_no_message_breaks_the_session_or_the_server(alice: Person, key: str) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(messages)
    def throw(thrown: list[str | bytes]) -> None:
        asyncio.run(_throw(alice.server.socket_url, key, thrown))

    throw()
    asyncio.run(_a_good_session_works(alice, key))


async def _a_good_session_works(alice: Person, key: str) -> None:
    async with bearer_socket(alice.server.socket_url, key, "model=brief&tier=troupe") as client:
        await client.expect("response.done", 60)
        await client.say_typed("who are you")
        done = await client.expect("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "I am Brief."


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ("{", "invalid_json", None),
        ("[]", "invalid_json", None),
        ("NaN", "invalid_json", None),
        ("[" * 100_000, "invalid_json", None),
        ("1" * 5_000, "invalid_json", None),
        ('{"event_id": "e"}', "missing_required_parameter", "type"),
        ('{"type": "no.such", "event_id": "e"}', "unknown_event", "type"),
        ('{"type": "input_audio_buffer.append", "event_id": "e"}', "missing_required_parameter", "audio"),
        ('{"type": "input_audio_buffer.append", "audio": "AAA", "event_id": "e"}', "invalid_value", "audio"),
        ('{"type": "input_audio_buffer.append", "audio": "AAAA", "event_id": "e"}', "invalid_value", "audio"),
        ('{"type": "session.update", "session": 3, "event_id": "e"}', "invalid_value", "session"),
        (
            '{"type": "session.update", "session": {"audio": {"output": {"speed": 9}}}, "event_id": "e"}',
            "invalid_value",
            "session.audio.output.speed",
        ),
        (
            '{"type": "session.update", "session": {"output_modalities": ["audio", "text"]}, "event_id": "e"}',
            "invalid_value",
            "session.output_modalities",
        ),
        (
            '{"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}},'
            ' "event_id": "e"}',
            "invalid_value",
            "session.audio.input.format.type",
        ),
        (
            '{"type": "conversation.item.create", "item": {"type": "message", "role": "user",'
            ' "content": [{"type": "input_text", "text": "\\ud800"}]}, "event_id": "e"}',
            "invalid_value",
            "item.message.content.0.text",
        ),
        (
            '{"type": "conversation.item.create", "item": {"type": "message", "role": "user",'
            ' "content": [{"type": "input_audio", "audio": "AAAA"}]}, "event_id": "e"}',
            "unsupported_content",
            "item.content.0",
        ),
        (
            '{"type": "response.create", "response": {"conversation": "none"}, "event_id": "e"}',
            "unsupported_value",
            "response.conversation",
        ),
        ('{"type": "troupe.ping", "t": 1, "event_id": "e"}', "unknown_event", "type"),
    ],
)
async def test_an_error_says_what_is_wrong_and_with_which_event(
    alice: Person, key: str, message: str, code: str, param: str | None
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(f"{alice.server.socket_url}?model=brief", additional_headers=headers) as socket:
        assert json.loads(await socket.recv())["type"] == "session.created"
        await socket.send(message)
        event = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert event["type"] == "error", event
        expected = (code, param, "e" if '"event_id"' in message else None)
        assert (event["error"]["code"], event["error"]["param"], event["error"]["event_id"]) == expected


async def test_binary_without_the_tier_is_an_error(alice: Person, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(f"{alice.server.socket_url}?model=brief", additional_headers=headers) as socket:
        await socket.recv()
        await socket.send(pack(Packet(PacketKind.AUDIO_IN, 0, 0, bytes(960))))
        assert json.loads(await socket.recv())["error"]["code"] == "binary_not_enabled"


async def test_too_many_bad_messages_close_the_socket(alice: Person, key: str) -> None:
    async with bearer_socket(alice.server.socket_url, key, "model=brief&tier=troupe") as client:
        for _ in range(40):
            await client.socket.send(b"junk")
        assert await client.closed() == 4400
        assert len(client.of("error")) >= 20


async def test_a_huge_message_closes_the_socket_by_name(alice: Person, key: str) -> None:
    for size in (1_100_000, 3_000_000):
        async with bearer_socket(alice.server.socket_url, key, "model=brief&tier=troupe") as client:
            await client.socket.send("x" * size)
            assert await client.closed() == 1009
