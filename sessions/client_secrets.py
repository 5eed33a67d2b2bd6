"""What a client may ask of `POST /v1/realtime/client_secrets`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from sessions.errors import BadRequest
from sessions.keys import CLIENT_SECRET_LIFETIME_S
from sessions.realtime.errors import ClientError
from sessions.realtime.session_config import SessionConfig, merged


class ExpiresAfter(BaseModel):
    model_config = ConfigDict(frozen=True)
    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Field(ge=10, le=7200)] = CLIENT_SECRET_LIFETIME_S


class SecretRequest(BaseModel):
    """OpenAI's body. Unknown keys are ignored; `session.model` names the character."""

    model_config = ConfigDict(frozen=True)
    expires_after: ExpiresAfter = ExpiresAfter()
    session: dict[str, JsonValue] = {}

    @property
    def model(self) -> str:
        model = self.session.get("model", "")
        return model if isinstance(model, str) else ""


def read_secret_request(body: bytes, voices: frozenset[str]) -> SecretRequest:
    """Raises `BadRequest` naming what is wrong: better now than at each socket."""
    try:
        wanted = SecretRequest.model_validate_json(body or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise BadRequest(f"{place or 'the body'}: {first['msg']}") from None
    try:
        merged(SessionConfig("", "", ""), wanted.session, voices=voices, has_spoken=False, event_id=None)
    except ClientError as error:
        raise BadRequest(error.message) from None
    return wanted
