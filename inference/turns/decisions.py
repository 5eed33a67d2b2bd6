"""What the floor decides. Positions `*_s` are seconds of the user's input."""

from dataclasses import dataclass
from typing import Literal

from inference.protocol import SilenceElapsed


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The user has taken a turn; its voice began at `start_s`."""

    start_s: float
    interrupts: bool = False
    """The answer in progress is cancelled for it."""

    after_echo: bool = False
    """What was recognised before it is the character's own voice: read anew from shortly before now."""


@dataclass(frozen=True, slots=True)
class TurnContinued:
    """The user goes on with the turn that was thought to be over: its reading is to be replaced, and an answer that
    is on its way cancelled."""

    start_s: float


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The turn is over; its voice ended at `end_s`."""

    start_s: float
    end_s: float
    voice_ended_at: float
    """The same on the clock."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Cancel the answer."""


@dataclass(frozen=True, slots=True)
class ReadVoice:
    """A voice that is no turn yet has ended: finish its reading and hand it to `Floor.reading`."""


@dataclass(frozen=True, slots=True)
class Overlapped:
    """What is made of a voice during the character's speech. `duck` lowers the output, the others restore it."""

    decision: Literal["duck", "resume", "cancel", "backchannel", "echo"]
    text: str = ""


Decision = TurnStarted | TurnContinued | TurnEnded | Interrupt | ReadVoice | Overlapped | SilenceElapsed
