"""An OpenAI-compatible `/chat/completions` endpoint, streamed."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx

from characters.mind.breaker import Breaker

LONGEST_EVENT_BYTES = 65_536
RESTING = "resting"
"""The reason given while the breaker keeps calls away."""


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Where the model is and how long one waits for it."""

    base_url: str
    """Such as `http://127.0.0.1:11434/v1`."""

    model: str
    api_key: str = field(default="", repr=False)
    first_words_s: float = 4.0
    between_words_s: float = 5.0
    total_s: float = 30.0
    max_tokens: int = 220
    temperature: float = 0.8


class EndpointFailed(Exception):
    """The endpoint gave no (or no further) words. `reason` is short, stable, and holds no text of anybody."""

    def __init__(self, reason: str, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hopeless = hopeless


class ChatEndpoint:
    """One endpoint, shared by all sessions of a process."""

    def __init__(self, settings: EndpointSettings, breaker: Breaker | None = None) -> None:
        self.settings = settings
        self.breaker = breaker or Breaker()
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def words(self, messages: list[dict[str, str]]) -> AsyncGenerator[str, None]:
        """Pieces of the answer as they come. Raises `EndpointFailed`, also when there is not one word."""
        if not self.breaker.allows():
            raise EndpointFailed(RESTING)
        got_words = False
        waited_s = 0.0
        try:
            async with aclosing(self._pieces(messages)) as pieces:
                while True:
                    wait_s = self.settings.between_words_s if got_words else self.settings.first_words_s - waited_s
                    piece, took_s = await _next(pieces, min(wait_s, self.settings.total_s - waited_s))
                    waited_s += took_s
                    if piece is None:
                        break
                    got_words = got_words or bool(piece.strip())
                    if got_words:
                        self.breaker.succeeded()
                        yield piece
            if not got_words:
                raise EndpointFailed("empty")
        except EndpointFailed as error:
            self.breaker.failed(error.hopeless)
            raise
        except TimeoutError:
            self.breaker.failed()
            raise EndpointFailed("timeout while speaking" if got_words else "timeout") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self.breaker.failed()
            raise EndpointFailed(type(error).__name__) from None

    async def close(self) -> None:
        """Give up the connections. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _pieces(self, messages: list[dict[str, str]]) -> AsyncGenerator[str, None]:
        request: dict[str, Any] = {
            "model": self.settings.model,
            "messages": messages,
            "stream": True,
            "max_tokens": self.settings.max_tokens,
            "temperature": self.settings.temperature,
        }
        url = f"{self.settings.base_url.rstrip('/')}/chat/completions"
        async with self._connected().stream("POST", url, json=request, headers=self._headers()) as response:
            if response.status_code != httpx.codes.OK:
                hopeless = 400 <= response.status_code < 500 and response.status_code not in (408, 429)
                raise EndpointFailed(f"http {response.status_code}", hopeless)
            if "json" in response.headers.get("content-type", "") and "stream" not in response.headers["content-type"]:
                yield await _whole_answer(response)
                return
            async with aclosing(_events(response)) as events:
                async for data in events:
                    if data == "[DONE]":
                        return
                    yield _piece(data)

    def _headers(self) -> dict[str, str]:
        key = self.settings.api_key
        return {"Accept": "text/event-stream", **({"Authorization": f"Bearer {key}"} if key else {})}

    def _connected(self) -> httpx.AsyncClient:
        """The client of this event loop: connections cannot be shared between loops."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            limits = httpx.Limits(max_connections=100, max_keepalive_connections=20)
            self._client = httpx.AsyncClient(timeout=httpx.Timeout(self.settings.total_s, connect=3.0), limits=limits)
            self._loop = loop
        return self._client


async def _next(pieces: AsyncIterator[str], wait_s: float) -> tuple[str | None, float]:
    """The next piece and how long it took. The limit spans only the waiting, never a `yield` to the reader."""
    started_s = time.monotonic()
    async with asyncio.timeout(max(wait_s, 0.0)):
        piece = await anext(pieces, None)
    return piece, time.monotonic() - started_s


async def _events(response: httpx.Response) -> AsyncGenerator[str, None]:
    """The `data:` of each server-sent event."""
    held = b""
    async for chunk in response.aiter_bytes():
        held += chunk
        *lines, held = held.split(b"\n")
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            if text.startswith("data:"):
                yield text[5:].strip()
        if len(held) > LONGEST_EVENT_BYTES:
            raise EndpointFailed("garbage")
    rest = held.decode("utf-8", "replace").strip()
    if rest.startswith("data:"):
        yield rest[5:].strip()


async def _whole_answer(response: httpx.Response) -> str:
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LONGEST_EVENT_BYTES:
            raise EndpointFailed("garbage")
    return _content(body.decode("utf-8", "replace"), "message")


def _piece(data: str) -> str:
    return _content(data, "delta")


def _content(data: str, key: str) -> str:
    try:
        answer = json.loads(data)
        if isinstance(answer, dict) and answer.get("error"):
            raise EndpointFailed("error event")
        choices = answer["choices"]
        content = choices[0][key].get("content") if choices else ""
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise EndpointFailed("garbage") from None
    if content is not None and not isinstance(content, str):
        raise EndpointFailed("garbage")
    return content or ""
