"""What a socket brings along when it connects, read from its ASGI scope."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from sessions.errors import BadRequest, NotAllowed, NotAuthenticated
from sessions.relay import HEADER, Pass, read_pass

REALTIME = "realtime"
TIER = "troupe.v1"
TOKEN = "troupe-token."
INSECURE_KEY = "openai-insecure-api-key."
LOCAL_HOSTS = [".localhost", "127.0.0.1", "[::1]"]


@dataclass(frozen=True, slots=True)
class Handshake:
    """One of `key`, `token` and `passed` is set."""

    key: str
    token: str
    tier: bool
    model: str
    session_id: str
    """Of the session a key's owner comes back to; empty for a new one."""

    after: int | None
    subprotocol: str | None
    address: str
    passed: Pass | None = None
    """Another process of ours has asked who it is, and passes the socket on to this one, which holds the session."""


def chosen_subprotocol(scope: Mapping[str, Any]) -> str | None:
    """What to answer: browsers end a connection whose offer is not taken up."""
    return REALTIME if REALTIME in scope.get("subprotocols", ()) else None


def read_handshake(scope: Mapping[str, Any]) -> Handshake:
    """Raises `NotAuthenticated` without a key or token, `NotAllowed` for a token from a foreign page, `BadRequest`.

    Cookies are not read: a key or a token says who it is.
    """
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if HEADER in headers:
        return _relayed(headers[HEADER])
    offered = list(scope.get("subprotocols", ()))
    query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20)
    key = _bearer(headers) or _after_prefix(offered, INSECURE_KEY)
    token = "" if key else _after_prefix(offered, TOKEN)
    if not key and not token:
        raise NotAuthenticated("connect with a bearer key or with a token of POST /sessions/")
    if token and not is_own_origin(headers.get("origin", ""), headers.get("host", "")):
        raise NotAllowed("this page may not open a conversation here")
    after = _first(query, "after")
    if after and not (after.isascii() and after.isdigit() and len(after) < 12):
        raise BadRequest("`after` is a sequence number")
    return Handshake(
        key=key,
        token=token,
        tier=TIER in offered or _first(query, "tier") == "troupe",
        model=_first(query, "model"),
        session_id=_first(query, "session"),
        after=int(after) if after else None,
        subprotocol=chosen_subprotocol(scope),
        address=(scope.get("client") or ("",))[0],
    )


def _relayed(token: str) -> Handshake:
    passed = read_pass(token)
    return Handshake(
        key="",
        token="",
        tier=passed.tier,
        model="",
        session_id=passed.session_id,
        after=passed.after,
        subprotocol=None,
        address="",
        passed=passed,
    )


def is_own_origin(origin: str, host: str) -> bool:
    """Whether a page of this very site opened the socket. A missing Origin is no browser, and no page of ours."""
    if not origin:
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    # The scheme may differ behind a proxy; the host with its port may not.
    if urlsplit(origin).netloc.lower() != host.lower():
        return False
    allowed = settings.ALLOWED_HOSTS or (LOCAL_HOSTS if settings.DEBUG else [])
    return validate_host(split_domain_port(host)[0], allowed)


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _space, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _after_prefix(offered: Iterable[str], prefix: str) -> str:
    return next((each.removeprefix(prefix) for each in offered if each.startswith(prefix)), "")


def _first(query: Mapping[str, list[str]], name: str) -> str:
    return query.get(name, [""])[0]
