"""What a client may say, validated once. `parse` turns one text message into one typed event."""

import base64
import binascii
import json
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from sessions.realtime.errors import ClientError

MAX_TEXT_CHARS = 8_000
MAX_INSTRUCTIONS_CHARS = 32_000
MAX_ID_CHARS = 64


def _no_nul(value: str) -> str:
    """Databases refuse NUL, and nobody speaks it."""
    return value.replace("\x00", "")


Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARS, pattern=r"^[A-Za-z0-9_\-.]+$")]
Spoken = Annotated[str, Field(max_length=MAX_TEXT_CHARS), AfterValidator(_no_nul)]
Instructions = Annotated[str, Field(max_length=MAX_INSTRUCTIONS_CHARS), AfterValidator(_no_nul)]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class Part(BaseModel):
    """A piece of an item's content; unknown keys are ignored."""

    model_config = ConfigDict(frozen=True)


class Content(Part):
    type: Literal["input_text", "input_audio", "output_text", "output_audio", "text", "audio"]
    text: Spoken | None = None
    transcript: Spoken | None = None
    audio: str | None = None


class Message(Part):
    type: Literal["message"]
    role: Literal["user", "assistant", "system"]
    content: Annotated[tuple[Content, ...], Field(min_length=1, max_length=32)]
    id: Id | None = None


class FunctionCall(Part):
    type: Literal["function_call"]
    name: Annotated[str, Field(max_length=200)]
    arguments: Annotated[str, Field(max_length=MAX_INSTRUCTIONS_CHARS)]
    call_id: Id | None = None
    id: Id | None = None


class FunctionCallOutput(Part):
    type: Literal["function_call_output"]
    call_id: Id
    output: Annotated[str, Field(max_length=MAX_INSTRUCTIONS_CHARS)]
    id: Id | None = None


ClientItem = Annotated[Message | FunctionCall | FunctionCallOutput, Field(discriminator="type")]


class ClientEvent(BaseModel):
    """Unknown keys are ignored: clients send what newer servers know."""

    model_config = ConfigDict(frozen=True)
    event_id: Annotated[str, Field(max_length=512)] | None = None


class SessionUpdate(ClientEvent):
    type: Literal["session.update"]
    session: dict[str, JsonValue]


class AppendAudio(ClientEvent):
    type: Literal["input_audio_buffer.append"]
    audio: str


class CommitAudio(ClientEvent):
    type: Literal["input_audio_buffer.commit"]


class ClearAudio(ClientEvent):
    type: Literal["input_audio_buffer.clear"]


class CreateItem(ClientEvent):
    type: Literal["conversation.item.create"]
    item: ClientItem
    previous_item_id: Id | None = None


class RetrieveItem(ClientEvent):
    type: Literal["conversation.item.retrieve"]
    item_id: str


class TruncateItem(ClientEvent):
    type: Literal["conversation.item.truncate"]
    item_id: str
    content_index: Annotated[int, Field(ge=0)]
    audio_end_ms: Annotated[int, Field(ge=0, le=86_400_000)]


class DeleteItem(ClientEvent):
    type: Literal["conversation.item.delete"]
    item_id: str


class ResponseRequest(Part):
    """What one answer should be; absent fields fall back to the session's."""

    instructions: Instructions | None = None
    output_modalities: tuple[Literal["text", "audio"], ...] | None = None
    conversation: Literal["auto", "none"] | None = None
    metadata: Metadata | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] | None = None
    input: Annotated[tuple[dict[str, JsonValue], ...], Field(max_length=64)] | None = None


class CreateResponse(ClientEvent):
    type: Literal["response.create"]
    response: ResponseRequest | None = None


class CancelResponse(ClientEvent):
    type: Literal["response.cancel"]
    response_id: str | None = None


class ClearOutput(ClientEvent):
    type: Literal["output_audio_buffer.clear"]


GA_EVENTS: dict[str, type[ClientEvent]] = {
    "session.update": SessionUpdate,
    "input_audio_buffer.append": AppendAudio,
    "input_audio_buffer.commit": CommitAudio,
    "input_audio_buffer.clear": ClearAudio,
    "conversation.item.create": CreateItem,
    "conversation.item.retrieve": RetrieveItem,
    "conversation.item.truncate": TruncateItem,
    "conversation.item.delete": DeleteItem,
    "response.create": CreateResponse,
    "response.cancel": CancelResponse,
    "output_audio_buffer.clear": ClearOutput,
}


def parse(text: str, known: dict[str, type[ClientEvent]]) -> ClientEvent:
    """The event in this message. Raises `ClientError` naming what is wrong and, where it has one, the event's id."""
    try:
        raw = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise ClientError("invalid_json", "the message is not a JSON text") from None
    if not isinstance(raw, dict):
        raise ClientError("invalid_json", f"the message is a JSON {_json_name(raw)}, not an object")
    event_id = raw.get("event_id")
    event_id = event_id[:512].encode("utf-8", "replace").decode() if isinstance(event_id, str) else None
    name = raw.get("type")
    if not isinstance(name, str):
        raise ClientError("missing_required_parameter", "the event has no `type`", param="type", event_id=event_id)
    if name not in known:
        shown = name[:80].encode("utf-8", "replace").decode()
        raise ClientError("unknown_event", f"there is no event {shown!r} here", param="type", event_id=event_id)
    try:
        return known[name].model_validate(raw)
    except ValidationError as error:
        raise from_validation(error, event_id=event_id) from None


def decode_audio(event: AppendAudio) -> bytes:
    """The PCM16 in the event. Raises `ClientError` unless it is base64 of whole samples."""
    try:
        pcm = base64.b64decode(event.audio, validate=True)
    except (binascii.Error, ValueError):
        raise ClientError("invalid_value", "`audio` is not base64", param="audio", event_id=event.event_id) from None
    if len(pcm) % 2:
        message = f"`audio` holds {len(pcm)} bytes: not a whole number of 16-bit samples"
        raise ClientError("invalid_value", message, param="audio", event_id=event.event_id)
    return pcm


def from_validation(error: ValidationError, *, event_id: str | None, prefix: str = "") -> ClientError:
    """The first thing pydantic found, as the protocol says it. Never repeats the client's value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    param = prefix + ".".join(str(step) for step in first["loc"])
    code = "missing_required_parameter" if first["type"] == "missing" else "invalid_value"
    shown = param[:200].encode("utf-8", "replace").decode()
    return ClientError(code, f"`{shown}`: {first['msg']}", param=shown, event_id=event_id)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _json_name(value: Any) -> str:
    names = {list: "array", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names[type(value)]


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
"""Made once: `json.loads` with options makes one for every message."""
