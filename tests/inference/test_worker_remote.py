"""A worker behind its port, in this process: the same conversation as next door, and a loop that gets stuck."""

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from inference.client import WorkerClient
from inference.client.limits import StreamLimits
from inference.client.remote import RemoteClient
from inference.errors import AtCapacity, SlowConsumer, WorkerUnavailable
from inference.protocol import (
    AUDIO_RATE_HZ,
    AudioOut,
    CommitInput,
    EndSpeech,
    Event,
    Heard,
    Lane,
    LatencyMarks,
    Ready,
    SessionSpec,
    SpeakPart,
    SpeechFinished,
    StartSpeech,
    Words,
    WordSpoken,
)
from inference.worker.capacity import Capacity
from inference.worker.composed import ComposedLane
from inference.worker.echo import EchoLane, EchoStream
from inference.worker.embedded import EmbeddedClient
from inference.worker.lanes import LaneOpener, LaneStream
from inference.worker.loop import Worker
from inference.worker.process.gate import Gate
from inference.worker.process.loop_watch import LoopWatch
from inference.worker.process.probes import Probes
from inference.worker.process.server import StreamServer
from tests.inference.scripted_call import LevelDetector, ToneEars, ToneMouth, tone
from tests.inference.worker_process import KEY, LIMIT_S, PACKET, WORKER_ID, echo_spec, fault_of, ticket, until

SILENCE = np.zeros(round(0.9 * AUDIO_RATE_HZ), dtype=np.float32)


@asynccontextmanager
async def served(lane: LaneOpener, kind: Lane = Lane.ECHO, slots: int = 4) -> AsyncIterator[tuple[str, Worker]]:
    """The address of a worker with this lane."""
    worker = Worker({kind: lane}, slots)
    worker.start()
    capacity, watch = Capacity(worker), LoopWatch(worker)
    gate = Gate(capacity, watch, WORKER_ID, KEY)
    server = StreamServer(capacity, watch, gate, Probes(capacity, watch, CollectorRegistry()))
    port = await server.start("127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{port}/stream", worker
    finally:
        await server.stop()
        await asyncio.to_thread(worker.stop)


def pcm16(*pieces: np.ndarray) -> bytes:
    return (np.concatenate(pieces) * 32_767).astype("<i2").tobytes()


async def conversation(door: WorkerClient, url: str) -> list[Event]:
    """A question, its answer as a mind would give it, and everything that the worker told about both."""
    session = uuid.uuid4().hex
    stream = await door.open(SessionSpec(session_id=session, character="mira@1"), ticket(url, session))
    events = stream.events()
    told = await until(events, Ready)
    question = pcm16(tone("who"), tone("lives"), tone("there"), SILENCE)
    for at in range(0, len(question), len(PACKET)):
        stream.send_audio(question[at : at + len(PACKET)])
    stream.send(CommitInput())
    told += await until(events, Heard)
    for command in (StartSpeech("r1"), SpeakPart("r1", Words("the keeper sings")), EndSpeech("r1")):
        stream.send(command)
    told += await until(events, SpeechFinished)
    await stream.close()
    return told


async def test_a_conversation_is_the_same_whether_its_worker_is_here_or_elsewhere() -> None:
    lane = ComposedLane(ToneEars(), ToneMouth(), LevelDetector)
    async with served(lane, Lane.COMPOSED) as (url, worker):
        here, elsewhere = [await conversation(door, url) for door in (EmbeddedClient(worker), RemoteClient(url))]
        assert worker.slots_free == worker.slots
    for told in (here, elsewhere):
        heard = next(event for event in told if isinstance(event, Heard))
        assert heard.text == "who lives there" and len(heard.words) == 3
        finished = told[-1]
        assert isinstance(finished, SpeechFinished)
        assert (finished.status, finished.heard_text) == ("completed", "the keeper sings")
        assert any(isinstance(event, LatencyMarks) for event in told)

    def spoken(told: list[Event]) -> tuple[bytes, list[WordSpoken]]:
        audio = b"".join(event.pcm for event in told if isinstance(event, AudioOut))
        return audio, [event for event in told if isinstance(event, WordSpoken)]

    assert spoken(here) == spoken(elsewhere) and len(spoken(here)[1]) == 3


class Gated(EchoStream):
    """Its step waits until the test lets it go on; what it holds up is the loop."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self._gate = gate

    def step(self, now: float) -> list[Event]:
        self._gate.wait(LIMIT_S)
        return super().step(now)


class Slow(EchoStream):
    """Each step takes more than a frame, and the next one is due at once."""

    def step(self, now: float) -> list[Event]:
        time.sleep(0.05)
        return super().step(now)

    def next_due(self, now: float) -> float | None:
        return now


class Flooding(EchoStream):
    def step(self, now: float) -> list[Event]:
        return [AudioOut("flood", 0, 0, PACKET)] * 50

    def next_due(self, now: float) -> float | None:
        return now + 0.001


class LaneOf(EchoLane):
    """One odd stream for the session `odd`, echo for the rest."""

    def __init__(self, odd: LaneStream) -> None:
        self._odd = odd

    def open(self, spec: SessionSpec, now: float) -> LaneStream:
        return self._odd if spec.session_id == "odd" else EchoStream()


async def test_a_loop_that_is_stuck_is_missed_although_its_sockets_are_not() -> None:
    gate = threading.Event()
    gate.set()
    async with served(LaneOf(Gated(gate))) as (url, worker):
        door = RemoteClient(url)
        odd = await door.open(echo_spec("odd"), ticket(url, "odd"))
        other = await door.open(echo_spec("other"), ticket(url, "other"))
        events, other_events = odd.events(), other.events()
        await until(events, Ready)
        await until(other_events, Ready)
        gate.clear()
        odd.send_audio(PACKET)
        for each in (events, other_events):
            assert (await asyncio.wait_for(fault_of(each), 4.0)).code == WorkerUnavailable.code
        with pytest.raises(WorkerUnavailable, match="stuck"):
            await door.open(echo_spec("next"), ticket(url, "next"))
        gate.set()
        async with asyncio.timeout(LIMIT_S):
            while worker.slots_free < worker.slots:
                await asyncio.sleep(0.05)
        await (await door.open(echo_spec("after"), ticket(url, "after"))).close()


async def test_a_worker_without_time_takes_no_new_call_but_one_that_lost_its_own() -> None:
    async with served(LaneOf(Slow()), slots=2) as (url, _worker):
        door = RemoteClient(url)
        first = await door.open(echo_spec("odd"), ticket(url, "odd"))
        await until(first.events(), Ready)
        await asyncio.sleep(1.0)  # for the meter to see it
        with pytest.raises(AtCapacity):
            await door.open(echo_spec("new"), ticket(url, "new"))
        moved = await door.open(echo_spec("moved"), ticket(url, "moved", goes_on=True))
        with pytest.raises(AtCapacity):
            await door.open(echo_spec("one too many"), ticket(url, "one too many", goes_on=True))
        await asyncio.gather(first.close(), moved.close())


async def test_events_that_nobody_reads_end_their_stream_as_a_slow_consumer() -> None:
    async with served(LaneOf(Flooding())) as (url, worker):
        door = RemoteClient(url, StreamLimits(events=200))
        odd = await door.open(echo_spec("odd"), ticket(url, "odd"))
        async with asyncio.timeout(LIMIT_S):
            while worker.slots_free < worker.slots:
                await asyncio.sleep(0.05)
        with pytest.raises(SlowConsumer):
            async for _event in odd.events():
                pass
        await odd.close()


async def test_an_unpaced_stream_waits_for_its_reader_and_loses_nothing() -> None:
    lane = ComposedLane(ToneEars(), ToneMouth(), LevelDetector)
    async with served(lane, Lane.COMPOSED) as (url, _worker):
        spec = SessionSpec(session_id="file", character="mira@1", paced=False)
        stream = await RemoteClient(url, StreamLimits(events=100)).open(spec, ticket(url, "file"))
        text = "the keeper sings " * 100
        for command in (StartSpeech("r1"), SpeakPart("r1", Words(text)), EndSpeech("r1")):
            stream.send(command)
        await asyncio.sleep(2.0)  # longer than the worker may be silent
        told = await until(stream.events(), SpeechFinished)
        assert isinstance(told[-1], SpeechFinished) and told[-1].heard_text == text
        assert sum(len(event.pcm) for event in told if isinstance(event, AudioOut)) >= 300 * 2 * 7_680
        await stream.close()


async def test_places_are_given_to_as_many_as_there_are_however_many_come_at_once() -> None:
    async with served(EchoLane(), slots=3) as (url, worker):
        door = RemoteClient(url)

        async def come(number: int) -> bool:
            try:
                await door.open(echo_spec(f"s{number}"), ticket(url, f"s{number}"))
            except AtCapacity:
                return False
            return True

        came = await asyncio.gather(*(come(number) for number in range(12)))
        assert sum(came) == 3 and worker.slots_free == 0
        assert worker.counts.refused == 0, "the port refuses before the loop has to"
