"""What a moving stream reports besides the worker's own events."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moved:
    """Another worker has taken the stream over."""

    reason: str
    """`lost` or `drained`."""

    response_id: str | None
    """The response that goes on there."""

    utterance_id: str | None
    """A turn of the user that had begun; its last seconds were sent again."""

    still_unheard: Callable[[], bool]
    """Whether the new ears have found no voice in them yet."""

    gap_ms: int
    """From the end of the old stream to the opening of the new one."""
