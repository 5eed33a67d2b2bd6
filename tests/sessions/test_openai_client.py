"""The official `openai` client holds conversations with the running server."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from sessions.models import Turn
from tests.sessions import ga_checker
from tests.sessions.people import Person
from tests.sessions.speech import spoken

LIMIT_S = 60.0
CHUNK_BYTES = 4_800


class Recorder:
    """Reads a connection and keeps every event as it came."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.events: list[dict[str, Any]] = []
        self._read_to = 0

    async def until(self, kind: str) -> dict[str, Any]:
        """The next event of this type."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                while self._read_to < len(self.events):
                    self._read_to += 1
                    if self.events[self._read_to - 1]["type"] == kind:
                        return self.events[self._read_to - 1]
                event = await self.connection.recv()
                self.events.append(event.to_dict(exclude_unset=True, mode="json"))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def audio(self) -> bytes:
        return b"".join(base64.b64decode(event["delta"]) for event in self.of("response.output_audio.delta"))

    async def send_audio(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), CHUNK_BYTES):
            piece = base64.b64encode(pcm[at : at + CHUNK_BYTES]).decode()
            await self.connection.input_audio_buffer.append(audio=piece)

    async def write(self, text: str) -> None:
        item: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.connection.conversation.item.create(item=item)


@asynccontextmanager
async def connected(person: Person, key: str, model: str = "brief") -> AsyncIterator[Recorder]:
    """A connection whose whole record passes the strict checker at the end."""
    client = AsyncOpenAI(api_key=key, base_url=f"{person.server.url}/v1", max_retries=0)
    async with client.realtime.connect(model=model) as connection:
        recorder = Recorder(connection)
        await recorder.until("session.created")
        yield recorder
    ga_checker.check(recorder.events)


@pytest.fixture
def key(alice: Person) -> str:
    return alice.api_key()


async def test_a_written_question_is_answered_aloud(alice: Person, key: str) -> None:
    async with connected(alice, key) as call:
        await call.write("who are you")
        await call.connection.response.create(response={"metadata": {"client_event_id": "one"}})
        done = (await call.until("response.done"))["response"]
    assert done["status"] == "completed" and done["metadata"] == {"client_event_id": "one"}
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "I am Brief."}]
    audio = call.audio()
    assert len(audio) > 24_000 and any(audio)
    usage = done["usage"]
    assert usage["output_token_details"]["text_tokens"] == 3
    assert usage["output_token_details"]["audio_tokens"] == round(len(audio) / 1_920)


async def test_an_empty_conversation_is_opened_by_the_character(alice: Person, key: str) -> None:
    async with connected(alice, key) as call:
        await call.connection.response.create()
        done = (await call.until("response.done"))["response"]
    assert done["output"][0]["content"][0]["transcript"] == "Hello there."


async def test_a_spoken_turn_is_found_by_the_server_and_answered(alice: Person, key: str) -> None:
    async with connected(alice, key) as call:
        await call.send_audio(spoken("what is your name") + bytes(48_000 * 2))
        await call.until("response.done")
    kinds = [event["type"] for event in call.events if not event["type"].endswith("delta")]
    assert kinds == [
        "session.created",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]


async def test_without_turn_detection_the_client_commits_and_asks(alice: Person, key: str) -> None:
    async with connected(alice, key) as call:
        await call.connection.session.update(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        updated = (await call.until("session.updated"))["session"]
        assert updated["audio"]["input"]["turn_detection"] is None
        await call.send_audio(spoken("what is your name"))
        # At once: a commit counts after the audio that was sent before it.
        await call.connection.input_audio_buffer.commit()
        await call.connection.response.create()
        transcript = (await call.until("conversation.item.input_audio_transcription.completed"))["transcript"]
        done = (await call.until("response.done"))["response"]
    assert len(transcript.split()) >= 3, "what was sent just before the commit belongs to the turn"
    assert done["status"] == "completed" and done["usage"]["output_tokens"] > 0
    assert not call.of("input_audio_buffer.speech_started")


async def test_committing_nothing_is_an_error_that_names_the_event(alice: Person, key: str) -> None:
    async with connected(alice, key) as call:
        await call.connection.input_audio_buffer.commit(event_id="empty-1")
        error = (await call.until("error"))["error"]
    assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "empty-1")


async def test_text_can_be_asked_for_instead_of_audio(alice: Person, key: str) -> None:
    async with connected(alice, key) as call:
        await call.connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await call.until("session.updated")
        await call.write("who are you")
        await call.connection.response.create()
        done = (await call.until("response.done"))["response"]
    assert done["output"][0]["content"] == [{"type": "output_text", "text": "I am Brief."}]
    assert call.of("response.output_text.delta") and not call.audio()


async def test_a_response_is_cancelled_and_another_follows_at_once(alice: Person, key: str) -> None:
    async with connected(alice, key) as call:
        await call.write("count slowly")
        await call.connection.response.create()
        await call.until("response.output_audio_transcript.delta")
        await call.connection.response.create(event_id="too-early")
        busy = (await call.until("error"))["error"]
        await call.connection.response.cancel()
        await call.write("who are you")
        await call.connection.response.create()
        cancelled = (await call.until("response.done"))["response"]
        truncated = await call.until("conversation.item.truncated")
        answered = (await call.until("response.done"))["response"]
        await call.connection.response.cancel(event_id="too-late")
        late = (await call.until("error"))["error"]
    assert (busy["code"], busy["event_id"]) == ("conversation_already_has_active_response", "too-early")
    assert cancelled["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert truncated["item_id"] == cancelled["output"][0]["id"]
    assert answered["status"] == "completed"
    assert late["code"] == "response_cancel_not_active" and late["message"].startswith("Cancellation failed")


async def test_items_are_retrieved_truncated_and_deleted(alice: Person, key: str) -> None:
    async with connected(alice, key) as call:
        await call.write("who are you")
        asked = (await call.until("conversation.item.done"))["item"]["id"]
        await call.connection.response.create()
        answer = (await call.until("response.done"))["response"]["output"][0]["id"]
        await call.connection.conversation.item.truncate(item_id=answer, content_index=0, audio_end_ms=1)
        await call.until("conversation.item.truncated")
        await call.connection.conversation.item.retrieve(item_id=answer)
        cut = (await call.until("conversation.item.retrieved"))["item"]
        await call.connection.conversation.item.delete(item_id=asked)
        await call.until("conversation.item.deleted")
        await call.connection.conversation.item.retrieve(item_id=asked, event_id="gone")
        error = (await call.until("error"))["error"]
    assert cut["content"][0]["transcript"] == "I"
    assert (error["code"], error["event_id"]) == ("item_retrieve_invalid_item_id", "gone")
    assert await Turn.objects.filter(item_id=answer, text="I", full_text="I am Brief.").aexists()


async def test_settings_merge_and_the_voice_is_locked_once_heard(alice: Person, key: str) -> None:
    async with connected(alice, key) as call:
        wishes: Any = {
            "type": "realtime",
            "instructions": "Be brief.",
            "audio": {
                "input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 700}},
                "output": {"voice": "marin", "speed": 1.5},
            },
            "something_new": {"of": "tomorrow"},
        }
        await call.connection.session.update(session=wishes)
        first = (await call.until("session.updated"))["session"]
        await call.connection.session.update(session={"type": "realtime", "audio": {"output": {"voice": "ember"}}})
        second = (await call.until("session.updated"))["session"]
        await call.connection.response.create()
        await call.until("response.done")
        await call.connection.session.update(
            session={"type": "realtime", "audio": {"output": {"voice": "hearth"}}}, event_id="late"
        )
        error = (await call.until("error"))["error"]
    assert first["audio"]["output"] == {**second["audio"]["output"], "voice": "hearth"}
    assert first["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 700
    assert (second["instructions"], second["audio"]["output"]["voice"]) == ("Be brief.", "ember")
    assert (error["code"], error["event_id"]) == ("cannot_update_voice", "late")


async def test_a_short_lived_key_opens_a_session_with_its_settings(alice: Person, key: str) -> None:
    client = AsyncOpenAI(api_key=key, base_url=f"{alice.server.url}/v1", max_retries=0)
    secret = await client.realtime.client_secrets.create(
        session={"type": "realtime", "model": "brief", "output_modalities": ["text"]},
        expires_after={"anchor": "created_at", "seconds": 60},
    )
    assert secret.value.startswith("ek_")
    async with connected(alice, secret.value, model="storyteller") as call:
        session = call.events[0]["session"]
    assert (session["model"], session["output_modalities"]) == ("brief", ["text"])
