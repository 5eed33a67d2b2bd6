"""What waits for a socket, and what is remembered for the next one."""

import asyncio
import json
from typing import Any

import pytest

from inference.protocol import FRAME_SAMPLES, unpack
from sessions.live import outbox as outboxes
from sessions.live.closing import ENDED, CloseCode
from sessions.live.downlink import Downlink
from sessions.live.outbox import MAX_AUDIO_MS, MAX_TEXTS, Entry, Outbox

FRAME = bytes(FRAME_SAMPLES * 2)


class SlowSocket:
    """Takes messages only while `open` is set."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.open = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        await self.open.wait()
        self.sent.append(message)


async def _written(outbox: Outbox, socket: SlowSocket) -> list[dict[str, Any]]:
    socket.open.set()
    outbox.close(CloseCode.DONE)
    await asyncio.wait_for(outbox.run(), 5)
    return socket.sent


async def test_late_audio_is_dropped_oldest_first_and_counted_but_text_never() -> None:
    socket, dropped = SlowSocket(), list[float]()
    outbox = Outbox(socket.send, on_drop=dropped.append)
    for number in range(200):
        outbox.put(Entry(2 * number, f"text {number}"))
        outbox.put(Entry(2 * number + 1, bytes([number]), audio_ms=40))
    sent = await _written(outbox, socket)
    assert [each["text"] for each in sent if "text" in each] == [f"text {number}" for number in range(200)]
    kept = [each["bytes"][0] for each in sent if "bytes" in each]
    assert kept == list(range(200 - MAX_AUDIO_MS // 40, 200))
    assert sum(dropped) == 40 * (200 - len(kept))
    assert sent[-1] == {"type": "websocket.close", "code": 1000}


async def test_messages_leave_in_the_order_of_their_numbers() -> None:
    socket = SlowSocket()
    outbox = Outbox(socket.send)
    for number in range(20):
        outbox.put(Entry(number, bytes([number]), audio_ms=40) if number % 3 else Entry(number, str(number)))
    sent = (await _written(outbox, socket))[:-1]
    assert [int(each["text"]) if "text" in each else each["bytes"][0] for each in sent] == list(range(20))


async def test_too_much_text_ends_the_socket_by_name() -> None:
    socket = SlowSocket()
    outbox = Outbox(socket.send)
    for number in range(MAX_TEXTS + 1):
        outbox.put(Entry(number, "x"))
    assert not outbox.is_open
    socket.open.set()
    await asyncio.wait_for(outbox.run(), 5)
    assert socket.sent == [{"type": "websocket.close", "code": 4413}]


async def test_a_socket_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outboxes, "STUCK_S", 0.05)
    monkeypatch.setattr(outboxes, "CLOSE_S", 0.05)
    socket = SlowSocket()
    outbox = Outbox(socket.send)
    outbox.put(Entry(1, "x"))
    await asyncio.wait_for(outbox.run(), 5)
    assert outbox.closed.is_set() and not socket.sent


async def _attached(downlink: Downlink, after: int | None = None) -> tuple[Outbox, SlowSocket]:
    socket = SlowSocket()
    outbox = Outbox(socket.send)
    downlink.attach(outbox, after=after)
    return outbox, socket


def _say(downlink: Downlink, num_frames: int) -> None:
    for number in range(num_frames):
        downlink.emit({"type": "troupe.pong", "t": number})
        downlink.packet(pcm=FRAME, position=number * FRAME_SAMPLES, epoch=0, ordinal=1, on_sent=None)


def _numbers(sent: list[dict[str, Any]]) -> list[int]:
    return [
        json.loads(each["text"])["sequence"] if "text" in each else unpack(each["bytes"]).sequence
        for each in sent
        if each["type"] == "websocket.send"
    ]


async def test_a_client_that_comes_back_gets_exactly_what_came_after() -> None:
    downlink = Downlink(tier=True)
    outbox, _socket = await _attached(downlink)
    _say(downlink, 10)
    downlink.detach(outbox)
    _say(downlink, 10)
    outbox, socket = await _attached(downlink, after=13)
    assert _numbers(await _written(outbox, socket)) == list(range(14, 41))


async def test_only_ten_seconds_of_sound_are_kept_and_the_rest_is_counted() -> None:
    downlink = Downlink(tier=True)
    _say(downlink, 300)
    outbox, socket = await _attached(downlink, after=0)
    sent = await _written(outbox, socket)
    assert sum("bytes" in each for each in sent) == 250
    assert sum("text" in each for each in sent) == 300
    assert downlink.dropped_frames == 50


async def test_what_was_never_sent_cannot_be_resumed_from() -> None:
    downlink = Downlink(tier=True)
    _say(downlink, 1)
    assert downlink.covers(0) and downlink.covers(2) and not downlink.covers(3)
    _say(downlink, 5_000)
    assert not downlink.covers(10)


async def test_the_last_word_to_a_socket_takes_no_number_from_the_next() -> None:
    downlink = Downlink(tier=True)
    outbox, socket = await _attached(downlink)
    _say(downlink, 1)
    downlink.close(ENDED)
    assert _numbers(await _written(outbox, socket)) == [1, 2, 3]
    assert downlink.sequence == 2
