"""The shorter way between a socket and its session, where the server offers one (`config.web_server.Sockets`)."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

DIRECT = "troupe.direct"
"""The extension of the ASGI scope."""


class DirectSocket(Protocol):
    def listen(self, on_binary: Callable[[bytes], bool]) -> None:
        """Binary messages go there at once. False: it cannot be taken now, and comes by ASGI."""

    def send_now(self, payload: str | bytes) -> bool:
        """Sends if the socket has room. False: it was not sent."""


def direct_socket(scope: Mapping[str, Any]) -> DirectSocket | None:
    """None where only ASGI's own way exists: another server, or a test."""
    found: DirectSocket | None = scope.get("extensions", {}).get(DIRECT, {}).get("socket")
    return found
