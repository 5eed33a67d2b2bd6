"""A strict reader of recorded server events: OpenAI's own types, the GA list and the order of ecosystem habits.

`check(events)` raises `AssertionError` naming the first event that a strict client could stumble over.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import BaseModel

Event = Mapping[str, Any]

GA_LIST = {
    "session.created",
    "session.updated",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "input_audio_buffer.cleared",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "conversation.item.retrieved",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
    "response.created",
    "response.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.content_part.added",
    "response.content_part.done",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.done",
    "response.output_text.delta",
    "response.output_text.done",
    "error",
}
PRESENT = {
    "conversation.item.input_audio_transcription.delta": ("content_index", "delta"),
    "error": ("error.type", "error.message", "error.code", "error.param", "error.event_id"),
    "session.created": ("session.id", "session.object", "session.type", "session.audio"),
    "session.updated": ("session.id", "session.object", "session.type", "session.audio"),
    "conversation.item.added": ("previous_item_id", "item.id", "item.object", "item.status"),
    "conversation.item.done": ("previous_item_id", "item.id", "item.object", "item.status"),
    "input_audio_buffer.committed": ("previous_item_id",),
    "response.created": ("response.id", "response.object", "response.status", "response.status_details"),
    "response.done": (
        "response.id",
        "response.object",
        "response.status_details",
        "response.output",
        "response.metadata",
        "response.usage.total_tokens",
        "response.usage.input_tokens",
        "response.usage.output_tokens",
        "response.usage.input_token_details.cached_tokens",
        "response.usage.input_token_details.text_tokens",
        "response.usage.input_token_details.audio_tokens",
        "response.usage.output_token_details.text_tokens",
        "response.usage.output_token_details.audio_tokens",
    ),
}
"""Fields that strict clients read without asking, beyond those that OpenAI's types require."""

MAX_DELTA_BYTES = 200 * 48
TIER_EXTRA = {"sequence"}


def _types() -> dict[str, type[BaseModel]]:
    union = get_args(RealtimeServerEvent)[0]
    return {get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(union)}


TYPES = _types()


def check(events: Sequence[Event], *, tier: bool = False) -> None:
    """Checks every GA event of a recorded session, and their order. In the tier, `troupe.*` events are let by."""
    assert events, "nothing was recorded"
    assert events[0]["type"] == "session.created", f"a session begins with {events[0]['type']}"
    if tier:
        _check_numbers(events)
    own = [event for event in events if not (tier and event["type"].startswith("troupe."))]
    order = _Order(tier)
    seen: set[str] = set()
    for place, event in enumerate(own):
        try:
            _check_shape(event, tier)
            assert event["event_id"] not in seen, "its event_id was used before"
            seen.add(event["event_id"])
            order.take(event)
        except AssertionError as error:
            before = [each["type"] for each in own[max(0, place - 4) : place]]
            raise AssertionError(f"event {place} {event['type']}: {error} (after {before})") from error


def check_all_over(events: Sequence[Event]) -> None:
    """Every response that was created is done."""
    created = [event["response"]["id"] for event in events if event["type"] == "response.created"]
    done = [event["response"]["id"] for event in events if event["type"] == "response.done"]
    assert created == done, f"{len(created)} responses were created, {len(done)} done"


def _check_numbers(events: Sequence[Event]) -> None:
    numbers = [event["sequence"] for event in events]
    assert numbers == sorted(set(numbers)), "sequence numbers do not rise"


def _check_shape(event: Event, tier: bool) -> None:
    kind = event["type"]
    assert kind in GA_LIST, "it is not on the GA list"
    model = TYPES[kind].model_validate(event)
    extra = set(model.model_extra or {}) - (TIER_EXTRA if tier else set())
    assert not extra, f"fields nobody knows: {extra}"
    for path in PRESENT.get(kind, ()):
        value: Any = event
        for step in path.split("."):
            assert isinstance(value, Mapping) and step in value, f"{path} is missing"
            value = value[step]


class _Order:
    """Replays the events as a strict client would."""

    def __init__(self, tier: bool) -> None:
        self.tier = tier
        self.items: list[str] = []
        self.speaking: set[str] = set()
        self.stopped: set[str] = set()
        self.committed: set[str] = set()
        self.response: str | None = None
        self.over: set[str] = set()
        self.stage = ""
        self.text = ""
        self.metadata: Any = None

    def take(self, event: Event) -> None:
        name = re.sub(r"[^a-z]+", "_", event["type"])
        handler = getattr(self, f"_on_{name}", None)
        if handler is not None:
            handler(event)

    # --- input ---

    def _on_input_audio_buffer_speech_started(self, event: Event) -> None:
        assert event["item_id"] not in self.items, "speech starts for an item that exists already"
        self.speaking.add(event["item_id"])

    def _on_input_audio_buffer_speech_stopped(self, event: Event) -> None:
        assert event["item_id"] in self.speaking, "speech stops that never started"
        self.speaking.discard(event["item_id"])
        self.stopped.add(event["item_id"])

    def _on_input_audio_buffer_committed(self, event: Event) -> None:
        assert event["item_id"] not in self.speaking, "committed before speech stopped"
        assert event["previous_item_id"] == (self.items[-1] if self.items else None), "a broken chain"
        self.committed.add(event["item_id"])

    def _on_conversation_item_input_audio_transcription_delta(self, event: Event) -> None:
        assert event["item_id"] in self.items, "a transcript of an item nobody added"

    _on_conversation_item_input_audio_transcription_completed = _on_conversation_item_input_audio_transcription_delta
    _on_conversation_item_input_audio_transcription_failed = _on_conversation_item_input_audio_transcription_delta

    # --- items ---

    def _on_conversation_item_added(self, event: Event) -> None:
        item, previous = event["item"], event["previous_item_id"]
        assert item["id"] not in self.items, "added twice"
        if previous is None:
            self.items.insert(0, item["id"])
        else:
            assert previous in self.items, "it follows an item nobody added"
            self.items.insert(self.items.index(previous) + 1, item["id"])
        if item.get("role") == "user" and any(part["type"] == "input_audio" for part in item["content"]):
            assert item["id"] in self.committed or item["content"][0]["transcript"], "audio that nobody committed"
        if self.stage == "output_item" and item["status"] == "in_progress":
            assert not item["content"], "a new item of an answer has no content"
            self.stage = "item"

    def _on_conversation_item_done(self, event: Event) -> None:
        assert event["item"]["id"] in self.items, "done before added"
        assert event["item"]["status"] != "in_progress"
        if self.stage == "output_item_done" and event["item"]["role"] == "assistant":
            self.stage = "item_done"

    def _on_conversation_item_deleted(self, event: Event) -> None:
        assert event["item_id"] in self.items, "deleted, but never added"
        self.items.remove(event["item_id"])

    def _on_conversation_item_truncated(self, event: Event) -> None:
        assert event["item_id"] in self.items, "truncated, but never added"

    # --- responses ---

    def _on_response_created(self, event: Event) -> None:
        assert self.response is None, "one response at a time"
        response = event["response"]
        assert response["id"] not in self.over and response["status"] == "in_progress" and response["output"] == []
        self.response, self.stage, self.text = response["id"], "created", ""
        self.metadata = response["metadata"]

    def _step(self, event: Event, before: str | tuple[str, ...], after: str) -> None:
        allowed = (before,) if isinstance(before, str) else before
        assert event["response_id"] == self.response, "it belongs to no running response"
        assert self.stage in allowed, f"it comes after {self.stage}, not after {allowed}"
        self.stage = after

    def _on_response_output_item_added(self, event: Event) -> None:
        self._step(event, "created", "output_item")

    def _on_response_content_part_added(self, event: Event) -> None:
        assert event["part"]["type"] in ("audio", "text")
        self._step(event, "item", "part")

    def _on_response_output_audio_delta(self, event: Event) -> None:
        assert not self.tier, "the tier carries audio in packets"
        pcm = base64.b64decode(event["delta"], validate=True)
        assert pcm and len(pcm) % 2 == 0 and len(pcm) <= MAX_DELTA_BYTES, f"{len(pcm)} bytes of audio"
        self._step(event, "part", "part")

    def _on_response_output_audio_transcript_delta(self, event: Event) -> None:
        self.text += event["delta"]
        self._step(event, "part", "part")

    _on_response_output_text_delta = _on_response_output_audio_transcript_delta

    def _on_response_output_audio_done(self, event: Event) -> None:
        self._step(event, "part", "audio_done")

    def _on_response_output_audio_transcript_done(self, event: Event) -> None:
        assert event["transcript"] == self.text.strip(), "the transcript is not what its deltas made"
        self._step(event, "audio_done", "text_done")

    def _on_response_output_text_done(self, event: Event) -> None:
        assert event["text"] == self.text.strip(), "the text is not what its deltas made"
        self._step(event, "part", "text_done")

    def _on_response_content_part_done(self, event: Event) -> None:
        self._step(event, "text_done", "part_done")

    def _on_response_output_item_done(self, event: Event) -> None:
        self._step(event, "part_done", "output_item_done")

    def _on_response_done(self, event: Event) -> None:
        response = event["response"]
        assert response["id"] == self.response, "done without having been created"
        assert self.stage in ("created", "item_done"), f"it comes after {self.stage}"
        assert response["metadata"] == self.metadata, "the metadata is not echoed"
        assert response["status"] in ("completed", "cancelled", "failed", "incomplete")
        details = response["status_details"]
        assert (details is None) == (response["status"] == "completed")
        if response["status"] == "cancelled":
            assert details["reason"] in ("turn_detected", "client_cancelled")
        usage = response["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert len(response["output"]) == (1 if self.stage == "item_done" else 0)
        self.over.add(response["id"])
        self.response, self.stage = None, ""
