"""A real `python -m inference.worker`, and tickets for it as the web side would issue them."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from inference.client import Ticket, VoiceStream, client_at
from inference.client.stream_token import issue
from inference.errors import WorkerUnavailable
from inference.protocol import AudioOut, Event, Fault, Lane, SessionSpec

ROOT = Path(__file__).resolve().parents[2]
KEY = "a key that web side and workers share"
WORKER_ID = "worker-under-test"
START_LIMIT_S = 60.0
LIMIT_S = 15.0
PACKET = bytes(range(240)) * 4  # 20 ms


def ticket(
    url: str,
    session: str,
    *,
    fence: int = 1,
    worker: str = WORKER_ID,
    key: str = KEY,
    age_s: float = 0.0,
    goes_on: bool = False,
) -> Ticket:
    """A lease of its own each time; `age_s` is how long ago the token was issued."""
    lease = uuid.uuid4().hex
    now_s = time.time() - age_s
    token = issue(key, worker=worker, session=session, lease=lease, fence=fence, now_s=now_s, goes_on=goes_on)
    return Ticket(worker, url, token, fence, lease, session)


def echo_spec(session: str) -> SessionSpec:
    return SessionSpec(session_id=session, character="parrot@1", lane=Lane.ECHO)


async def open_echo(url: str, session: str = "", *, fence: int = 1) -> VoiceStream:
    """A stream, tried again where the machine was too busy to open it in time."""
    session = session or uuid.uuid4().hex
    for attempt in range(3):
        try:
            return await client_at(url).open(echo_spec(session), ticket(url, session, fence=fence))
        except WorkerUnavailable as error:
            if attempt == 2 or "within" not in str(error):
                raise
    raise AssertionError


async def next_event(events: AsyncIterator[Event]) -> Event:
    return await asyncio.wait_for(anext(events), LIMIT_S)


async def until(events: AsyncIterator[Event], kind: type) -> list[Event]:
    """Events up to and with the first of `kind`."""
    seen: list[Event] = []
    while not seen or not isinstance(seen[-1], kind):
        seen.append(await next_event(events))
    return seen


async def fault_of(events: AsyncIterator[Event]) -> Fault:
    """The last event, which must be a fatal fault."""
    last = (await until(events, Fault))[-1]
    assert isinstance(last, Fault) and last.fatal
    assert [event async for event in events] == []
    return last


async def echoed(stream: VoiceStream, events: AsyncIterator[Event], packets: int = 1) -> bytes:
    """What comes back of so many packets."""
    for _ in range(packets):
        stream.send_audio(PACKET)
    received = b""
    while len(received) < packets * len(PACKET):
        event = await next_event(events)
        received += event.pcm if isinstance(event, AudioOut) else b""
    return received


class RunningWorker:
    """The process and its address."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self.url = ""

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_until_listening(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            found = re.search(r"listens at (ws://\S+?/stream)", self.log)
            if found:
                self.url = found.group(1)
                return
            assert self.process.poll() is None, self.log
            time.sleep(0.05)
        raise AssertionError(f"the worker did not listen in time: {self.log}")

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of an HTTP request to the same port."""
        address = self.url.replace("ws://", "http://").removesuffix("/stream") + path
        try:
            with urllib.request.urlopen(address, timeout=LIMIT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        assert found, name
        return float(found.group(1))

    async def wait_for_metric(self, name: str, value: float) -> None:
        deadline = time.monotonic() + LIMIT_S
        while (seen := await asyncio.to_thread(self.metric, name)) != value:
            assert time.monotonic() < deadline, f"{name} is {seen}, not {value}"
            await asyncio.sleep(0.1)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@contextmanager
def worker_process(**environment: str) -> Iterator[RunningWorker]:
    """A worker with the echo lane and four slots, unless the environment says otherwise; killed at the end."""
    given = {
        "WORKER_ID": WORKER_ID,
        "WORKER_KEY": KEY,
        "WORKER_LISTEN": "127.0.0.1:0",
        "INFERENCE_LANE": "echo",
        "INFERENCE_SLOTS": "4",
    } | environment
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "inference.worker"], cwd=ROOT, env=inherited | given, stderr=sink, stdout=sink
            )
        running = RunningWorker(process, log)
        try:
            running.wait_until_listening()
            yield running
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
