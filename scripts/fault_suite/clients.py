"""Faults of clients: the others must not notice."""

import asyncio
import multiprocessing
import os
import random
import socket
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from urllib.parse import urlsplit

from scripts.calls import tones
from scripts.calls.call import Call, CallPlan, NotOpened
from scripts.calls.door import Visitor
from scripts.calls.wire import binary_frame
from scripts.cluster.plan import ECHO
from scripts.fault_suite.fault import Fault, Trial
from scripts.fault_suite.stage import Stage

DEAF_S = 20.0
GARBAGE_S = 5.0
FLOOD_TRIES = 15
FLOOD_NICE = 15
HALF_OPEN_S = 4.0
GONE_LIMIT_S = 110.0
"""20 s until the next ping, 20 s for its answer, 30 s to come back, and a sweep."""


async def reads_nothing(stage: Stage, trial: Trial) -> None:
    deaf = await stage.open(stage.plan(echoes=True, reads=False, comes_back=False))
    trial.begin()
    await asyncio.sleep(DEAF_S)
    stage.pacer.remove(deaf)
    trial.notes["packets_it_sent"] = len(deaf.record.sent_at)
    deaf.lose_network()


async def sends_garbage(stage: Stage, trial: Trial) -> None:
    url = stage.cluster.url(ECHO)
    trial.begin()
    # A flood comes from elsewhere: here it takes only what processor time the servers leave.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=os.nice, initargs=(FLOOD_NICE,)) as pool:
        loop = asyncio.get_running_loop()
        trial.notes["messages"] = await loop.run_in_executor(pool, flood, url, GARBAGE_S)
        trial.notes["raw_bytes"] = await loop.run_in_executor(pool, flood_raw, url, GARBAGE_S / 2)
    trial.demand(trial.notes["messages"]["close_code"] != 0, "the server did not hang up on garbage")
    await asyncio.sleep(2)


async def half_open(stage: Stage, trial: Trial) -> None:
    """One client vanishes for good, another comes back while its first connection still seems to be open."""
    gone, returning = await stage.echoes(2)
    trial.begin()
    gone.freeze()
    returning.freeze()
    stage.pacer.remove(gone)
    await asyncio.sleep(HALF_OPEN_S)
    began = time.perf_counter()
    back = await returning.come_back()
    trial.notes["back_after_ms"] = round((time.perf_counter() - began) * 1000)
    trial.demand(back, "the client that came back was not let in")
    returned = len(returning.record.returned)
    await asyncio.sleep(2)
    trial.demand(len(returning.record.returned) > returned, "the client that came back heard nothing")
    await stage.end([returning])
    await asyncio.sleep(1)
    trial.notes["state_of_the_vanished"] = await stage.outside(stage.records.state, gone.session_id)


def flood(url: str, seconds: float) -> dict[str, float]:
    """Everything that is no message of the protocol, as fast as the server takes it. In a process of its own."""
    return asyncio.run(_flood(url, seconds))


async def _flood(url: str, seconds: float) -> dict[str, float]:
    dice = random.Random(7)
    with ThreadPoolExecutor(1) as pool:
        call = await _opened(url, pool)
        deadline, sent = time.perf_counter() + seconds, 0
        while time.perf_counter() < deadline and not call.over.is_set():
            for _ in range(50):
                sent += call.send_raw(_nonsense(dice)) if dice.random() < 0.7 else call.send({"type": dice.random()})
            await asyncio.sleep(0)
        if call.record.close_code is None:
            # What it was told waits behind what it sent.
            await asyncio.wait({asyncio.create_task(call.over.wait())}, timeout=seconds)
        call.hang_up()
        return {"sent": sent, "close_code": call.record.close_code or 0}


async def _opened(url: str, pool: ThreadPoolExecutor) -> Call:
    """Raises `RuntimeError` when the server stays full."""
    reason = ""
    for _attempt in range(FLOOD_TRIES):
        call = Call(CallPlan(tones.MOST_TONES - 1, comes_back=False), Visitor(url, pool))
        try:
            await call.open()
        except NotOpened as error:
            reason = error.reason
            await asyncio.sleep(1)
        else:
            return call
    raise RuntimeError(f"the flood could not begin: {reason}")


def _nonsense(dice: random.Random) -> bytes:
    return bytes(binary_frame(dice.randbytes(dice.randrange(0, 3_000))))


def flood_raw(url: str, seconds: float) -> int:
    """Bytes that are not even HTTP, on one connection after another."""
    parts = urlsplit(url)
    deadline, sent = time.perf_counter() + seconds, 0
    while time.perf_counter() < deadline:
        try:
            with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=1) as connection:
                while time.perf_counter() < deadline:
                    sent += connection.send(os.urandom(8_192))
        except OSError:
            continue
    return sent


CLIENT_FAULTS = [
    Fault(
        "client_reads_nothing",
        f"a client reads nothing for {DEAF_S:g} s",
        reads_nothing,
        gap_limit_ms=300,
        settle_limit_s=60,
    ),
    Fault("client_sends_garbage", "a client sends garbage at full speed", sends_garbage, gap_limit_ms=500),
    Fault(
        "half_open",
        "connections whose other end is silent: one client comes back, one does not",
        half_open,
        gap_limit_ms=300,
        settle_limit_s=GONE_LIMIT_S,
    ),
]
