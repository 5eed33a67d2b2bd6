"""The platform around the model: mailbox, loop and embedded client, on the echo lane and on lanes that misbehave."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping

import pytest

from inference import client
from inference.client import VoiceStream
from inference.client.limits import StreamLimits
from inference.errors import AtCapacity, InvalidSpec, SlowConsumer, StreamClosed, WorkerUnavailable
from inference.protocol import (
    AudioOut,
    CancelSpeech,
    Dropped,
    EndSpeech,
    Event,
    Fault,
    Lane,
    Ready,
    SessionSpec,
    SpeechFinished,
    SpeechStarted,
    StartSpeech,
    UserActive,
)
from inference.worker.echo import EchoLane, EchoStream
from inference.worker.embedded import EmbeddedClient, start_worker, stop_worker
from inference.worker.lanes import LaneOpener, LaneStream
from inference.worker.loop import Worker

LIMIT_S = 10.0
PACKET = bytes(range(240)) * 4  # 20 ms


def echo_spec(name: str = "call") -> SessionSpec:
    return SessionSpec(session_id=name, character="parrot@1", lane=Lane.ECHO)


async def next_event(events: AsyncIterator[Event]) -> Event:
    return await asyncio.wait_for(anext(events), LIMIT_S)


async def until(events: AsyncIterator[Event], kind: type) -> list[Event]:
    """Events up to and with the first of `kind`."""
    seen: list[Event] = []
    while not seen or not isinstance(seen[-1], kind):
        seen.append(await next_event(events))
    return seen


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = start_worker({Lane.ECHO: EchoLane()}, slots=2)
    yield worker
    stop_worker(worker)


def wait_for_free_slots(worker: Worker, slots: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while worker.slots_free < slots and time.monotonic() < deadline:
        time.sleep(0.01)


class StuckStream(EchoStream):
    """A lane whose step takes as long as the test wants."""

    def __init__(self, gate: threading.Event) -> None:
        super().__init__()
        self._gate = gate

    def step(self, now: float) -> list[Event]:
        self._gate.wait(LIMIT_S)
        return super().step(now)


class BrokenStream(EchoStream):
    """A lane that fails on its first audio."""

    def audio(self, now: float, pcm: bytes) -> None:
        raise ZeroDivisionError("weights")


class FloodStream(EchoStream):
    """A lane that produces events for ever."""

    def step(self, now: float) -> list[Event]:
        return [AudioOut("flood", 0, 0, PACKET)] * 50

    def next_due(self, now: float) -> float | None:
        return now + 0.001


class LaneOf(EchoLane):
    """Opens streams by the session's id, echo for the rest."""

    def __init__(self, streams: Mapping[str, LaneStream], failing: Mapping[str, Exception] | None = None) -> None:
        self._streams = streams
        self._failing = failing or {}

    def prepare(self, spec: SessionSpec) -> None:
        if spec.session_id in self._failing:
            raise self._failing[spec.session_id]

    def open(self, spec: SessionSpec, now: float) -> LaneStream:
        return self._streams.get(spec.session_id) or EchoStream()


def running(lane: LaneOpener, slots: int = 4, limits: StreamLimits | None = None) -> tuple[Worker, EmbeddedClient]:
    worker = Worker({Lane.ECHO: lane}, slots)
    worker.start()
    return worker, EmbeddedClient(worker, limits)


async def test_audio_comes_back_as_it_went_in(worker: Worker) -> None:
    stream = await client.connect().open(echo_spec())
    events = stream.events()
    assert isinstance(await next_event(events), Ready)
    for _ in range(3):
        stream.send_audio(PACKET)
    audio: list[AudioOut] = []
    while sum(len(event.pcm) for event in audio) < 3 * len(PACKET):
        event = await next_event(events)
        if isinstance(event, AudioOut):
            audio.append(event)
    assert b"".join(event.pcm for event in audio) == 3 * PACKET
    assert [event.position for event in audio] == [sum(len(e.pcm) // 2 for e in audio[:i]) for i in range(len(audio))]
    await stream.close()


async def test_audio_sent_before_the_slot_is_ready_is_kept(worker: Worker) -> None:
    stream = await client.connect().open(echo_spec())
    for _ in range(100):
        stream.send_audio(PACKET)
    events, received = stream.events(), 0
    while received < 100 * len(PACKET):
        event = await next_event(events)
        received += len(event.pcm) if isinstance(event, AudioOut) else 0
    assert worker.counts.dropped_packets == 0
    await stream.close()


async def test_a_cancelled_echo_begins_a_new_epoch(worker: Worker) -> None:
    stream = await client.connect().open(echo_spec())
    events = stream.events()
    stream.send_audio(PACKET)
    await until(events, AudioOut)
    stream.send(CancelSpeech())
    finished = (await until(events, SpeechFinished))[-1]
    assert isinstance(finished, SpeechFinished) and finished.status == "cancelled"
    stream.send_audio(PACKET)
    audio = (await until(events, AudioOut))[-1]
    assert isinstance(audio, AudioOut) and (audio.epoch, audio.position) == (finished.epoch + 1, 0)
    await stream.close()


async def test_a_response_on_the_echo_lane_starts_and_finishes(worker: Worker) -> None:
    stream = await client.connect().open(echo_spec())
    stream.send(StartSpeech("r1"))
    stream.send(EndSpeech("r1"))
    seen = await until(stream.events(), SpeechFinished)
    assert SpeechStarted("r1", 0) in seen
    assert seen[-1] == SpeechFinished("r1", 0, "completed")
    await stream.close()


async def test_a_full_worker_refuses_at_once_and_takes_the_next_caller_when_one_leaves(worker: Worker) -> None:
    door = client.connect()
    first, second = await door.open(echo_spec("a")), await door.open(echo_spec("b"))
    assert (door.slots, door.slots_free) == (2, 0)
    with pytest.raises(AtCapacity):
        await door.open(echo_spec("c"))
    await first.close()
    assert door.slots_free == 1
    third = await door.open(echo_spec("c"))
    assert len({first.id, second.id, third.id}) == 3
    for stream in (second, third):
        await stream.close()
    assert door.slots_free == 2 and worker.counts.refused == 1


async def test_a_worker_without_the_lane_says_so(worker: Worker) -> None:
    with pytest.raises(InvalidSpec, match="duplex"):
        await client.connect().open(SessionSpec(session_id="x", character="parrot@1", lane=Lane.DUPLEX))


async def test_a_closed_stream_refuses_commands_and_its_events_end(worker: Worker) -> None:
    stream = await client.connect().open(echo_spec())
    await stream.close()
    await stream.close()
    assert [event async for event in stream.events() if not isinstance(event, Ready)] == []
    with pytest.raises(StreamClosed):
        stream.send(UserActive())
    stream.send_audio(PACKET)


async def test_a_stopped_worker_ends_its_streams_and_is_no_longer_attached() -> None:
    worker = start_worker({Lane.ECHO: EchoLane()}, slots=1)
    door = client.connect()
    stream = await door.open(echo_spec())
    await asyncio.to_thread(stop_worker, worker)
    events = [event async for event in stream.events()]
    assert isinstance(events[-1], Fault) and events[-1].fatal and events[-1].code == WorkerUnavailable.code
    with pytest.raises(WorkerUnavailable):
        client.connect()
    with pytest.raises(WorkerUnavailable):
        await door.open(echo_spec())
    assert worker.slots_free == 1


async def test_audio_beyond_the_bound_drops_the_oldest_and_is_counted() -> None:
    gate = threading.Event()
    limits = StreamLimits(live_audio_s=0.5, burst_audio_s=0.5)
    worker, door = running(LaneOf({"slow": StuckStream(gate)}), limits=limits)
    stream = await door.open(echo_spec("slow"))
    events = stream.events()
    await next_event(events)
    packets = [bytes([n, 0]) * 480 for n in range(200)]
    for packet in packets:
        stream.send_audio(packet)
    gate.set()
    kept, told = b"", 0
    while packets[-1] not in kept or not told:
        event = await next_event(events)
        kept += event.pcm if isinstance(event, AudioOut) else b""
        told = event.uplink_packets if isinstance(event, Dropped) else told
    assert told == worker.counts.dropped_packets == 200 - len(kept) // len(packets[0]) > 100
    assert kept.endswith(b"".join(packets[-50:]))
    await stream.close()
    await asyncio.to_thread(worker.stop)


async def test_commands_are_never_dropped_and_too_many_end_the_stream_by_name() -> None:
    gate = threading.Event()
    worker, door = running(LaneOf({"slow": StuckStream(gate)}), limits=StreamLimits(commands=10))
    stream = await door.open(echo_spec("slow"))
    events = stream.events()
    await next_event(events)
    with pytest.raises(WorkerUnavailable, match="commands"):
        for _ in range(100):
            stream.send(UserActive())
    assert isinstance(fault := await next_event(events), Fault) and fault.fatal
    gate.set()
    with pytest.raises(StopAsyncIteration):
        await next_event(events)
    await asyncio.to_thread(worker.stop)


async def test_a_reader_that_falls_behind_loses_only_its_own_stream() -> None:
    worker, door = running(LaneOf({"flood": FloodStream()}))
    slow, other = await door.open(echo_spec("flood")), await door.open(echo_spec("other"))
    slow_events, other_events = slow.events(), other.events()
    await next_event(other_events)
    await asyncio.to_thread(wait_for_free_slots, worker, 3)
    with pytest.raises(SlowConsumer):
        await next_event(slow_events)
    other.send_audio(PACKET)
    assert isinstance((await until(other_events, AudioOut))[-1], AudioOut)
    await asyncio.to_thread(worker.stop)


async def test_a_fault_in_one_slot_leaves_the_others_alone() -> None:
    worker, door = running(LaneOf({"broken": BrokenStream()}))
    broken, other = await door.open(echo_spec("broken")), await door.open(echo_spec("other"))
    broken.send_audio(PACKET)
    last = (await until(broken.events(), Fault))[-1]
    assert isinstance(last, Fault) and last.fatal and last.code == "model_fault" and "weights" not in last.message
    other.send_audio(PACKET)
    await until(other.events(), AudioOut)
    assert worker.counts.faults == 1 and worker.slots_free == 3
    await asyncio.to_thread(worker.stop)


async def test_a_spec_that_cannot_be_prepared_ends_the_stream_with_its_reason() -> None:
    worker, door = running(LaneOf({}, failing={"odd": InvalidSpec("no such voice: kazoo")}))
    stream = await door.open(echo_spec("odd"))
    events = [event async for event in stream.events()]
    assert events == [Fault("invalid_spec", "no such voice: kazoo", fatal=True)]
    assert worker.slots_free == 4
    await asyncio.to_thread(worker.stop)


async def test_closing_while_the_slot_is_being_prepared_frees_it() -> None:
    gate = threading.Event()

    class SlowLane(EchoLane):
        def prepare(self, spec: SessionSpec) -> None:
            gate.wait(LIMIT_S)

    worker, door = running(SlowLane(), slots=1)
    stream = await door.open(echo_spec())
    await stream.close()
    assert worker.slots_free == 1
    gate.set()
    await asyncio.to_thread(worker.stop)


async def test_many_streams_hear_only_themselves() -> None:
    worker, door = running(EchoLane(), slots=16)

    async def talk(number: int) -> bool:
        stream: VoiceStream = await door.open(echo_spec(f"call {number}"))
        mine, received = bytes([number, 1]) * 480, b""
        events = stream.events()
        for _ in range(20):
            stream.send_audio(mine)
            await asyncio.sleep(0.002)
        while len(received) < 20 * len(mine):
            event = await next_event(events)
            received += event.pcm if isinstance(event, AudioOut) else b""
        await stream.close()
        return received == 20 * mine

    assert all(await asyncio.gather(*(talk(number) for number in range(16))))
    assert worker.slots_free == 16
    await asyncio.to_thread(worker.stop)


async def test_an_idle_worker_rests(worker: Worker) -> None:
    stream = await client.connect().open(echo_spec())
    await next_event(stream.events())
    before = worker.counts.passes
    await asyncio.sleep(0.5)
    assert worker.counts.passes - before <= 3
    await stream.close()
