"""The life of one response as the protocol tells it: created, item, part, deltas, and all of them done, in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from inference.protocol import AUDIO_RATE_HZ, FRAME_MS, SAMPLE_BYTES
from sessions.realtime import server_events as events
from sessions.realtime.conversation import Conversation, Item, Spoken
from sessions.realtime.server_events import Event

MAX_DELTA_BYTES = AUDIO_RATE_HZ * SAMPLE_BYTES // 5
"""200 ms: more in one audio delta would make a player wait."""

RESPONSE_PREFIX = "resp_"
"""Of the ids that the web side chooses; those that a worker chooses begin differently."""

Outcome = Literal["completed", "cancelled", "failed", "incomplete"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a response ended."""

    status: Outcome
    reason: str = ""
    """`turn_detected`, `client_cancelled`, `max_output_tokens`, or the code of a failure."""

    def details(self) -> Event | None:
        if self.status == "completed":
            return None
        if self.status == "failed":
            error = {"type": "server_error", "code": self.reason or "server_error", "message": "the answer failed"}
            return {"type": "failed", "error": error}
        return {"type": self.status, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class ResponsePlan:
    """What was asked of a response."""

    speaks: bool = True
    voice: str = ""
    instructions: str = ""
    metadata: Mapping[str, str] | None = None
    max_output_tokens: int | str = "inf"
    input_words: int = 0
    input_audio_ms: int = 0


@dataclass(slots=True)
class Response:
    """Builds the events of one response and keeps its item. Each method returns what to send, in order.

    Usage counts one text token per word and one audio token per 40 ms frame, the character's context not included:
    numbers that a client can check.
    """

    id: str
    item_id: str
    conversation_id: str
    plan: ResponsePlan
    conversation: Conversation
    status: str = "in_progress"
    item: Item | None = None
    text: str = ""
    audio_ms: float = 0.0
    _ending: Ending | None = field(default=None, repr=False)

    def created(self) -> list[Event]:
        return [events.response_created(self.public())]

    def begin(self) -> list[Event]:
        """The item and its part appear. Idempotent."""
        if self.item is not None:
            return []
        self.item = Item(id=self.item_id, role="assistant", status="in_progress")
        previous = self.conversation.append(self.item)
        item = self.item.public()
        self.item.parts.append(self._content())
        return [
            events.output_item_added(response_id=self.id, item=item),
            events.item_added(item, previous_item_id=previous),
            self._in_part("content_part.added", part=self._part()),
        ]

    def audio(self, pcm: bytes) -> list[Event]:
        """Audio deltas of at most 200 ms each."""
        pieces = (pcm[at : at + MAX_DELTA_BYTES] for at in range(0, len(pcm), MAX_DELTA_BYTES))
        return [events.audio_delta(response_id=self.id, item_id=self.item_id, pcm=piece) for piece in pieces]

    def count_audio(self, num_bytes: int) -> None:
        self.audio_ms += num_bytes * 1000 / (AUDIO_RATE_HZ * SAMPLE_BYTES)

    def word(self, text: str, start_ms: int) -> list[Event]:
        """A spoken word, with the space before it."""
        assert self.item is not None
        self.item.words.append(Spoken(text, start_ms))
        self.text += text
        return [self._in_part("output_audio_transcript.delta", delta=text)]

    def written(self, text: str) -> list[Event]:
        """A piece of a text answer."""
        self.text += text
        return [self._in_part("output_text.delta", delta=text)]

    def done(self, ending: Ending) -> list[Event]:
        """Everything still open closes. The part's text is what the deltas made; see `cut_to` for what was heard."""
        self.status, self._ending = ending.status, ending
        closing: list[Event] = []
        if self.item is not None:
            self.item.status = "completed" if ending.status == "completed" else "incomplete"
            self.item.parts = [self._content()]
            self.item.sent_ms = round(self.audio_ms)
            item = self.item.public()
            previous = self.conversation.previous_of(self.item_id) if self.conversation.get(self.item_id) else None
            closing = [
                *self._part_done(),
                self._in_part("content_part.done", part=self._part()),
                events.output_item_done(response_id=self.id, item=item),
                events.item_done(item, previous_item_id=previous),
            ]
        return [*closing, events.response_done(self.public())]

    def public(self) -> Event:
        ended = self._ending is not None
        return {
            "id": self.id,
            "object": "realtime.response",
            "conversation_id": self.conversation_id,
            "status": self.status,
            "status_details": self._ending.details() if self._ending else None,
            "output": [self.item.public()] if ended and self.item else [],
            "output_modalities": ["audio"] if self.plan.speaks else ["text"],
            "max_output_tokens": self.plan.max_output_tokens,
            "metadata": dict(self.plan.metadata) if self.plan.metadata is not None else None,
            "audio": {
                "output": {"format": {"type": "audio/pcm", "rate": AUDIO_RATE_HZ}, "voice": self.plan.voice or None}
            },
            "usage": self._usage() if ended else None,
        }

    def _usage(self) -> Event:
        text_in, audio_in = self.plan.input_words, round(self.plan.input_audio_ms / FRAME_MS)
        text_out, audio_out = num_words(self.text), round(self.audio_ms / FRAME_MS)
        return {
            "total_tokens": text_in + audio_in + text_out + audio_out,
            "input_tokens": text_in + audio_in,
            "output_tokens": text_out + audio_out,
            "input_token_details": {
                "text_tokens": text_in,
                "audio_tokens": audio_in,
                "image_tokens": 0,
                "cached_tokens": 0,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
            },
            "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
        }

    def _in_part(self, kind: str, **fields: Any) -> Event:
        return events.in_part(kind, response_id=self.id, item_id=self.item_id, **fields)

    def _part(self) -> Event:
        """The part of `response.content_part.*`, whose types are named differently from an item's."""
        text = self.text.strip()
        return {"type": "audio", "transcript": text} if self.plan.speaks else {"type": "text", "text": text}

    def _content(self) -> Event:
        text = self.text.strip()
        if self.plan.speaks:
            return {"type": "output_audio", "transcript": text}
        return {"type": "output_text", "text": text}

    def _part_done(self) -> list[Event]:
        text = self.text.strip()
        if not self.plan.speaks:
            return [self._in_part("output_text.done", text=text)]
        return [
            self._in_part("output_audio.done"),
            self._in_part("output_audio_transcript.done", transcript=text),
        ]


def num_words(text: str) -> int:
    """Words, counting each ideograph as one."""
    ideographs = sum("\u3400" <= letter <= "\u9fff" for letter in text)
    return ideographs + len("".join(" " if "\u3400" <= letter <= "\u9fff" else letter for letter in text).split())
