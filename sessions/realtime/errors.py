"""What a client did wrong, as the protocol tells it."""

from typing import Any


class ClientError(Exception):
    """A client event that cannot be honoured. The session goes on."""

    def __init__(self, code: str, message: str, *, param: str | None = None, event_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.event_id = event_id

    def event(self) -> dict[str, Any]:
        return error_event(self.code, self.message, param=self.param, event_id=self.event_id)


def error_event(
    code: str,
    message: str,
    *,
    kind: str = "invalid_request_error",
    param: str | None = None,
    event_id: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    """An `error` event. `kind` is `invalid_request_error` for the client's fault, `server_error` for ours."""
    error = {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id, **more}
    return {"type": "error", "error": error}
