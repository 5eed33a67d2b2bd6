"""The troupe tier: what it adds to the protocol (docs/protocol.md, "The troupe tier")."""

from typing import Annotated, Any, Literal

from pydantic import Field

from inference.protocol import LatencyMarks, Overlap, WordSpoken
from sessions.realtime.client_events import GA_EVENTS, ClientEvent

Slug = Annotated[str, Field(min_length=1, max_length=80)]


class AckPlayback(ClientEvent):
    type: Literal["troupe.playback.ack"]
    response_id: Annotated[str, Field(max_length=80)]
    played_ms: Annotated[float, Field(ge=0, le=86_400_000, allow_inf_nan=False)]


class ChooseStyle(ClientEvent):
    type: Literal["troupe.style.set"]
    style: Slug


class ChooseVoice(ClientEvent):
    type: Literal["troupe.voice.set"]
    voice: Slug


class ChooseActivity(ClientEvent):
    type: Literal["troupe.activity.start"]
    activity: Slug


class Ping(ClientEvent):
    type: Literal["troupe.ping"]
    t: Annotated[float, Field(allow_inf_nan=False)] | int | Annotated[str, Field(max_length=80)]


class EndSession(ClientEvent):
    type: Literal["troupe.end"]


TIER_EVENTS: dict[str, type[ClientEvent]] = {
    **GA_EVENTS,
    "troupe.playback.ack": AckPlayback,
    "troupe.style.set": ChooseStyle,
    "troupe.voice.set": ChooseVoice,
    "troupe.activity.start": ChooseActivity,
    "troupe.ping": Ping,
    "troupe.end": EndSession,
}


def response_started(*, response_id: str, item_id: str, ordinal: int, epoch: int) -> dict[str, Any]:
    return {
        "type": "troupe.response.started",
        "response_id": response_id,
        "item_id": item_id,
        "response": ordinal,
        "epoch": epoch,
    }


def output_flush(*, response_id: str, epoch: int) -> dict[str, Any]:
    return {"type": "troupe.output.flush", "response_id": response_id, "epoch": epoch}


def output_gain(*, gain_db: float, ramp_ms: int) -> dict[str, Any]:
    return {"type": "troupe.output.gain", "gain_db": gain_db, "ramp_ms": ramp_ms}


def turn_overlap(event: Overlap) -> dict[str, Any]:
    return {
        "type": "troupe.turn.overlap",
        "response_id": event.response_id,
        "decision": event.decision,
        "text": event.text,
    }


def caption_word(event: WordSpoken, *, item_id: str, index: int) -> dict[str, Any]:
    return {
        "type": "troupe.caption.word",
        "response_id": event.response_id,
        "item_id": item_id,
        "index": index,
        "text": event.text,
        "start_ms": event.start_ms,
        "end_ms": event.end_ms,
        "char_start": event.char_start,
        "char_end": event.char_end,
    }


def caption_partial(*, item_id: str, text: str) -> dict[str, Any]:
    return {"type": "troupe.caption.partial", "item_id": item_id, "text": text}


def caption_cut(*, item_id: str, text: str) -> dict[str, Any]:
    return {"type": "troupe.caption.cut", "item_id": item_id, "text": text}


def style_updated(style: str) -> dict[str, Any]:
    return {"type": "troupe.style.updated", "style": style}


def voice_updated(voice: str) -> dict[str, Any]:
    return {"type": "troupe.voice.updated", "voice": voice}


def activity_changed(*, slug: str, title: str, state: str) -> dict[str, Any]:
    return {"type": "troupe.activity", "activity": slug, "title": title, "state": state}


def latency(marks: LatencyMarks, *, sent: float) -> dict[str, Any]:
    stages = {name: round(value, 1) for name, value in marks.stages.items()}
    return {"type": "troupe.latency", "response_id": marks.response_id, "stages": {**stages, "sent": round(sent, 1)}}


def dropped(*, uplink_packets: int, downlink_frames: int) -> dict[str, Any]:
    return {"type": "troupe.dropped", "uplink_packets": uplink_packets, "downlink_frames": downlink_frames}


def session_moved(*, reason: str, response_id: str | None, gap_ms: int) -> dict[str, Any]:
    return {"type": "troupe.session.moved", "reason": reason, "response_id": response_id, "gap_ms": gap_ms}


def session_closing(*, reason: str, message: str) -> dict[str, Any]:
    return {"type": "troupe.session.closing", "reason": reason, "message": message}


def pong(t: float | str) -> dict[str, Any]:
    return {"type": "troupe.pong", "t": t}
