"""Signed, short-lived leave to open one stream on one worker, and the worker's own proof of who it is.

JSON web tokens, HS256, with the key that web side and workers share. A stream token names its worker as audience and
is good for one stream: the worker remembers the lease until the token has run out.
"""

from dataclasses import dataclass
from typing import Any

import jwt

from inference.errors import TokenRefused

LIFETIME_S = 30.0
LEEWAY_S = 2.0
"""What `exp` may lie back: it is reckoned in the worker's clock, known from heartbeats."""

WEB_AUDIENCE = "troupe-web"
ANNOUNCEMENT_LIFETIME_S = 600.0
"""Clocks of web side and worker may differ by minutes; a heartbeat is read at once or never."""

KEY_BYTES_MIN = 32

_ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a stream token says."""

    worker: str
    session: str
    lease: str
    fence: int
    expires_s: float
    """In the worker's clock."""

    goes_on: bool
    """Of a call that is live already: it may take any free slot, also where a new call would be too much."""


def issue(
    key: str,
    *,
    worker: str,
    session: str,
    lease: str,
    fence: int,
    now_s: float,
    lifetime_s: float = LIFETIME_S,
    goes_on: bool = False,
) -> str:
    """A stream token. `now_s` is the worker's clock: the web side's plus the offset known from heartbeats."""
    claims = {"aud": worker, "sub": session, "jti": lease, "fence": fence, "exp": now_s + lifetime_s}
    if goes_on:
        claims["goes_on"] = True
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def read(key: str, token: str, *, worker: str, now_s: float) -> Claims:
    """The claims of a token for this worker. Raises `TokenRefused` saying why it is none."""
    claims = _verified(key, token, worker, ("sub", "jti", "fence"))
    session, lease, fence, expires_s = claims["sub"], claims["jti"], claims["fence"], claims["exp"]
    # Zero claims nothing: only a worker inside the process is opened with it.
    if not isinstance(lease, str) or not isinstance(fence, int) or isinstance(fence, bool) or fence < 1:
        raise TokenRefused("the token is malformed")
    if not isinstance(expires_s, int | float) or now_s > expires_s + LEEWAY_S:
        raise TokenRefused("the token has expired")
    return Claims(worker, session, lease, fence, float(expires_s), claims.get("goes_on") is True)


def issue_announcement(key: str, *, worker: str, now_s: float) -> str:
    """The bearer of a worker's heartbeat; `now_s` is its own clock."""
    claims = {"aud": WEB_AUDIENCE, "sub": worker, "exp": now_s + ANNOUNCEMENT_LIFETIME_S}
    return jwt.encode(claims, key, algorithm=_ALGORITHM)


def read_announcement(key: str, token: str, *, now_s: float) -> str:
    """The id of the worker that a heartbeat comes from. Raises `TokenRefused`."""
    claims = _verified(key, token, WEB_AUDIENCE, ("sub",))
    expires_s = claims["exp"]
    if not isinstance(expires_s, int | float) or now_s > expires_s + LEEWAY_S:
        raise TokenRefused("the token has expired")
    return str(claims["sub"])


def _verified(key: str, token: str, audience: str, wanted: tuple[str, ...]) -> dict[str, Any]:
    # `exp` is checked by the caller, who knows whose clock it is in.
    options: Any = {"require": ["aud", "exp", *wanted], "verify_exp": False, "verify_iat": False}
    try:
        claims: dict[str, Any] = jwt.decode(token, key, [_ALGORITHM], options, audience=audience)
    except jwt.InvalidAudienceError as error:
        raise TokenRefused("the token is for somebody else") from error
    except jwt.PyJWTError as error:
        raise TokenRefused("the token is not signed by this key, or malformed") from error
    return claims
