"""Calls with a voice-language model over the real socket: tiny random checkpoints babble, all else is as always."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import expect

from characters.cast_file import read_cast_file
from characters.services import character_load
from inference import client as worker_client
from inference.ears.vad import VoiceDetector
from inference.mouth import open_espeak
from inference.protocol import FRAME_MS, FRAME_SAMPLES, Lane
from inference.worker.default_lanes import default_lanes
from inference.worker.embedded import start_worker, stop_worker
from inference.worker.lanes import LaneOpener
from inference.worker.voice_model import VoiceModelFiles, load_engine, model_lanes
from sessions.models import Turn
from tests.inference.model_calls import checkpoint_folders
from tests.inference.scripted_call import ToneEars
from tests.live_server import LiveServer
from tests.page.chromium import needs_chromium, visitor, wait_for_state
from tests.sessions import ga_checker
from tests.sessions.people import Person
from tests.sessions.speech import spoken
from tests.sessions.tier_client import TierClient, bearer_socket, tier_socket

ROOT = Path(__file__).resolve().parents[2]
BRIEF = Path(__file__).with_name("brief.yaml")


def _load_babbler(lane: str) -> None:
    character_load(cast=read_cast_file(BRIEF).model_copy(update={"slug": f"babbler-{lane}", "lane": lane}))


@contextmanager
def _worker_with(lanes: Mapping[Lane, LaneOpener]) -> Iterator[None]:
    """Another worker behind the running server."""
    before = worker_client.connect()
    worker = start_worker(lanes, slots=4)
    try:
        yield
    finally:
        stop_worker(worker)
        worker_client.attach(before)


def _model_lanes(choice: Any, *, autonomous: bool = False) -> dict[Lane, LaneOpener]:
    with checkpoint_folders(autonomous=autonomous) as (model, codec):
        engine = load_engine(VoiceModelFiles(str(model), str(codec), slots=2))
    ears = ToneEars()
    return default_lanes(ears=ears, mouth=open_espeak()) | model_lanes(engine, ears, VoiceDetector, choice)


@pytest.fixture
def duplex_person(house: LiveServer) -> Iterator[Person]:
    _load_babbler("duplex")
    with _worker_with(_model_lanes("auto", autonomous=True)):
        yield Person(house, "dora")


@pytest.fixture
def turn_person(house: LiveServer) -> Iterator[Person]:
    _load_babbler("turn")
    with _worker_with(_model_lanes("turn")):
        yield Person(house, "tom")


@pytest.fixture
def mouth_person(house: LiveServer) -> Iterator[Person]:
    with _worker_with(_model_lanes("mouth")):
        yield Person(house, "mona")


def _packets_of(client: TierClient, ordinal: int) -> list[Any]:
    return [packet for packet in client.packets if packet.response == ordinal]


async def test_a_duplex_model_talks_and_is_interrupted_over_the_socket(duplex_person: Person) -> None:
    begun = await asyncio.to_thread(duplex_person.begin, "babbler-duplex")
    async with tier_socket(begun["url"], begun["token"], duplex_person.origin) as client:
        ready = await client.expect("troupe.session.ready")
        assert ready["character"] == "babbler-duplex"
        started = await client.expect("troupe.response.started")
        speaking = asyncio.create_task(client.speak(spoken("hello there my friend"), silence_s=1.5))
        await client.expect("troupe.caption.word", where=lambda event: event["index"] == 2)
        await speaking
        await client.send({"type": "response.cancel"})
        flush = await client.expect("troupe.output.flush")
        done = await client.expect("response.done")
        assert done["response"]["id"] == started["response_id"] and done["response"]["status"] == "cancelled"
        assert flush["epoch"] == started["epoch"] + 1
        again = await client.expect("troupe.response.started", 15)
        assert again["epoch"] == flush["epoch"]
        await client.expect("troupe.caption.word")
    ga_checker.check(client.events, tier=True)
    first = _packets_of(client, started["response"])
    assert {len(packet.pcm) for packet in first} == {2 * FRAME_SAMPLES}
    assert [packet.position for packet in first] == [FRAME_SAMPLES * number for number in range(len(first))]
    assert {packet.epoch for packet in first} == {started["epoch"]}
    last_of_first = max(packet.sequence for packet in first)
    assert last_of_first < flush["sequence"], "nothing of the old epoch leaves after the flush"
    assert client.of("input_audio_buffer.speech_started") and client.of("input_audio_buffer.speech_stopped")


async def test_a_duplex_call_keeps_time_and_a_transcript(duplex_person: Person) -> None:
    begun = await asyncio.to_thread(duplex_person.begin, "babbler-duplex")
    async with tier_socket(begun["url"], begun["token"], duplex_person.origin) as client:
        started = await client.expect("troupe.response.started")
        await client.speak(b"", silence_s=2.0)
        # From here on nothing counts as heard: hanging up then cuts an answer that goes on.
        client.acknowledges = False
        await client.speak(b"", silence_s=2.0)
        sound = _packets_of(client, started["response"])
        # As much sound as time: the model neither runs ahead nor falls behind.
        assert abs(len(sound) * FRAME_MS - 4_000) < 500
        await client.send({"type": "troupe.end"})
        await client.closed()
    turns = [turn async for turn in Turn.objects.filter(session=begun["session_id"]).order_by("index")]
    assert turns and turns[0].speaker == "character"
    # Babble has white space of every kind; captions put a blank in its place.
    captions = "".join("".join(event["text"].split()) for event in client.of("troupe.caption.word"))
    heard = "".join(turns[0].text.split())
    assert captions.startswith(heard) and len(heard) < len(captions)
    assert turns[0].interrupted
    assert turns[0].words and turns[0].words[0][1] >= 0


async def test_a_model_that_decides_itself_is_not_asked(duplex_person: Person) -> None:
    begun = await asyncio.to_thread(duplex_person.begin, "babbler-duplex")
    async with tier_socket(begun["url"], begun["token"], duplex_person.origin) as client:
        await client.expect("troupe.session.ready")
        await client.send({"type": "troupe.activity.start", "activity": "pebble"})
        assert (await client.expect("error"))["error"]["code"] == "unsupported_value"
        assert client.close_code is None
        await client.expect("troupe.response.started")


async def test_a_turn_is_answered_by_the_model_over_the_socket(turn_person: Person) -> None:
    begun = await asyncio.to_thread(turn_person.begin, "babbler-turn")
    async with tier_socket(begun["url"], begun["token"], turn_person.origin) as client:
        await client.expect("troupe.session.ready")
        await client.speak(spoken("tell me a story please"), silence_s=3.0)
        await client.expect("input_audio_buffer.committed")
        started = await client.expect("troupe.response.started")
        await client.expect("troupe.latency", where=lambda event: event["response_id"] == started["response_id"])
        done = await client.expect("response.done", 30)
        assert done["response"]["status"] == "completed"
    ga_checker.check(client.events, tier=True)
    assert _packets_of(client, started["response"])
    assert client.of("troupe.caption.word")


async def test_a_typed_turn_is_answered_by_the_model_over_the_socket(turn_person: Person) -> None:
    begun = await asyncio.to_thread(turn_person.begin, "babbler-turn")
    async with tier_socket(begun["url"], begun["token"], turn_person.origin) as client:
        await client.expect("troupe.session.ready")
        await client.say_typed("tell me a story")
        created = await client.expect("response.created")
        started = await client.expect("troupe.response.started")
        assert started["response_id"] == created["response"]["id"]
        await client.expect("troupe.caption.word")
        done = await client.expect("response.done", 30)
        assert done["response"]["status"] == "completed"
        await client.send({"type": "troupe.voice.set", "voice": "ember"})
        assert (await client.expect("error"))["error"]["code"] == "voice_unsupported"
        await client.speak(spoken("and another one please"), silence_s=2.0)
        again = await client.expect("troupe.response.started")
        assert again["response_id"] != started["response_id"]
        await client.send({"type": "troupe.end"})
        await client.closed()
    ga_checker.check(client.events, tier=True)
    assert _packets_of(client, started["response"]) and not client.of("troupe.voice.updated")
    turns = [turn async for turn in Turn.objects.filter(session=begun["session_id"]).order_by("index")]
    assert [(turn.speaker, turn.typed) for turn in turns][:2] == [("user", True), ("character", False)]
    assert turns[0].text == "tell me a story"


async def test_an_openai_client_writes_with_a_turn_model(turn_person: Person) -> None:
    key = await asyncio.to_thread(turn_person.api_key)
    async with bearer_socket(turn_person.server.socket_url, key, "model=babbler-turn") as client:
        await client.expect("session.created")
        await client.send({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}})
        assert (await client.expect("session.updated"))["session"]["output_modalities"] == ["text"]
        await client.say_typed("tell me a story")
        done = await client.expect("response.done", 30)
        assert done["response"]["status"] == "completed" and done["response"]["output_modalities"] == ["text"]
        await client.send({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["audio"]}})
        await client.say_typed("now say it")
        await client.expect("response.output_audio.delta", 30)
        await client.expect("response.done", 30)
    ga_checker.check(client.events, tier=False)
    assert not client.of("error")
    first_audio = client.events.index(client.of("response.output_audio.delta")[0])
    assert client.events.index(client.of("response.done")[0]) < first_audio, "the written answer made no sound"


async def test_what_a_duplex_model_cannot_read_is_refused_over_the_socket(duplex_person: Person) -> None:
    begun = await asyncio.to_thread(duplex_person.begin, "babbler-duplex")
    async with tier_socket(begun["url"], begun["token"], duplex_person.origin) as client:
        await client.expect("troupe.response.started")
        await client.say_typed("hello")
        codes = [(await client.expect("error"))["error"]["code"] for _ in range(2)]
        assert codes == ["text_unsupported", "unsupported_value"]
        await client.send({"type": "troupe.voice.set", "voice": "ember"})
        assert (await client.expect("error"))["error"]["code"] == "voice_unsupported"
        await client.expect("troupe.caption.word")
        assert client.close_code is None and not client.of("troupe.voice.updated")


@pytest.mark.browser
@needs_chromium
async def test_the_page_says_in_words_what_a_duplex_model_cannot_do(duplex_person: Person) -> None:
    async with visitor() as page:
        await page.goto(f"{duplex_person.server.url}/characters/babbler-duplex/talk/")
        await page.click("#type-instead")
        await wait_for_state(page, "speaking")
        notices = page.locator("#notices")
        await page.fill("#say-text", "hello")
        await page.press("#say-text", "Enter")
        await expect(notices).to_contain_text("hears speech only")
        voices = page.locator("#voices")
        before = await voices.input_value()
        await voices.evaluate("""(list) => {
            list.selectedIndex = (list.selectedIndex + 1) % list.options.length;
            list.dispatchEvent(new Event("change", { bubbles: true }));
        }""")
        await expect(notices).to_contain_text("cannot speak with that voice")
        await expect(voices).to_have_value(before)
        await expect(page.locator(".line--user")).to_have_count(0)


async def test_the_model_speaks_the_words_of_a_composed_character(mouth_person: Person) -> None:
    begun = await asyncio.to_thread(mouth_person.begin)
    async with tier_socket(begun["url"], begun["token"], mouth_person.origin) as client:
        done = await client.expect("response.done", 30)
        assert done["response"]["status"] == "completed"
        await client.say_typed("what is your name")
        await client.expect("response.done", 30)
    ga_checker.check(client.events, tier=True)
    captions = [event["text"] for event in client.of("troupe.caption.word")]
    assert captions == ["Hello", "there.", "I", "am", "Brief."]
    samples = np.frombuffer(b"".join(packet.pcm for packet in client.packets), dtype="<i2")
    assert np.abs(samples).max() > 100


async def test_an_openai_client_hears_a_duplex_model_too(duplex_person: Person) -> None:
    key = await asyncio.to_thread(duplex_person.api_key)
    async with bearer_socket(duplex_person.server.socket_url, key, "model=babbler-duplex") as client:
        await client.expect("session.created")
        await client.expect("response.output_audio.delta")
        await client.send({"type": "response.create"})
        await client.expect("error")
    ga_checker.check(client.events, tier=False)


def test_a_character_that_needs_a_model_is_refused_where_none_is_loaded(alice: Person) -> None:
    _load_babbler("duplex")
    response = alice.http.post("/sessions/", json={"character": "babbler-duplex"})
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (409, "no_voice_model")
    assert "duplex" in error["message"]


async def test_more_callers_than_the_model_holds_are_refused_at_once(duplex_person: Person) -> None:
    begun = [await asyncio.to_thread(duplex_person.begin, "babbler-duplex") for _ in range(3)]
    url, origin = begun[0]["url"], duplex_person.origin
    async with (
        tier_socket(url, begun[0]["token"], origin) as one,
        tier_socket(url, begun[1]["token"], origin) as two,
    ):
        await one.expect("troupe.response.started")
        await two.expect("troupe.response.started")
        async with tier_socket(url, begun[2]["token"], origin) as three:
            assert await three.closed() == 4503
        assert one.close_code is None and two.close_code is None


def test_a_bad_voice_model_stops_the_start_and_is_named(tmp_path: Path) -> None:
    def start(**variables: str) -> "subprocess.CompletedProcess[str]":
        own = {"TROUPE_VAR_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
        command = [sys.executable, "manage.py", "serve", "--port", "8123"]
        environment = os.environ | own | variables
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    with checkpoint_folders() as (model, codec):
        missing = start(VOICE_MODEL=str(tmp_path / "nowhere"), VOICE_MODEL_CODEC=str(codec))
        assert missing.returncode == 1 and "nowhere is no folder" in missing.stderr
        (model / "model.safetensors").write_bytes(b"cut short")
        broken = start(VOICE_MODEL=str(model), VOICE_MODEL_CODEC=str(codec))
        assert broken.returncode == 1 and "model.safetensors" in broken.stderr
        assert "Traceback" not in broken.stderr
