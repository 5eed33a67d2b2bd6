"""What a live session is made from, and where it is written down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from inference.client import VoiceStream
from sessions.live.cast import LiveCast
from sessions.live.journal import TurnRecord
from sessions.live.limits import Limits
from sessions.realtime.session_config import SessionConfig


@dataclass(frozen=True, slots=True)
class Totals:
    """What a session amounted to."""

    heard_s: float
    user_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """What the books say about who is talking."""

    allowed: bool
    remaining_s: float | None


class Store(Protocol):
    """Where a session is written down."""

    async def write_turn(self, turn: TurnRecord) -> None: ...

    async def amend_turn(self, item_id: str, text: str) -> None: ...

    async def touch(self, totals: Totals) -> Standing: ...

    async def finish(self, reason: str, totals: Totals) -> None: ...


@dataclass(frozen=True, slots=True)
class Call:
    """What a live session is made from."""

    cast: LiveCast
    config: SessionConfig
    stream: VoiceStream
    store: Store
    limits: Limits
    remaining_s: float | None
    tier: bool
    on_end: Callable[[str], None]
    """Told the session's id when everything is stored."""
