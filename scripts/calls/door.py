"""The web's door to a conversation: begin one, come back to one, as the talk page does."""

import asyncio
import http.client
import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

LIMIT_S = 10.0
THREADS = 16


class Refused(RuntimeError):
    """The server said no. `code` is what it calls it, `retry_after_s` when to come again."""

    def __init__(self, code: str, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(f"{code} ({status})")
        self.code = code
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Entry:
    """What opens a socket."""

    session_id: str
    token: str
    url: str

    def headers(self, origin: str) -> dict[str, str]:
        return {"Origin": origin, "Sec-WebSocket-Protocol": f"realtime, troupe.v1, troupe-token.{self.token}"}


@dataclass
class Visitor:
    """One guest with a cookie jar of his own."""

    url: str
    pool: ThreadPoolExecutor
    cookies: dict[str, str] = field(default_factory=lambda: {"csrftoken": secrets.token_hex(16)})

    async def begin(self, character: str) -> Entry:
        """`POST /sessions/`. Raises `Refused`, `OSError` or `http.client.HTTPException`."""
        return _entry(await self._post("/sessions/", {"character": character}))

    async def come_back(self, session_id: str, limit_s: float = LIMIT_S) -> Entry:
        """`POST /sessions/ID/resume/`."""
        return _entry(await self._post(f"/sessions/{session_id}/resume/", {}, limit_s))

    async def _post(self, path: str, body: dict[str, str], limit_s: float = LIMIT_S) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.pool, self._post_now, path, body, limit_s)

    def _post_now(self, path: str, body: dict[str, str], limit_s: float) -> dict[str, Any]:
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=limit_s)
        headers = {
            "Content-Type": "application/json",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "X-CSRFToken": self.cookies["csrftoken"],
            "Origin": self.url,
            "Referer": f"{self.url}/",
        }
        try:
            connection.request("POST", path, json.dumps(body), headers)
            reply = connection.getresponse()
            raw = reply.read()
            for line in reply.headers.get_all("Set-Cookie") or []:
                name, _equals, value = line.split(";", 1)[0].partition("=")
                self.cookies[name.strip()] = value.strip()
        finally:
            connection.close()
        return _answer(reply.status, raw)


def _answer(status: int, raw: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(raw)
    except ValueError:
        raise Refused("not_json", status) from None
    if status >= 400:
        error = answer.get("error", {})
        raise Refused(error.get("code", "unknown"), status, error.get("retry_after_s"))
    return answer


def _entry(answer: dict[str, Any]) -> Entry:
    return Entry(answer["session_id"], answer["token"], answer["url"])
