"""A whole conversation with the most talkative log there is: its lines name the call and hold nothing that was said."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from characters.mind.script_mind import ScriptMind
from config.logs import logging_config
from sessions.models import Turn, VoiceSession
from tests.sessions.people import Person
from tests.sessions.speech import spoken
from tests.sessions.tier_client import tier_socket

FIRST_S = 60.0
SECRET = "my secret is a purple pebble from Samarkand"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged as with `LOG_LEVEL=DEBUG` and `LOG_FORMAT=json`."""
    config = logging_config(form="json", level="DEBUG")
    formatter = config["formatters"]["line"]
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter.pop("()")(**formatter))
    wanted = {"": "DEBUG", **{name: each["level"] for name, each in config["loggers"].items()}}
    before = {name: logging.getLogger(name).level for name in wanted}
    for name, level in wanted.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger().addHandler(handler)
    try:
        yield stream
    finally:
        logging.getLogger().removeHandler(handler)
        for name, kept in before.items():
            logging.getLogger(name).setLevel(kept)


async def _ended(session_id: str) -> VoiceSession:
    for _ in range(100):
        session = await VoiceSession.objects.aget(pk=session_id)
        if session.state == VoiceSession.State.ENDED:
            return session
        await asyncio.sleep(0.05)
    raise AssertionError("the session did not end")


async def test_no_line_of_the_log_holds_a_word_of_the_conversation(alice: Person, log: io.StringIO) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await client.expect("troupe.session.ready")
        await client.expect("response.done", FIRST_S)
        await client.say_typed(SECRET)
        await client.expect("response.done")
        await client.speak(spoken("what is your name"), silence_s=1.5)
        await client.expect("conversation.item.input_audio_transcription.completed")
        await client.expect("response.done")
        # What is wrong is told to the client; the log may say that, not what was sent.
        await client.send({"type": "no.such.event", "text": SECRET})
        await client.socket.send("this is no JSON: " + SECRET)
        await client.expect("error")
        await client.send({"type": "troupe.end"})
        await client.closed()
    session = await _ended(begun["session_id"])
    said = [turn.text async for turn in Turn.objects.filter(session=session)]
    assert SECRET in said and len(said) >= 5
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert lines, "a log at DEBUG says something"
    whole = log.getvalue().lower()
    for text in [*said, "Samarkand", "purple pebble", begun["token"]]:
        assert text.lower() not in whole, f"{len(text)} characters of the conversation stand in the log"
    wordy = [line for line in lines if str(session.pk) in line["event"]]
    assert all(line.get("session") == str(session.pk) for line in wordy)


async def test_a_call_that_breaks_leaves_its_ids_in_the_log_and_nothing_else_of_it(
    alice: Person, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: ScriptMind, occasion: object, response_id: str) -> object:
        heard = repr(occasion)
        raise RuntimeError(f"cannot answer in {len(heard)} characters")
        yield

    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await client.expect("troupe.session.ready")
        await client.expect("response.done", FIRST_S)
        monkeypatch.setattr(ScriptMind, "answer", broken)
        await client.say_typed(SECRET)
        await client.expect("response.done")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    failed = [line for line in lines if "the mind failed" in line["event"]]
    assert failed and all("RuntimeError" in line["exception"] for line in failed)
    assert all(line["session"] == begun["session_id"] and line["worker"] for line in failed)
    assert "samarkand" not in log.getvalue().lower()
