"""What a live session is made from, and where it is written down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inference.client import VoiceStream
from sessions.live.cast import LiveCast
from sessions.live.journal import Pages
from sessions.live.limits import Limits
from sessions.live.memory import Past
from sessions.realtime.session_config import SessionConfig

if TYPE_CHECKING:
    from sessions.live.session import LiveSession


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


class Store(Pages, Protocol):
    """Where a session is written down. Raises `Fenced` once another process holds the session."""

    async def amend_turn(self, item_id: str, text: str) -> None: ...

    async def touch(self, totals: Totals) -> Standing: ...

    async def finish(self, reason: str, totals: Totals) -> None: ...

    async def let_go(self) -> None:
        """The process stops and the session goes on: whoever its client reaches next may take it at once."""


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
    on_end: Callable[["LiveSession"], None]
    """Told when everything is stored."""

    fence: int = 0
    """Of this process's hold on the session."""

    past: Past | None = None
    """What was before, where the session is rebuilt from its rows."""
