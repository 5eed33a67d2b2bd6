"""What a client was told was said, by both sides: to be compared with what is stored."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Said:
    """One item of the conversation as the client knows it."""

    speaker: str
    text: str = ""
    """So far, or all of it."""

    done: bool = False
    """The server has said that this is all."""

    cut: str | None = None
    """What was heard of it, when it was cut short."""

    @property
    def heard(self) -> str:
        return " ".join((self.text if self.cut is None else self.cut).split())


@dataclass(slots=True)
class Conversation:
    """Every item, in the order in which they appeared."""

    items: dict[str, Said] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)
    """How each response ended."""

    failures: list[str] = field(default_factory=list)
    """Why responses failed."""

    word_times: list[float] = field(default_factory=list)
    """When captions arrived, on the client's clock in seconds."""

    def note(self, event: dict[str, Any], now: float) -> None:
        kind = event["type"]
        if kind == "conversation.item.added":
            self._added(event["item"])
        elif kind == "response.output_audio_transcript.delta":
            self._character(event["item_id"]).text += event["delta"]
            self.word_times.append(now)
        elif kind == "response.output_audio_transcript.done":
            item = self._character(event["item_id"])
            item.text, item.done = event["transcript"], True
        elif kind == "troupe.caption.cut":
            self._character(event["item_id"]).cut = event["text"]
        elif kind == "conversation.item.deleted":
            self.items.pop(event["item_id"], None)
        elif kind == "response.done":
            self.statuses.append(event["response"]["status"])
            error = (event["response"].get("status_details") or {}).get("error")
            if error:
                self.failures.append(error.get("code", "unknown"))

    def _added(self, item: dict[str, Any]) -> None:
        role = item.get("role")
        if role == "assistant":
            self._character(item["id"])
        elif role == "user":
            parts = item.get("content") or []
            text = " ".join(part.get("text") or part.get("transcript") or "" for part in parts)
            self.items.setdefault(item["id"], Said("user", text, done=True))

    def _character(self, item_id: str) -> Said:
        return self.items.setdefault(item_id, Said("character"))
