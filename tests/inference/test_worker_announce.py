"""A worker's heartbeats, taken and refused by a web side that is a small HTTP server."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from inference.client import client_at
from inference.client.stream_token import read_announcement
from inference.errors import WorkerUnavailable
from inference.protocol import Draining
from tests.inference.worker_process import (
    KEY,
    LIMIT_S,
    WORKER_ID,
    echo_spec,
    echoed,
    fault_of,
    next_event,
    open_echo,
    ticket,
    until,
    worker_process,
)


class Web:
    """Answers heartbeats as the test wants and keeps the reports."""

    def __init__(self) -> None:
        self.status = 200
        self.orders: Any = {"drain": False, "drop": []}
        self.reports: list[dict[str, Any]] = []
        self.statuses: list[int] = []
        self.signed_by: set[str] = set()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                bearer = self.headers["Authorization"].removeprefix("Bearer ")
                assert self.path == "/internal/workers/heartbeat"
                answer, status = json.dumps(web.orders).encode(), web.status
                web.signed_by.add(read_announcement(KEY, bearer, now_s=time.time()))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                web.reports.append(json.loads(body))
                web.statuses.append(status)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    async def wait_until_answered(self, status: int) -> None:
        """With this status, from now on."""
        begin, deadline = len(self.statuses), time.monotonic() + LIMIT_S
        while status not in self.statuses[begin:]:
            assert time.monotonic() < deadline, f"no heartbeat was answered with {status}"
            await asyncio.sleep(0.05)

    async def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first report from now on that is wanted."""
        begin, deadline = len(self.reports), time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            for report in self.reports[begin:]:
                if wanted(report):
                    return report
            await asyncio.sleep(0.05)
        raise AssertionError(f"no such report among {self.reports[begin:]}")

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.stop()


def closed_port() -> int:
    with socket.socket() as endpoint:
        endpoint.bind(("127.0.0.1", 0))
        port: int = endpoint.getsockname()[1]
        return port


async def test_a_worker_says_what_it_is_and_what_it_could_take(web: Web) -> None:
    nobody = f"http://127.0.0.1:{closed_port()}"
    with worker_process(TROUPE_WEB=f"{nobody},{web.url}") as worker:
        report = await web.wait_for(lambda report: True)
        assert web.signed_by == {WORKER_ID} == {report["id"]}
        assert report["url"] == worker.url and report["lanes"] == ["echo"] and report["languages"] == ["*"]
        assert (report["slots"], report["slots_open"], report["in_use"], report["leases"]) == (4, 4, 0, [])
        assert (report["frame_ms"], report["purpose"], report["draining"]) == (40, "live", False)
        assert abs(report["clock"] - time.time()) < LIMIT_S and report["incarnation"] and report["version"]
        mine = ticket(worker.url, "s")
        stream = await client_at(worker.url).open(echo_spec("s"), mine)
        events = stream.events()
        await echoed(stream, events, 20)
        busy = await web.wait_for(lambda report: report["in_use"] == 1)
        assert (busy["slots_open"], busy["leases"]) == (3, [mine.lease])
        assert busy["incarnation"] == report["incarnation"] and busy["tick_p99_ms"] > 0
        await stream.close()


async def test_calls_go_on_while_the_web_side_cannot_be_told(web: Web) -> None:
    with worker_process(TROUPE_WEB=web.url) as worker:
        stream = await open_echo(worker.url)
        events = stream.events()
        for status in (503, 401, 200):
            web.status = status
            await web.wait_until_answered(status)
            assert len(await echoed(stream, events, 3)) > 0
        assert {200, 401, 503} <= set(web.statuses)
        assert worker.log.count("does not take the heartbeat (http_503)") == 1
        assert "does not take the heartbeat (http_401)" in worker.log
        web.orders = ["not", "orders"]
        await web.wait_for(lambda report: True)
        await web.wait_for(lambda report: True)
        assert "orders are not understood" in worker.log
        assert len(await echoed(stream, events, 3)) > 0
        await stream.close()


async def test_a_lease_that_is_over_ends_its_stream_and_no_other(web: Web) -> None:
    with worker_process(TROUPE_WEB=web.url) as worker:
        lost = ticket(worker.url, "lost")
        stream = await client_at(worker.url).open(echo_spec("lost"), lost)
        other = await open_echo(worker.url)
        web.orders = {"drain": False, "drop": [lost.lease, "never seen"]}
        assert (await fault_of(stream.events())).code == "superseded"
        assert len(await echoed(other, other.events())) > 0
        assert (await web.wait_for(lambda report: report["in_use"] == 1))["leases"] != [lost.lease]
        await other.close()


async def test_a_worker_drains_when_the_web_side_asks_and_admits_again_when_it_takes_that_back(web: Web) -> None:
    with worker_process(TROUPE_WEB=web.url, WORKER_DRAIN_S="20") as worker:
        stream = await open_echo(worker.url)
        events = stream.events()
        await next_event(events)
        web.orders = {"drain": True, "drop": []}
        assert (await until(events, Draining))[-1] == Draining(20.0)
        report = await web.wait_for(lambda report: bool(report["draining"]))
        assert (report["slots_open"], report["in_use"]) == (0, 1)
        with pytest.raises(WorkerUnavailable, match="draining"):
            await open_echo(worker.url)
        web.orders = {"drain": False, "drop": []}
        await web.wait_for(lambda report: not report["draining"] and report["slots_open"] == 3)
        again = await open_echo(worker.url)
        assert len(await echoed(again, again.events())) > 0
        for each in (stream, again):
            await each.close()
