"""Secrets of a session: what they look like. Only their digests are stored (`accounts.keys.digest`)."""

import secrets

TOKEN_LIFETIME_S = 60
"""Of the single-use token between `POST /sessions/` and the socket."""

CLIENT_SECRET_PREFIX = "ek_"
CLIENT_SECRET_LIFETIME_S = 600


def new_token() -> str:
    """Fits into a WebSocket subprotocol: letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(32)


def new_client_secret() -> str:
    return CLIENT_SECRET_PREFIX + secrets.token_urlsafe(32)
