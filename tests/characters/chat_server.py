"""A real HTTP server that answers `/chat/completions` as a test tells it to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ChatServer:
    """`handler` writes the whole response; requests are kept."""

    handler: Handler
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    connections: int = 0
    closed_early: asyncio.Event = field(default_factory=asyncio.Event)

    def messages(self, number: int) -> list[dict[str, str]]:
        """Those of the request with this number."""
        messages: list[dict[str, str]] = self.requests[number]["messages"]
        return messages

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.headers.append(head)
            length = next(int(line.split(":")[1]) for line in head.split("\r\n") if "content-length" in line.lower())
            self.requests.append(json.loads(await reader.readexactly(length)))
            await self.handler(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.closed_early.set()
        finally:
            writer.close()


@asynccontextmanager
async def chat_server(handler: Handler) -> AsyncIterator[ChatServer]:
    chat = ChatServer(handler)
    server = await asyncio.start_server(chat.serve, "127.0.0.1", 0)
    chat.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield chat
    finally:
        server.close()


def head(status: str = "200 OK", kind: str = "text/event-stream") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()


def event(content: str | None) -> bytes:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': content}}]})}\n\n".encode()


def streams(*pieces: str, done: bool = True, pause_s: float = 0.0) -> Handler:
    """Answers with these pieces, one event each."""

    async def handle(writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        writer.write(b'data: {"choices": [{"delta": {"role": "assistant"}}]}\n\n')
        for piece in pieces:
            writer.write(event(piece))
            await writer.drain()
            await asyncio.sleep(pause_s)
        if done:
            writer.write(b"data: [DONE]\n\n")
        await writer.drain()

    return handle


def answers(body: bytes, status: str = "200 OK", kind: str = "text/event-stream") -> Handler:
    async def handle(writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, kind) + body)
        await writer.drain()

    return handle


def hangs_after(*pieces: str) -> Handler:
    """Sends these pieces and then nothing more."""

    async def handle(writer: asyncio.StreamWriter) -> None:
        writer.write(head() + b"".join(event(piece) for piece in pieces))
        await writer.drain()
        await asyncio.sleep(30)

    return handle
