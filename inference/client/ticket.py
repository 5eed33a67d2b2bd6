"""What a lease gives to open a stream with."""

from dataclasses import dataclass

EMBEDDED_URL = "embedded:"
"""The address of the worker in this process."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One use of one slot of one worker."""

    worker: str
    """The worker's id, the audience of the token."""

    url: str
    """`EMBEDDED_URL` or `ws://host:port/stream`."""

    token: str
    """See `inference.client.stream_token`; empty for the embedded worker."""

    fence: int
    """Fencing number of the session's streams: the highest one wins, 0 claims nothing."""

    lease: str
    """The lease's id, hex."""

    session: str
    """The session's id; a stream opened with this ticket must be for it."""
