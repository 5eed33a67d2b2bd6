"""`python -m inference.worker` as the web side knows it: streams, tokens, fences, and how it ends."""

import asyncio
import signal
import time
from collections.abc import Iterator

import pytest

from inference.client import Ticket, client_at
from inference.errors import AtCapacity, InvalidSpec, StreamClosed, Superseded, TokenRefused, WorkerUnavailable
from inference.protocol import (
    AudioOut,
    CancelSpeech,
    Draining,
    Lane,
    Ready,
    SessionSpec,
    SpeechFinished,
    UserActive,
)
from tests.inference.worker_process import (
    KEY,
    LIMIT_S,
    PACKET,
    RunningWorker,
    echo_spec,
    echoed,
    fault_of,
    next_event,
    open_echo,
    ticket,
    until,
    worker_process,
)

SEEN_WITHIN_S = 2.0
EXIT_LIMIT_S = 15.0


@pytest.fixture(scope="module")
def worker() -> Iterator[RunningWorker]:
    with worker_process() as running:
        yield running


async def test_audio_comes_back_through_another_process(worker: RunningWorker) -> None:
    stream = await open_echo(worker.url)
    events = stream.events()
    assert isinstance(await next_event(events), Ready)
    assert await echoed(stream, events, 5) == 5 * PACKET
    stream.send(CancelSpeech())
    finished = (await until(events, SpeechFinished))[-1]
    assert isinstance(finished, SpeechFinished) and (finished.status, finished.epoch) == ("cancelled", 0)
    stream.send_audio(PACKET)
    again = (await until(events, AudioOut))[-1]
    assert isinstance(again, AudioOut) and (again.epoch, again.position) == (1, 0)
    await stream.close()


async def test_a_closed_stream_has_given_its_slot_back(worker: RunningWorker) -> None:
    stream = await open_echo(worker.url)
    await stream.close()
    await stream.close()
    assert await asyncio.to_thread(worker.metric, "troupe_worker_live_streams") == 0
    assert [event async for event in stream.events() if not isinstance(event, Ready)] == []
    with pytest.raises(StreamClosed):
        stream.send(UserActive())
    stream.send_audio(PACKET)


async def test_many_streams_hear_only_themselves(worker: RunningWorker) -> None:
    async def talk(number: int) -> bool:
        stream = await open_echo(worker.url)
        events, mine, received = stream.events(), bytes([number, 1]) * 480, b""
        for _ in range(25):
            stream.send_audio(mine)
            await asyncio.sleep(0.005)
        while len(received) < 25 * len(mine):
            event = await next_event(events)
            received += event.pcm if isinstance(event, AudioOut) else b""
        await stream.close()
        return received == 25 * mine

    assert all(await asyncio.gather(*(talk(number) for number in range(4))))


async def test_a_full_worker_refuses_at_once_and_takes_the_next_caller_when_one_leaves(worker: RunningWorker) -> None:
    streams = [await open_echo(worker.url) for _ in range(4)]
    with pytest.raises(AtCapacity):
        await open_echo(worker.url)
    status, why = await asyncio.to_thread(worker.get, "/readyz")
    assert (status, why) == (503, "full\n")
    await streams.pop().close()
    streams.append(await open_echo(worker.url))
    for stream in streams:
        await stream.close()
    assert await asyncio.to_thread(worker.metric, 'troupe_worker_refusals_total{reason="at_capacity"}') >= 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"worker": "another-worker"}, "somebody else"),
        ({"key": KEY[::-1]}, "not signed"),
        ({"age_s": 60.0}, "expired"),
    ],
)
async def test_a_token_that_is_none_opens_nothing(worker: RunningWorker, change: dict[str, object], why: str) -> None:
    with pytest.raises(TokenRefused, match=why):
        await client_at(worker.url).open(echo_spec("s"), ticket(worker.url, "s", **change))  # type: ignore[arg-type]


async def test_a_token_opens_one_stream_only(worker: RunningWorker) -> None:
    once = ticket(worker.url, "replayed")
    stream = await client_at(worker.url).open(echo_spec("replayed"), once)
    with pytest.raises(TokenRefused, match="used"):
        await client_at(worker.url).open(echo_spec("replayed"), once)
    assert await echoed(stream, stream.events()) == PACKET, "whoever came first is not disturbed"
    await stream.close()
    with pytest.raises(TokenRefused, match="used"):
        await client_at(worker.url).open(echo_spec("replayed"), once)


async def test_a_token_is_for_the_session_it_names(worker: RunningWorker) -> None:
    with pytest.raises(InvalidSpec, match="session"):
        await client_at(worker.url).open(echo_spec("mine"), ticket(worker.url, "yours"))
    await worker.wait_for_metric("troupe_worker_live_streams", 0)


async def test_without_a_ticket_or_the_lane_nothing_opens(worker: RunningWorker) -> None:
    with pytest.raises(InvalidSpec, match="ticket"):
        await client_at(worker.url).open(echo_spec("s"))
    spec = SessionSpec(session_id="s", character="mira@1", lane=Lane.DUPLEX)
    with pytest.raises(InvalidSpec, match="duplex"):
        await client_at(worker.url).open(spec, ticket(worker.url, "s"))


async def test_a_newer_stream_of_a_session_ends_the_older_one_and_the_older_number_is_over(
    worker: RunningWorker,
) -> None:
    others = [await open_echo(worker.url) for _ in range(3)]
    older = await open_echo(worker.url, "moved", fence=4)
    older_events = older.events()
    assert isinstance(await next_event(older_events), Ready)
    newer = await open_echo(worker.url, "moved", fence=5)
    assert (await fault_of(older_events)).code == "superseded"
    assert await echoed(newer, newer.events()) == PACKET
    with pytest.raises(Superseded):
        await open_echo(worker.url, "moved", fence=4)
    assert await echoed(others[0], others[0].events()) == PACKET
    for stream in (newer, older, *others):
        await stream.close()


async def test_where_nobody_listens_the_worker_is_unavailable_within_a_second() -> None:
    nowhere = Ticket("w", "ws://127.0.0.1:9/stream", "token", 1, "lease", "s")
    with pytest.raises(WorkerUnavailable):
        await asyncio.wait_for(client_at(nowhere.url).open(echo_spec("s"), nowhere), LIMIT_S)
    with pytest.raises(WorkerUnavailable, match="no address"):
        client_at("http://127.0.0.1:9/stream")


async def test_a_worker_that_is_killed_is_missed_within_two_seconds() -> None:
    with worker_process() as worker:
        stream = await open_echo(worker.url)
        events = stream.events()
        await echoed(stream, events)
        worker.signal(signal.SIGKILL)
        fault = await asyncio.wait_for(fault_of(events), SEEN_WITHIN_S)
        assert fault.code == WorkerUnavailable.code
        with pytest.raises(StreamClosed):
            stream.send(UserActive())
        await stream.close()


async def test_a_worker_that_stalls_is_missed_within_two_seconds_and_opens_nothing() -> None:
    with worker_process() as worker:
        stream = await open_echo(worker.url)
        events = stream.events()
        await echoed(stream, events)
        worker.signal(signal.SIGSTOP)
        fault = await asyncio.wait_for(fault_of(events), SEEN_WITHIN_S + 0.5)
        assert fault.code == WorkerUnavailable.code
        with pytest.raises(WorkerUnavailable, match="within 1 s"):
            await client_at(worker.url).open(echo_spec("next"), ticket(worker.url, "next"))
        worker.signal(signal.SIGCONT)
        await worker.wait_for_metric("troupe_worker_live_streams", 0)
        again = await open_echo(worker.url)
        assert await echoed(again, again.events()) == PACKET
        await again.close()


async def test_a_worker_told_to_stop_lets_its_calls_move_and_then_goes() -> None:
    with worker_process(WORKER_DRAIN_S="30") as worker:
        stream = await open_echo(worker.url)
        events = stream.events()
        await echoed(stream, events)
        worker.signal(signal.SIGTERM)
        draining = (await until(events, Draining))[-1]
        assert draining == Draining(30.0)
        with pytest.raises(WorkerUnavailable, match="draining"):
            await open_echo(worker.url)
        assert (await asyncio.to_thread(worker.get, "/readyz"))[0] == 503
        assert (await asyncio.to_thread(worker.get, "/healthz"))[0] == 200
        assert await echoed(stream, events, 10) == 10 * PACKET, "a call goes on while its worker drains"
        await stream.close()
        assert await asyncio.to_thread(worker.process.wait, EXIT_LIMIT_S) == 0


@pytest.mark.parametrize("how", ["deadline", "second signal"])
async def test_calls_that_do_not_move_are_ended(how: str) -> None:
    with worker_process(WORKER_DRAIN_S="1" if how == "deadline" else "600") as worker:
        stream = await open_echo(worker.url)
        events = stream.events()
        worker.signal(signal.SIGTERM)
        await until(events, Draining)
        if how == "second signal":
            worker.signal(signal.SIGTERM)
        began = time.monotonic()
        assert (await fault_of(events)).code == WorkerUnavailable.code
        assert time.monotonic() - began < LIMIT_S
        assert await asyncio.to_thread(worker.process.wait, EXIT_LIMIT_S) == 0
