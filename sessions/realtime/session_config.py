"""The settings of a session: what a client may change of them, and what they mean for turn-taking."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from inference.protocol import AUDIO_RATE_HZ, StyleSpec, TurnTaking
from sessions.realtime.client_events import Instructions, from_validation
from sessions.realtime.errors import ClientError

OPENAI_VOICES = frozenset({"alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"})
"""Names that OpenAI clients send without being asked. Here they mean the character's own voice."""

EAGERNESS_PATIENCE = {"low": 1.6, "medium": 1.0, "auto": 1.0, "high": 0.6}
KEPT_KEYS = ("tools", "tool_choice", "tracing", "truncation", "include", "prompt", "reasoning", "parallel_tool_calls")
"""Accepted and shown again, without effect: a character calls no tools."""

MAX_KEPT_CHARS = 64_000
PCM = {"type": "audio/pcm", "rate": AUDIO_RATE_HZ}


class _Patch(BaseModel):
    """Unknown keys are ignored; a key given as null differs from one not given (`model_fields_set`)."""

    model_config = ConfigDict(frozen=True)


class FormatPatch(_Patch):
    type: Literal["audio/pcm"]
    rate: Literal[24000] = 24000


class TurnDetection(_Patch):
    """How the server finds turns. None leaves a value to the character."""

    type: Literal["server_vad", "semantic_vad"] = "server_vad"
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    prefix_padding_ms: Annotated[int, Field(ge=0, le=5_000)] | None = None
    silence_duration_ms: Annotated[int, Field(ge=0, le=10_000)] | None = None
    idle_timeout_ms: Annotated[int, Field(ge=1_000, le=300_000)] | None = None
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None

    @property
    def answers(self) -> bool:
        return self.create_response is not False

    @property
    def interrupts(self) -> bool:
        return self.interrupt_response is not False


class InputPatch(_Patch):
    format: FormatPatch | None = None
    transcription: dict[str, JsonValue] | None = None
    noise_reduction: dict[str, JsonValue] | None = None
    turn_detection: TurnDetection | None = None


class VoiceId(_Patch):
    id: Annotated[str, Field(max_length=80)]


class OutputPatch(_Patch):
    format: FormatPatch | None = None
    voice: Annotated[str, Field(max_length=80)] | VoiceId | None = None
    speed: Annotated[float, Field(ge=0.25, le=1.5)] | None = None


class AudioPatch(_Patch):
    input: InputPatch | None = None
    output: OutputPatch | None = None


class SessionPatch(_Patch):
    type: Literal["realtime"] = "realtime"
    instructions: Instructions | None = None
    output_modalities: Annotated[tuple[Literal["text", "audio"], ...], Field(min_length=1, max_length=2)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] | None = None
    audio: AudioPatch | None = None


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """The effective settings."""

    model: str
    voice: str
    own_voice: str
    """The character's own: what an OpenAI voice name stands for."""

    instructions: str = ""
    speaks: bool = True
    """False: output is text."""

    speed: float = 1.0
    max_output_tokens: int | str = "inf"
    transcription: Mapping[str, Any] | None = field(default_factory=lambda: {"model": "ears"})
    noise_reduction: Mapping[str, Any] | None = None
    turn_detection: TurnDetection | None = field(default_factory=TurnDetection)
    kept: Mapping[str, Any] = field(default_factory=dict)

    def public(self, session_id: str, profile: TurnTaking) -> dict[str, Any]:
        """The `session` object of the protocol."""
        return {
            "type": "realtime",
            "object": "realtime.session",
            "id": session_id,
            "model": self.model,
            "instructions": self.instructions,
            "output_modalities": ["audio"] if self.speaks else ["text"],
            "max_output_tokens": self.max_output_tokens,
            "tools": [],
            "tool_choice": "auto",
            "audio": {
                "input": {
                    "format": PCM,
                    "transcription": self.transcription,
                    "noise_reduction": self.noise_reduction,
                    "turn_detection": self._public_turn_detection(profile),
                },
                "output": {"format": PCM, "voice": self.voice, "speed": self.speed},
            },
            **self.kept,
        }

    def _public_turn_detection(self, profile: TurnTaking) -> dict[str, Any] | None:
        rules = self.turn_detection
        if rules is None:
            return None
        shared = {"create_response": rules.answers, "interrupt_response": rules.interrupts}
        if rules.type == "semantic_vad":
            return {"type": rules.type, "eagerness": rules.eagerness or "auto", **shared}
        silence_ms = rules.silence_duration_ms
        return {
            "type": rules.type,
            "threshold": 0.5 if rules.threshold is None else rules.threshold,
            "prefix_padding_ms": 300 if rules.prefix_padding_ms is None else rules.prefix_padding_ms,
            "silence_duration_ms": round(profile.patience_s * 1000) if silence_ms is None else silence_ms,
            "idle_timeout_ms": rules.idle_timeout_ms,
            **shared,
        }


def merged(
    config: SessionConfig, update: Mapping[str, Any], *, voices: frozenset[str], has_spoken: bool, event_id: str | None
) -> SessionConfig:
    """`config` with a `session.update` applied as a whole. Raises `ClientError` and then nothing of it is applied."""
    try:
        patch = SessionPatch.model_validate(update)
    except ValidationError as error:
        raise from_validation(error, event_id=event_id, prefix="session.") from None
    audio = patch.audio or AudioPatch()
    changes: dict[str, Any] = {}
    for name in ("instructions", "max_output_tokens"):
        value = getattr(patch, name)
        if value is not None:
            changes[name] = value
    if patch.output_modalities is not None:
        changes["speaks"] = speaks(patch.output_modalities, param="session.output_modalities", event_id=event_id)
    changes |= _output_changes(config, audio.output or OutputPatch(), voices, has_spoken, event_id)
    given = audio.input or InputPatch()
    changes |= {name: getattr(given, name) for name in given.model_fields_set - {"format"}}
    changes["kept"] = _kept(config, update, event_id)
    return replace(config, **changes)


def speaks(modalities: tuple[str, ...], *, param: str, event_id: str | None) -> bool:
    """Whether these output modalities mean audio. Raises `ClientError` for both at once."""
    if len(set(modalities)) != 1:
        raise ClientError("invalid_value", "ask for audio or for text, not both", param=param, event_id=event_id)
    return modalities[0] == "audio"


def _output_changes(
    config: SessionConfig, patch: OutputPatch, voices: frozenset[str], has_spoken: bool, event_id: str | None
) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if patch.speed is not None:
        changes["speed"] = patch.speed
    if patch.voice is None:
        return changes
    wanted = patch.voice if isinstance(patch.voice, str) else patch.voice.id
    voice = config.own_voice if wanted in OPENAI_VOICES and wanted not in voices else wanted
    param = "session.audio.output.voice"
    if voice not in voices and voice != config.own_voice:
        raise ClientError("invalid_value", "there is no such voice", param=param, event_id=event_id)
    if has_spoken and voice != config.voice:
        message = "the voice cannot change once the character has spoken"
        raise ClientError("cannot_update_voice", message, param=param, event_id=event_id)
    return {**changes, "voice": voice}


def _kept(config: SessionConfig, update: Mapping[str, Any], event_id: str | None) -> dict[str, Any]:
    kept = dict(config.kept) | {name: update[name] for name in KEPT_KEYS if name in update}
    if sum(len(str(value)) for value in kept.values()) > MAX_KEPT_CHARS:
        message = f"tools, prompt and the like are longer than {MAX_KEPT_CHARS} characters"
        raise ClientError("invalid_value", message, param="session", event_id=event_id)
    return kept


def turn_taking(config: SessionConfig, profile: TurnTaking, *, prompts_by_itself: bool) -> TurnTaking:
    """The character's profile bent to what the client asked for.

    `prompts_by_itself` keeps the character's own silence prompts; a plain OpenAI client gets them only by
    `idle_timeout_ms`.
    """
    rules = config.turn_detection or TurnDetection()
    changes: dict[str, Any] = {}
    if rules.type == "server_vad" and rules.silence_duration_ms is not None:
        patience_s = min(max(rules.silence_duration_ms / 1000, 0.2), 5.0)
        changes["patience_s"] = patience_s
        changes["finished_patience_s"] = min(profile.finished_patience_s, patience_s)
        changes["unfinished_patience_s"] = max(profile.unfinished_patience_s, patience_s)
    elif rules.type == "semantic_vad":
        scale = EAGERNESS_PATIENCE[rules.eagerness or "auto"]
        changes["patience_s"] = min(max(profile.patience_s * scale, 0.15), 5.0)
        changes["finished_patience_s"] = min(max(profile.finished_patience_s * scale, 0.1), 5.0)
        changes["unfinished_patience_s"] = min(max(profile.unfinished_patience_s * scale, 0.2), 10.0)
    if not rules.interrupts:
        changes["interruptibility"] = 0.0
    if rules.idle_timeout_ms is not None:
        changes["silence_prompt_s"] = rules.idle_timeout_ms / 1000
    if not prompts_by_itself:
        changes["farewell_s"] = 0.0
        changes.setdefault("silence_prompt_s", 0.0)
    return profile.with_(**changes)


def styled(config: SessionConfig, style: StyleSpec) -> StyleSpec:
    """The style with the session's speed in it."""
    return style.with_(rate=min(max(style.rate * config.speed, 0.5), 2.0))


SAVED = ("instructions", "speaks", "speed", "max_output_tokens", "transcription", "noise_reduction", "kept")


def saved(config: SessionConfig) -> dict[str, Any]:
    """What a client has changed of its settings, as plain data; the voice is kept apart."""
    rules = config.turn_detection
    fields = {name: getattr(config, name) for name in SAVED}
    return {**fields, "turn_detection": None if rules is None else rules.model_dump(mode="json")}


def with_saved(config: SessionConfig, data: Mapping[str, Any]) -> SessionConfig:
    """`config` with what `saved` gave. Raises `ValueError` for data that is none."""
    rules = data.get("turn_detection")
    fields = {name: data[name] for name in SAVED if name in data}
    detection = None if rules is None else TurnDetection.model_validate(rules)
    return replace(config, **fields, turn_detection=detection)
