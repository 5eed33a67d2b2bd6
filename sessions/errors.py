"""Why a conversation may not begin or go on, as pages and sockets tell it."""


class Refusal(Exception):
    """Base of all. `code` is stable and may be shown; `status` is HTTP's, `close_code` the socket's."""

    code = "not_allowed"
    status = 403
    close_code = 4403

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s


class BadRequest(Refusal):
    code = "invalid_request"
    status = 400
    close_code = 4400


class NotAuthenticated(Refusal):
    code = "not_authenticated"
    status = 401
    close_code = 4401


class NotAllowed(Refusal):
    pass


class NoCharacter(Refusal):
    code = "no_such_character"
    status = 404
    close_code = 4404


class NoVoiceModel(Refusal):
    """The character needs a voice model that this server has not loaded."""

    code = "no_voice_model"
    status = 409
    close_code = 4404


class NoSession(Refusal):
    code = "no_such_session"
    status = 404
    close_code = 4404


class SessionOver(Refusal):
    code = "session_over"
    status = 410
    close_code = 4408


class LimitReached(Refusal):
    code = "limit_reached"
    status = 429
    close_code = 4429


class Full(Refusal):
    code = "at_capacity"
    status = 503
    close_code = 4503


class Fenced(Exception):
    """Another process holds the conversation by now. The writer has changed nothing and must let go of it."""


class Held(Exception):
    """Another process holds the conversation and has not lost it: ask there, or take over by naming its fence."""

    def __init__(self, holder: str, url: str, fence: int) -> None:
        super().__init__(f"held by {holder} (fence {fence})")
        self.holder = holder
        self.url = url
        self.fence = fence
