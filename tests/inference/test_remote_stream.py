"""The web side's end of a stream when the worker's does not keep up, or talks nonsense."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from inference.client.limits import StreamLimits
from inference.client.remote import RemoteClient
from inference.errors import AtCapacity, WireError, WorkerUnavailable
from inference.protocol import Dropped, EndSpeech, Event, PlaybackAck, Ready
from inference.protocol.wire import Beat, Failed, Opened, decode_uplink, encode_downlink
from tests.inference.worker_process import LIMIT_S, PACKET, echo_spec, fault_of, ticket, until

Behaviour = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def worker_that(behaves: Behaviour) -> AsyncIterator[str]:
    """A port that takes every spec and then behaves like this."""

    async def answer(connection: ServerConnection) -> None:
        await connection.recv()
        await behaves(connection)

    async with serve(answer, "127.0.0.1", 0, compression=None, close_timeout=0.5) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/stream"


async def opened(connection: ServerConnection, *events: Event) -> None:
    await connection.send(encode_downlink(Opened("stream_1")))
    for event in events:
        await connection.send(encode_downlink(event))


async def test_audio_that_the_worker_does_not_take_is_dropped_oldest_first_and_commands_never() -> None:
    reads = asyncio.Event()
    got: list[str | bytes] = []

    async def behaves(connection: ServerConnection) -> None:
        await opened(connection)
        connection.transport.pause_reading()
        while not reads.is_set():
            await connection.send(encode_downlink(Beat()))
            await asyncio.sleep(0.2)
        connection.transport.resume_reading()
        async for message in connection:
            got.append(message)

    async with worker_that(behaves) as url:
        limits = StreamLimits(live_audio_s=0.5, burst_audio_s=0.5)
        stream = await RemoteClient(url, limits).open(echo_spec("s"), ticket(url, "s"))
        for number in range(20_000):
            stream.send_audio(number.to_bytes(2, "little") + PACKET[2:])
            if number % 1_000 == 0:
                stream.send(PlaybackAck("r", number))
        stream.send(EndSpeech("last"))
        dropped = (await until(stream.events(), Dropped))[-1]
        assert isinstance(dropped, Dropped) and dropped.uplink_packets == stream.dropped_packets > 0
        reads.set()
        async with asyncio.timeout(LIMIT_S):
            while not got or not isinstance(got[-1], str) or "last" not in got[-1]:
                await asyncio.sleep(0.05)
        audio = [int.from_bytes(each[:2], "little") for each in got if isinstance(each, bytes)]
        said = [decode_uplink(each) for each in got if isinstance(each, str)]
        assert len(audio) == 20_000 - stream.dropped_packets
        assert audio == sorted(audio) and audio[-40:] == list(range(19_960, 20_000)), "what is new is kept, in order"
        assert [each for each in said if isinstance(each, PlaybackAck)] == [
            PlaybackAck("r", n) for n in range(0, 20_000, 1_000)
        ]
        await stream.close()


async def test_too_many_commands_that_wait_end_the_stream() -> None:
    async def behaves(connection: ServerConnection) -> None:
        await opened(connection)
        connection.transport.pause_reading()
        await asyncio.sleep(2.0)

    async with worker_that(behaves) as url:
        stream = await RemoteClient(url, StreamLimits(commands=10)).open(echo_spec("s"), ticket(url, "s"))
        with pytest.raises(WorkerUnavailable, match="commands"):
            for number in range(500_000):
                stream.send(PlaybackAck("r" * 2_000, number))
        assert (await fault_of(stream.events())).code == WorkerUnavailable.code
        await stream.close()


@pytest.mark.parametrize("nonsense", ["no json", '{"t":"Later"}', b"\x09\x00"])
async def test_a_worker_that_talks_nonsense_is_left(nonsense: str | bytes) -> None:
    async def behaves(connection: ServerConnection) -> None:
        await opened(connection, Ready(0))
        await connection.send(nonsense)
        await connection.wait_closed()

    async with worker_that(behaves) as url:
        stream = await RemoteClient(url).open(echo_spec("s"), ticket(url, "s"))
        assert (await fault_of(stream.events())).code == WorkerUnavailable.code
        await stream.close()


async def test_a_worker_that_goes_without_a_word_is_missed() -> None:
    async def behaves(connection: ServerConnection) -> None:
        await opened(connection)
        connection.transport.abort()

    async with worker_that(behaves) as url:
        stream = await RemoteClient(url).open(echo_spec("s"), ticket(url, "s"))
        assert (await fault_of(stream.events())).code == WorkerUnavailable.code
        await stream.close()


async def test_what_a_worker_says_instead_of_opening_is_raised() -> None:
    answers = iter((Failed("at_capacity", "no room"), Ready(0)))

    async def behaves(connection: ServerConnection) -> None:
        await connection.send(encode_downlink(next(answers)))

    async with worker_that(behaves) as url:
        with pytest.raises(AtCapacity, match="no room"):
            await RemoteClient(url).open(echo_spec("s"), ticket(url, "s"))
        with pytest.raises(WireError, match="Ready"):
            await RemoteClient(url).open(echo_spec("s"), ticket(url, "s"))


async def test_a_worker_that_takes_the_socket_and_says_nothing_is_given_up_within_a_second() -> None:
    async def behaves(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with worker_that(behaves) as url:
        with pytest.raises(WorkerUnavailable, match="within 1 s"):
            await asyncio.wait_for(RemoteClient(url).open(echo_spec("s"), ticket(url, "s")), 2.5)
