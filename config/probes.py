"""`/healthz`, `/readyz` and `/metrics`: answered before Django sees the request, so that a probe needs no host name."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.db import Error as DatabaseError

from config.metrics import CONTENT_TYPE, database_text, no_database_text, process_text
from config.readiness import Readiness

Scope = Mapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]

DATABASE_LIMIT_S = 2.0
FORWARDED = {b"forwarded", b"x-forwarded-for", b"x-real-ip"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"


class Probes:
    """An ASGI application around another."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._readiness = Readiness()
        self._answers: dict[str, Callable[[Scope], Awaitable[Answer]]] = {
            "/healthz": self._health,
            "/readyz": self._ready,
            "/metrics": self._metrics,
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer = self._answers.get(scope["path"])
        if answer is None:
            await self._app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD"):
            await _send(send, scope, Answer(405, b"{}"))
            return
        await _send(send, scope, await answer(scope))

    async def _health(self, scope: Scope) -> Answer:
        """The event loop turns."""
        return Answer(200, b'{"alive": true}')

    async def _ready(self, scope: Scope) -> Answer:
        """`?exclude=NAME` leaves a check out, any number of times."""
        query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=20)
        without = frozenset(query.get("exclude", []))
        if unknown := sorted(without - self._readiness.names):
            return _json(400, {"error": f"no such check: {', '.join(unknown)[:100]}"})
        report = await self._readiness.report(without=without)
        told = {"ready": report.ready, "missing": report.missing, **report.known}
        return _json(200 if report.ready else 503, told)

    async def _metrics(self, scope: Scope) -> Answer:
        if not _may_read(scope):
            return _json(403, {"error": "ask from a network of METRICS_ALLOW, or with METRICS_TOKEN as bearer"})
        try:
            async with asyncio.timeout(DATABASE_LIMIT_S):
                known = await self._readiness.in_thread(database_text)
        except (TimeoutError, DatabaseError):
            known = no_database_text()
        return Answer(200, process_text() + known, CONTENT_TYPE)


def _may_read(scope: Scope) -> bool:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    scheme, _space, token = headers.get(b"authorization", b"").partition(b" ")
    if settings.METRICS_TOKEN and scheme.lower() == b"bearer":
        return hmac.compare_digest(token.strip(), settings.METRICS_TOKEN.encode())
    # A proxy's address says nothing about who asks.
    if not FORWARDED.isdisjoint(headers) or not scope.get("client"):
        return False
    try:
        address = ip_address(scope["client"][0])
    except ValueError:
        return False
    return any(address in network for network in settings.METRICS_ALLOW)


def _json(status: int, told: Mapping[str, Any]) -> Answer:
    return Answer(status, json.dumps(told).encode())


async def _send(send: Any, scope: Scope, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
