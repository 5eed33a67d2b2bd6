"""A client of the troupe tier: what the talk page's socket does, scripted."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from inference.protocol import AUDIO_RATE_HZ, Packet, PacketKind, pack, unpack

PACKET_SAMPLES = AUDIO_RATE_HZ // 50
LIMIT_S = 10.0


@dataclass
class TierClient:
    """Records everything, plays audio by the clock and acknowledges it as the page does."""

    socket: ClientConnection
    events: list[dict[str, Any]] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    messages: list[tuple[int, str | bytes]] = field(default_factory=list)
    """Everything received, with its sequence number."""

    close_code: int | None = None
    acknowledges: bool = True
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _read_to: int = 0
    _packets_sent: int = 0
    _samples_sent: int = 0
    _responses: dict[int, str] = field(default_factory=dict)
    _player: "Player" = field(default_factory=lambda: Player())

    @property
    def last_sequence(self) -> int:
        return self.messages[-1][0] if self.messages else 0

    async def read(self) -> None:
        try:
            async for message in self.socket:
                await self._take(message)
        except ConnectionClosed:
            pass
        self.close_code = self.socket.close_code
        self._arrived.set()

    async def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            packet = unpack(message)
            self.packets.append(packet)
            self.messages.append((packet.sequence, message))
            self._player.take(packet, self._responses.get(packet.response, ""))
        else:
            event = json.loads(message)
            self.events.append(event)
            self.messages.append((event.get("sequence", len(self.messages) + 1), message))
            await self._react(event)
        self._arrived.set()

    async def _react(self, event: dict[str, Any]) -> None:
        if event["type"] == "troupe.response.started":
            self._responses[event["response"]] = event["response_id"]
        elif event["type"] == "troupe.output.flush":
            self._player.flush(event["epoch"])
            await self._acknowledge()

    async def play(self) -> None:
        """Acknowledges what was played, five times a second."""
        while self.close_code is None:
            await asyncio.sleep(0.2)
            await self._acknowledge()

    async def _acknowledge(self) -> None:
        if self._player.response_id and self.acknowledges:
            played_ms = self._player.played_ms()
            try:
                await self.send(
                    {"type": "troupe.playback.ack", "response_id": self._player.response_id, "played_ms": played_ms}
                )
            except ConnectionClosed:
                return

    async def send(self, event: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(event))

    async def say_typed(self, text: str) -> None:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await self.send({"type": "conversation.item.create", "item": item})
        await self.send({"type": "response.create"})

    async def speak(self, pcm: bytes, *, silence_s: float = 1.0) -> None:
        """Sends speech and then silence, in real time."""
        sound = pcm + bytes(2 * round(silence_s * AUDIO_RATE_HZ))
        began = time.monotonic()
        for number, at in enumerate(range(0, len(sound), PACKET_SAMPLES * 2)):
            piece = sound[at : at + PACKET_SAMPLES * 2]
            await self.socket.send(pack(Packet(PacketKind.AUDIO_IN, self._packets_sent, self._samples_sent, piece)))
            self._packets_sent += 1
            self._samples_sent += len(piece) // 2
            await asyncio.sleep(max(0.0, began + number * 0.02 - time.monotonic()))

    async def expect(
        self, kind: str, limit_s: float = LIMIT_S, *, where: Callable[[dict[str, Any]], bool] = lambda event: True
    ) -> dict[str, Any]:
        """The next event of this type after those expected before. Fails with what came instead."""
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    while self._read_to < len(self.events):
                        event = self.events[self._read_to]
                        self._read_to += 1
                        if event["type"] == kind and where(event):
                            return event
                    assert self.close_code is None, f"closed with {self.close_code} instead of {kind}: {self._tail()}"
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind} within {limit_s} s: {self._tail()}") from None

    async def closed(self, limit_s: float = LIMIT_S) -> int:
        """The code that the server closes with."""
        async with asyncio.timeout(limit_s):
            while self.close_code is None:
                self._arrived.clear()
                await self._arrived.wait()
        return self.close_code

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def _tail(self) -> list[str]:
        return [event["type"] for event in self.events[-12:]]


class Player:
    """Plays audio by the clock from the moment it arrives."""

    def __init__(self) -> None:
        self.response_id = ""
        self._ordinal = 0
        self._epoch = 0
        self._began_at = 0.0
        self._received_ms = 0.0
        self._stopped_ms: float | None = None

    def take(self, packet: Packet, response_id: str) -> None:
        if packet.epoch < self._epoch:
            return
        if packet.response != self._ordinal:
            self._ordinal, self.response_id = packet.response, response_id
            self._began_at, self._received_ms, self._stopped_ms = time.monotonic(), 0.0, None
        self._received_ms = (packet.position + len(packet.pcm) // 2) * 1000 / AUDIO_RATE_HZ

    def flush(self, epoch: int) -> None:
        self._stopped_ms = self.played_ms()
        self._epoch = epoch

    def played_ms(self) -> float:
        if self._stopped_ms is not None:
            return self._stopped_ms
        return min(self._received_ms, (time.monotonic() - self._began_at) * 1000)


@asynccontextmanager
async def tier_socket(
    url: str, token: str, origin: str | None, *, after: int | None = None, acknowledges: bool = True
) -> AsyncIterator[TierClient]:
    """A socket as the talk page opens it."""
    place = url if after is None else f"{url}?after={after}"
    protocols = ["realtime", "troupe.v1", f"troupe-token.{token}"]
    async with connect(place, subprotocols=protocols, origin=origin, max_size=None, close_timeout=1) as socket:  # type: ignore[arg-type]
        client = TierClient(socket, acknowledges=acknowledges)
        reader = asyncio.create_task(client.read())
        player = asyncio.create_task(client.play())
        try:
            yield client
        finally:
            player.cancel()
            await socket.close()
            await asyncio.wait({reader, player}, timeout=2)


@asynccontextmanager
async def bearer_socket(url: str, key: str, query: str) -> AsyncIterator[TierClient]:
    """A socket of an API client."""
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(f"{url}?{query}", additional_headers=headers, max_size=None, close_timeout=1) as socket:
        client = TierClient(socket)
        reader = asyncio.create_task(client.read())
        try:
            yield client
        finally:
            await socket.close()
            await asyncio.wait({reader}, timeout=2)
