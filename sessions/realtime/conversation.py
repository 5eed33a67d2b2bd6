"""The items of a conversation: a linked list that both sides agree on."""

from dataclasses import dataclass, field
from typing import Any, Literal

from sessions.realtime.client_events import ClientItem, Message
from sessions.realtime.errors import ClientError

MAX_ITEMS = 4_000
ROOT = "root"
"""`previous_item_id` that means the start."""

Status = Literal["completed", "incomplete", "in_progress"]


@dataclass(slots=True)
class Spoken:
    """A word and when it begins in the audio of its item."""

    text: str
    start_ms: int


@dataclass(slots=True)
class Item:
    """One message, or one call of a tool that a client replays. Audio itself is not kept."""

    id: str
    role: Literal["user", "assistant", "system", ""] = ""
    status: Status = "completed"
    parts: list[dict[str, Any]] = field(default_factory=list)
    call: dict[str, Any] | None = None
    """The fields of a `function_call` or `function_call_output` item."""

    words: list[Spoken] = field(default_factory=list)
    sent_ms: int = 0
    answered: bool = False
    """A user's item that an answer has been given to."""

    typed: bool = False

    @property
    def text(self) -> str:
        """All its words."""
        return " ".join(filter(None, (part.get("text") or part.get("transcript") or "" for part in self.parts)))

    def public(self) -> dict[str, Any]:
        common = {"id": self.id, "object": "realtime.item", "status": self.status}
        if self.call is not None:
            return {**common, **self.call}
        return {**common, "type": "message", "role": self.role, "content": [dict(part) for part in self.parts]}


class Conversation:
    """The items in order. Ids are unique for as long as the conversation lives."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._order: list[str] = []

    def __len__(self) -> int:
        return len(self._order)

    @property
    def items(self) -> list[Item]:
        return [self._items[item_id] for item_id in self._order]

    @property
    def last_id(self) -> str | None:
        return self._order[-1] if self._order else None

    def get(self, item_id: str) -> Item | None:
        return self._items.get(item_id)

    def previous_of(self, item_id: str) -> str | None:
        place = self._order.index(item_id)
        return self._order[place - 1] if place else None

    def append(self, item: Item) -> str | None:
        """Adds at the end; returns the id of the item before."""
        previous = self.last_id
        self._items[item.id] = item
        self._order.append(item.id)
        if len(self._order) > MAX_ITEMS:
            # Items the server adds must always find room: the oldest gives way.
            self._items.pop(self._order.pop(0))
        return previous

    def insert(self, item: Item, *, after: str | None, event_id: str | None) -> str | None:
        """Adds a client's item after `after` (None: at the end). Raises `ClientError`."""
        if item.id in self._items:
            message = f"there is an item {item.id!r} already"
            raise ClientError("item_create_duplicate_id", message, param="item.id", event_id=event_id)
        if len(self._order) >= MAX_ITEMS:
            message = f"the conversation holds {MAX_ITEMS} items: delete some first"
            raise ClientError("conversation_full", message, event_id=event_id)
        if after is None:
            return self.append(item)
        if after != ROOT and after not in self._items:
            message = f"there is no item {after!r} to follow"
            raise ClientError("invalid_value", message, param="previous_item_id", event_id=event_id)
        place = 0 if after == ROOT else self._order.index(after) + 1
        self._items[item.id] = item
        self._order.insert(place, item.id)
        return self._order[place - 1] if place else None

    def delete(self, item_id: str) -> bool:
        """Whether there was such an item."""
        if self._items.pop(item_id, None) is None:
            return False
        self._order.remove(item_id)
        return True

    def unanswered(self) -> list[Item]:
        """The user's items since the assistant last spoke that no answer was begun to, in order."""
        waiting: list[Item] = []
        for item in reversed(self.items):
            if item.role == "assistant":
                break
            if item.role == "user" and not item.answered:
                waiting.append(item)
        return waiting[::-1]

    def truncate(self, item_id: str, *, content_index: int, audio_end_ms: int, event_id: str | None) -> str:
        """Cuts an assistant's spoken item to the words begun before `audio_end_ms`, and returns them.

        Raises `ClientError`. A place beyond the end of the audio cuts nothing: clients reckon with what they buffered.
        """
        item = self._items.get(item_id)
        if item is None:
            raise ClientError(
                "item_truncate_invalid_item_id", "there is no such item", param="item_id", event_id=event_id
            )
        if item.role != "assistant" or content_index >= len(item.parts):
            message = "only what the assistant said can be truncated"
            raise ClientError("invalid_value", message, param="content_index", event_id=event_id)
        cut(item, audio_end_ms)
        return item.text


def cut(item: Item, audio_end_ms: int) -> None:
    """Drops the words of a spoken item that begin at or after `audio_end_ms`."""
    kept = [word for word in item.words if word.start_ms < audio_end_ms]
    if len(kept) == len(item.words):
        return
    item.words = kept
    item.parts[0]["transcript"] = "".join(word.text for word in kept).strip()


def item_from(client_item: ClientItem, *, item_id: str, event_id: str | None) -> Item:
    """A client's item as we keep it. Raises `ClientError` for content that cannot be understood."""
    if not isinstance(client_item, Message):
        return Item(id=item_id, call=client_item.model_dump(exclude={"id"}, exclude_none=True))
    item = Item(id=item_id, role=client_item.role, typed=client_item.role == "user")
    for index, content in enumerate(client_item.content):
        text = content.text or content.transcript
        if text is None:
            param = f"item.content.{index}"
            message = "audio goes through input_audio_buffer.append; an item needs `text` or `transcript`"
            raise ClientError("unsupported_content", message, param=param, event_id=event_id)
        spoken = content.transcript is not None and content.text is None
        if client_item.role == "assistant":
            item.parts.append({"type": "output_text", "text": text})
        elif spoken and client_item.role == "user":
            item.parts.append({"type": "input_audio", "transcript": text})
        else:
            item.parts.append({"type": "input_text", "text": text})
    return item
