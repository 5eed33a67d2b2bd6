"""How a socket or a session ends: the close codes of docs/protocol.md and what people are told."""

from dataclasses import dataclass
from enum import IntEnum

from inference.errors import AtCapacity, InferenceError, WorkerUnavailable
from sessions.errors import Fenced


class CloseCode(IntEnum):
    DONE = 1000
    TOO_LARGE = 1009
    RESTARTING = 1012
    MALFORMED = 4400
    NOT_AUTHENTICATED = 4401
    NOT_ALLOWED = 4403
    NO_CHARACTER = 4404
    TIMED_OUT = 4408
    TAKEN_OVER = 4409
    TOO_SLOW = 4413
    LIMIT = 4429
    INTERNAL = 4500
    AT_CAPACITY = 4503


@dataclass(frozen=True, slots=True)
class Closing:
    """Why a session ends. `reason` is one of docs/protocol.md's `troupe.session.closing`."""

    code: CloseCode
    reason: str
    message: str
    stores: bool = True
    """Whether what was said, and how it ended, is ours to write."""


ENDED = Closing(CloseCode.DONE, "ended", "The conversation has ended.")
FAREWELL = Closing(CloseCode.DONE, "farewell", "The character has said goodbye.")
GUEST_LIMIT = Closing(CloseCode.LIMIT, "limit", "Your time for today is used up. Sign in to talk longer.")
LENGTH_LIMIT = Closing(CloseCode.TIMED_OUT, "limit", "This conversation has reached its longest length.")
IDLE = Closing(CloseCode.TIMED_OUT, "idle", "Nobody has spoken for a while.")
DRAINING = Closing(CloseCode.RESTARTING, "draining", "The server is restarting. Please connect again.")
SUSPENDED = Closing(CloseCode.RESTARTING, "draining", "The server is restarting. You will be connected again.")
"""The conversation goes on in another process."""

REPLACED = Closing(CloseCode.TAKEN_OVER, "replaced", "The conversation goes on in another window.")
FENCED = Closing(CloseCode.TAKEN_OVER, "replaced", "The conversation goes on elsewhere.", stores=False)
"""Another process holds the session: nothing of it is ours to write any more."""

FAULT = Closing(CloseCode.INTERNAL, "fault", "Something went wrong on our side. Please start again.")
WORKER_LOST = Closing(CloseCode.AT_CAPACITY, "fault", "The voice engine stopped. Please try again in a moment.")
NOT_ALLOWED = Closing(CloseCode.NOT_ALLOWED, "ended", "You may not go on with this conversation.")
ABANDONED = Closing(CloseCode.TIMED_OUT, "abandoned", "The connection did not come back.")
LEFT = Closing(CloseCode.DONE, "ended", "The client has left.")


def closing_for(error: BaseException) -> Closing:
    """What an error in a running session means for its client."""
    if isinstance(error, Fenced):
        return FENCED
    return WORKER_LOST if isinstance(error, AtCapacity | WorkerUnavailable) else FAULT


RETRY_AFTER_S = 5


def error_fields(error: InferenceError) -> dict[str, object]:
    """The fields of an `error` event about this error that are not the client's business to know otherwise."""
    return {"retry_after_s": RETRY_AFTER_S} if error.retryable else {}
