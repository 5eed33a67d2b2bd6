"""What a session leaves behind so that another process can go on with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

VERSION = 1
LEAP = 1_000
"""Between two writes of a memory the numbers of responses and epochs run on: a rebuilt session begins beyond them."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Stored with the turns, as JSON. Beside it stands the transcript, which is the truth about what was said."""

    mind: Mapping[str, Any]
    voice: str
    style: str
    config: Mapping[str, Any]
    """The client's settings: `session_config.saved`."""

    speaking: str = ""
    """The response that was being spoken when this was written."""

    speaking_item: str = ""
    num_responses: int = 0
    epoch: int = 0
    heard_s: float = 0.0
    user_s: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return {"version": VERSION, **asdict(self)}


def memory_from(data: Mapping[str, Any]) -> Memory | None:
    """None for what is not a memory of this version."""
    if data.get("version") != VERSION:
        return None
    try:
        return Memory(**{name: value for name, value in data.items() if name != "version"})
    except TypeError:
        return None


@dataclass(frozen=True, slots=True)
class PastTurn:
    """A row of the transcript."""

    index: int
    item_id: str
    by_listener: bool
    text: str
    full_text: str
    interrupted: bool
    typed: bool


@dataclass(frozen=True, slots=True)
class Past:
    """A session as its rows tell it."""

    turns: tuple[PastTurn, ...]
    memory: Memory | None
    elapsed_s: float
    heard_s: float
    user_s: float
    after: int = 0
    """The last number its client has received: it counts on from there."""

    worker: str = ""
    """Where it was served last: what it needs may still be loaded there."""

    @property
    def cut_short(self) -> PastTurn | None:
        """The character's turn that nobody but the crash ended."""
        last = self.turns[-1] if self.turns else None
        if last is None or last.by_listener or self.memory is None or not last.interrupted:
            return None
        return last if last.item_id == self.memory.speaking_item else None

    @property
    def unanswered(self) -> PastTurn | None:
        """What the user said last, when the character has not said a word to it."""
        last = self.turns[-1] if self.turns else None
        return last if last is not None and last.by_listener else None
