"""What the parts of one live session share, and whom they tell."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from characters.mind.base import ActivityChanged, ChangeStyle, Mind
from inference.client import VoiceStream
from sessions.live.downlink import Downlink
from sessions.live.journal import Journal
from sessions.live.tasks import Tasks
from sessions.realtime.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Stage:
    """What the parts of one session share."""

    stream: VoiceStream
    mind: Mind
    downlink: Downlink
    journal: Journal
    tasks: Tasks
    conversation: Conversation
    conversation_id: str
    began_at: float
    """`time.monotonic` at the start of the session."""

    def now_ms(self) -> int:
        return round((time.monotonic() - self.began_at) * 1000)


@dataclass(frozen=True, slots=True)
class Notices:
    """Whom the answers tell about what happens."""

    change_style: Callable[[ChangeStyle], None]
    show_activity: Callable[[ActivityChanged], None]
    hang_up: Callable[[int], None]
    """The call ends; so many ms of speech are still to be played."""
