"""Admission by the worker's own ticks: what the meter reads, and how many streams that leaves room for."""

import pytest

from inference.client import EMBEDDED_URL, Ticket
from inference.errors import AtCapacity, Superseded, WorkerUnavailable
from inference.protocol import Fault, Lane, SessionSpec
from inference.worker.capacity import Capacity
from inference.worker.echo import EchoLane
from inference.worker.embedded import EmbeddedClient
from inference.worker.headroom import Headroom
from inference.worker.loop import Worker
from inference.worker.tick_meter import TickFigures, TickMeter

FRAME_S = 0.04


def figures(
    p99_ms: float, per_stream_ms: float, live: int, *, shared_ms: float = 0.0, late: float = 0.0
) -> TickFigures:
    return TickFigures(p99_ms / 1000, shared_ms / 1000, per_stream_ms * live / 1000, live, late, frames=250)


def more(read: TickFigures, live: int | None = None) -> int:
    headroom = Headroom()
    headroom.learn(read)
    return headroom.streams(read, int(read.live) if live is None else live)


def test_streams_that_cost_little_leave_room_for_many() -> None:
    assert more(figures(2.0, 0.1, 10)) > 200
    assert more(figures(10.0, 5.0, 2)) == 4


def test_a_frame_that_is_nearly_full_leaves_room_for_nobody() -> None:
    assert more(figures(35.9, 1.0, 10)) == 0, "one pass takes nearly the whole frame"
    assert more(figures(20.0, 3.0, 10)) == 0, "all passes together do"
    assert more(figures(60.0, 1.0, 1)) == 0


def test_a_machine_that_stood_still_closes_the_door_for_two_seconds_not_for_ten() -> None:
    meter, clock = TickMeter(), 100.0

    def ticks(seconds: float) -> None:
        nonlocal clock
        for _ in range(round(seconds / FRAME_S)):
            meter.note(clock, clock + 0.001, 0.0, 4, 4, 0)
            clock += FRAME_S

    ticks(5.0)
    meter.note(clock, clock + 1.5, 0.0, 4, 4, 4)
    clock += 1.5
    ticks(1.0)
    assert more(meter.figures(clock), live=4) == 0
    ticks(1.5)
    assert more(meter.figures(clock), live=4) > 0
    for _ in range(4):
        meter.note(clock, clock + 0.3, 0.0, 4, 4, 0)
        clock += 0.3
        ticks(2.0)
    assert more(meter.figures(clock), live=4) == 0, "one that stands still again and again is not well"


def test_late_steps_close_the_door_however_cheap_the_streams() -> None:
    assert more(figures(1.0, 0.1, 3, late=0.06)) == 0
    assert more(figures(1.0, 0.1, 3, late=0.04)) > 0


def test_work_that_is_done_once_for_all_is_not_charged_to_the_next_stream() -> None:
    assert more(figures(20.0, 0.5, 2, shared_ms=20.0)) == 18
    assert more(figures(20.0, 10.5, 2)) == 0


def test_streams_that_have_not_been_measured_yet_are_reckoned_with() -> None:
    measured = figures(5.0, 2.0, 2)
    assert more(measured, live=2) - more(measured, live=7) == 5


def test_what_a_stream_costs_is_remembered_when_all_have_left() -> None:
    headroom = Headroom()
    headroom.learn(figures(10.0, 5.0, 2))
    assert headroom.streams(TickFigures(), 0) == 6
    headroom.learn(TickFigures())
    assert headroom.cost_ms == pytest.approx(5.0)


def test_a_worker_with_nobody_tries_one_however_dear_the_last_one_was() -> None:
    headroom = Headroom()
    headroom.learn(figures(300.0, 80.0, 1))
    assert headroom.streams(TickFigures(), 0) == 1
    assert headroom.streams(TickFigures(), 1) == 0


def test_the_meter_reads_passes_frame_by_frame() -> None:
    meter = TickMeter()
    for frame in range(250):
        began = 100.0 + frame * FRAME_S + 0.001
        meter.note(began, began + 0.010, shared_s=0.004, live=3, steps=3, late=int(frame % 10 == 0))
    read = meter.figures(100.0 + 250 * FRAME_S)
    assert read.p99_s == pytest.approx(0.010)
    assert read.shared_s == pytest.approx(0.004, rel=0.02) and read.slots_s == pytest.approx(0.006, rel=0.02)
    assert (read.live, read.frames) == (3, 250)
    assert read.late_share == pytest.approx(25 / 750)
    assert meter.figures(200.0) == TickFigures(), "ten seconds later nothing is left of it"


def test_a_long_pass_spoils_every_frame_it_reaches_into() -> None:
    meter = TickMeter()
    meter.note(100.0, 101.0, shared_s=0.0, live=1, steps=1, late=0)
    assert meter.figures(101.0).p99_s == pytest.approx(1.0)


def test_rare_passes_are_no_99th_percentile() -> None:
    meter = TickMeter()
    for frame in range(250):
        began = 100.0 + frame * FRAME_S + 0.001
        took = 0.035 if frame in (50, 100) else 0.002
        meter.note(began, began + took, shared_s=0.0, live=1, steps=1, late=0)
    assert meter.figures(110.0).p99_s == pytest.approx(0.002)


def test_the_histogram_counts_every_pass_with_work() -> None:
    meter = TickMeter()
    for took in (0.0004, 0.003, 0.003, 9.0):
        meter.note(1.0, 1.0 + took, shared_s=0.0, live=1, steps=1, late=0)
    meter.note(2.0, 2.0, shared_s=0.0, live=1, steps=0, late=0)
    buckets, total_s = meter.histogram()
    assert dict(buckets)["0.0005"] == 1 and dict(buckets)["0.005"] == 3 and dict(buckets)["+Inf"] == 4
    assert total_s == pytest.approx(9.0064)


def spec(session: str) -> SessionSpec:
    return SessionSpec(session_id=session, character="parrot@1", lane=Lane.ECHO)


async def test_a_place_is_kept_for_who_was_let_in_and_no_longer_than_a_moment() -> None:
    now = 0.0
    worker = Worker({Lane.ECHO: EchoLane()}, slots=3)
    worker.start()
    capacity = Capacity(worker, clock=lambda: now)
    assert capacity.slots_open() == 3
    capacity.expect("a")
    capacity.expect("b")
    assert capacity.slots_open() == 1
    capacity.arrived("a")
    assert capacity.slots_open() == 2
    now = 5.0
    assert capacity.slots_open() == 3
    worker.drain(1.0)
    assert capacity.slots_open() == 0
    with pytest.raises(WorkerUnavailable, match="draining"):
        await EmbeddedClient(worker).open(spec("a"))
    worker.end_drain()
    assert capacity.slots_open() == 3
    worker.stop()
    assert capacity.slots_open() == 0


async def test_the_embedded_worker_fences_and_counts_leases_as_well() -> None:
    worker = Worker({Lane.ECHO: EchoLane()}, slots=1)
    worker.start()
    door = EmbeddedClient(worker)
    first = await door.open(spec("s"), Ticket("w", EMBEDDED_URL, "", 1, "lease-1", "s"))
    assert door.leases == ["lease-1"]
    second = await door.open(spec("s"), Ticket("w", EMBEDDED_URL, "", 2, "lease-2", "s"))
    assert [event async for event in first.events()][-1] == Fault(
        Superseded.code, "a newer stream of the session took over", fatal=True
    )
    assert door.leases == ["lease-2"]
    with pytest.raises(Superseded):
        await door.open(spec("s"), Ticket("w", EMBEDDED_URL, "", 1, "lease-3", "s"))
    with pytest.raises(AtCapacity):
        await door.open(spec("other"))
    door.drop(["lease-2", "unknown"])
    last = [event async for event in second.events()][-1]
    assert isinstance(last, Fault) and last.code == Superseded.code
    assert door.leases == []
    await second.close()
    assert worker.slots_free == 1
    worker.stop()
