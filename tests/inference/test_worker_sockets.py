"""What else may come in at a worker's port: readers that do not read, talkers that make no sense, silence."""

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from urllib.parse import urlparse

import pytest
from websockets.asyncio.client import ClientConnection, connect

from inference.protocol.wire import Beat, Opened, decode_downlink, encode_uplink
from tests.inference.worker_process import (
    LIMIT_S,
    PACKET,
    RunningWorker,
    echo_spec,
    echoed,
    open_echo,
    ticket,
    worker_process,
)

BEAT = encode_uplink(Beat())


@pytest.fixture(scope="module")
def worker() -> Iterator[RunningWorker]:
    with worker_process() as running:
        yield running


async def raw_stream(worker: RunningWorker, session: str) -> ClientConnection:
    """A stream without `RemoteClient`, so that it can misbehave."""
    endpoint = socket.socket()
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    endpoint.setblocking(False)
    address = urlparse(worker.url)
    await asyncio.get_running_loop().sock_connect(endpoint, (address.hostname, address.port))
    token = ticket(worker.url, session).token
    connection = await connect(
        worker.url, sock=endpoint, additional_headers={"Authorization": f"Bearer {token}"}, ping_interval=None
    )
    await connection.send(encode_uplink(echo_spec(session)))
    assert isinstance(decode_downlink(str(await connection.recv())), Opened)
    return connection


async def keep_beating(connection: ClientConnection) -> None:
    while True:
        await connection.send(BEAT)
        await asyncio.sleep(0.5)


async def test_a_web_side_that_reads_nothing_loses_its_own_stream_only(worker: RunningWorker) -> None:
    slow = await raw_stream(worker, "slow")
    slow.transport.pause_reading()
    beating = asyncio.create_task(keep_beating(slow))
    other = await open_echo(worker.url)
    events = other.events()
    for _ in range(2_000):
        await slow.send(PACKET)
    await worker.wait_for_metric("troupe_worker_live_streams", 1)
    assert await echoed(other, events, 10) == 10 * PACKET
    await other.close()
    beating.cancel()
    slow.transport.abort()


async def test_a_silent_web_side_is_dropped(worker: RunningWorker) -> None:
    silent = await raw_stream(worker, "silent")
    talking = await open_echo(worker.url)
    assert await asyncio.to_thread(worker.metric, "troupe_worker_live_streams") == 2
    await worker.wait_for_metric("troupe_worker_live_streams", 1)
    assert await echoed(talking, talking.events()) == PACKET, "beats alone keep a stream"
    await talking.close()
    silent.transport.abort()


@pytest.mark.parametrize(
    "message",
    ["no json", '{"t":"Ready","slot":0}', json.dumps([[]]), b"\x01", '{"t":"StartSpeech","response_id":5}'],
)
async def test_a_message_that_makes_no_sense_ends_its_stream_with_the_reason(
    worker: RunningWorker, message: str | bytes
) -> None:
    connection = await raw_stream(worker, "odd")
    await connection.send(message)
    said = [json.loads(each) async for each in connection if isinstance(each, str)]
    assert said[-1]["t"] == "Failed" and said[-1]["code"] == "wire_error"
    await worker.wait_for_metric("troupe_worker_live_streams", 0)


async def test_one_frame_is_one_message_and_text_is_utf8(worker: RunningWorker) -> None:
    pieces = await raw_stream(worker, "pieces")
    await pieces.send([PACKET, PACKET])
    await asyncio.wait_for(pieces.wait_closed(), LIMIT_S)
    assert pieces.close_code == 1003
    garbled = await raw_stream(worker, "garbled")
    await garbled.send(b"\xff\xfe", text=True)
    await asyncio.wait_for(garbled.wait_closed(), LIMIT_S)
    assert garbled.close_code == 1007
    await worker.wait_for_metric("troupe_worker_live_streams", 0)


@pytest.mark.parametrize("first", ["no spec", BEAT, PACKET])
async def test_a_stream_that_does_not_begin_with_its_spec_is_refused(worker: RunningWorker, first: str | bytes) -> None:
    token = ticket(worker.url, "s").token
    async with connect(worker.url, additional_headers={"Authorization": f"Bearer {token}"}) as connection:
        await connection.send(first)
        assert json.loads(await connection.recv())["code"] == "wire_error"
    await worker.wait_for_metric("troupe_worker_live_streams", 0)


async def test_garbage_at_full_speed_and_idle_connections_harm_nobody(worker: RunningWorker) -> None:
    address = urlparse(worker.url)
    stream = await open_echo(worker.url)
    events = stream.events()

    async def throw() -> None:
        _reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            for _ in range(200):
                writer.write(os.urandom(4_096))
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    idle = [await asyncio.open_connection(address.hostname, address.port) for _ in range(10)]
    throwing = asyncio.gather(*(throw() for _ in range(5)))
    assert await echoed(stream, events, 20) == 20 * PACKET
    await asyncio.wait_for(throwing, LIMIT_S)
    for _reader, writer in idle:
        writer.close()
    assert (await asyncio.to_thread(worker.get, "/healthz"))[0] == 200
    assert (await asyncio.to_thread(worker.get, "/nothing"))[0] == 404
    assert (await asyncio.to_thread(worker.get, "/stream"))[0] == 401
    await stream.close()
