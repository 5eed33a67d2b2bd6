"""The GA server events. The sender adds `event_id`."""

import base64
from typing import Any

Event = dict[str, Any]


def session_created(session: Event) -> Event:
    return {"type": "session.created", "session": session}


def session_updated(session: Event) -> Event:
    return {"type": "session.updated", "session": session}


def speech_started(*, item_id: str, audio_start_ms: int) -> Event:
    return {"type": "input_audio_buffer.speech_started", "item_id": item_id, "audio_start_ms": audio_start_ms}


def speech_stopped(*, item_id: str, audio_end_ms: int) -> Event:
    return {"type": "input_audio_buffer.speech_stopped", "item_id": item_id, "audio_end_ms": audio_end_ms}


def audio_committed(*, item_id: str, previous_item_id: str | None) -> Event:
    return {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": previous_item_id}


def audio_cleared() -> Event:
    return {"type": "input_audio_buffer.cleared"}


def item_added(item: Event, *, previous_item_id: str | None) -> Event:
    return {"type": "conversation.item.added", "item": item, "previous_item_id": previous_item_id}


def item_done(item: Event, *, previous_item_id: str | None) -> Event:
    return {"type": "conversation.item.done", "item": item, "previous_item_id": previous_item_id}


def item_retrieved(item: Event) -> Event:
    return {"type": "conversation.item.retrieved", "item": item}


def item_truncated(*, item_id: str, content_index: int, audio_end_ms: int) -> Event:
    return {
        "type": "conversation.item.truncated",
        "item_id": item_id,
        "content_index": content_index,
        "audio_end_ms": audio_end_ms,
    }


def item_deleted(item_id: str) -> Event:
    return {"type": "conversation.item.deleted", "item_id": item_id}


def transcription_delta(*, item_id: str, text: str) -> Event:
    return {
        "type": "conversation.item.input_audio_transcription.delta",
        "item_id": item_id,
        "content_index": 0,
        "delta": text,
    }


def transcription_completed(*, item_id: str, text: str, seconds: float) -> Event:
    return {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": item_id,
        "content_index": 0,
        "transcript": text,
        "usage": {"type": "duration", "seconds": round(seconds, 3)},
    }


def transcription_failed(*, item_id: str, code: str, message: str) -> Event:
    return {
        "type": "conversation.item.input_audio_transcription.failed",
        "item_id": item_id,
        "content_index": 0,
        "error": {"type": "server_error", "code": code, "message": message, "param": None},
    }


def response_created(response: Event) -> Event:
    return {"type": "response.created", "response": response}


def response_done(response: Event) -> Event:
    return {"type": "response.done", "response": response}


def output_item_added(*, response_id: str, item: Event) -> Event:
    return {"type": "response.output_item.added", "response_id": response_id, "output_index": 0, "item": item}


def output_item_done(*, response_id: str, item: Event) -> Event:
    return {"type": "response.output_item.done", "response_id": response_id, "output_index": 0, "item": item}


def in_part(kind: str, *, response_id: str, item_id: str, **fields: Any) -> Event:
    """An event about the one content part of a response's one item."""
    place = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
    return {"type": f"response.{kind}", **place, **fields}


def audio_delta(*, response_id: str, item_id: str, pcm: bytes) -> Event:
    delta = base64.b64encode(pcm).decode("ascii")
    return in_part("output_audio.delta", response_id=response_id, item_id=item_id, delta=delta)
