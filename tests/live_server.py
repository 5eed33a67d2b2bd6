"""A running Troupe for tests: the real ASGI application under uvicorn on a private port, with a real worker thread.

`from tests.live_server import troupe_server, troupe` in a conftest makes the fixtures known. `troupe_server` lives as
long as the test session and keeps the test database open to the server's threads; `troupe` is it, with the cast loaded
and the limits of earlier tests forgotten.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from characters.models import Character
from config.web_server import Server, server_config
from inference import client
from inference.ears import default_ears
from inference.mouth import open_espeak
from inference.protocol import Lane
from inference.worker.default_lanes import default_lanes
from inference.worker.embedded import start_worker, stop_worker
from inference.worker.lanes import LaneOpener
from sessions.live.registry import live_sessions

START_LIMIT_S = 30.0
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class LiveServer:
    port: int
    loop: asyncio.AbstractEventLoop
    """The server's event loop, in its own thread."""

    door: client.AttachedWorker
    """Its worker's."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://{HOST}:{self.port}/v1/realtime"

    def call(self, work: Any) -> Any:
        """Runs a coroutine on the server's loop and returns its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(START_LIMIT_S)


@contextmanager
def running_server(*, slots: int = 8, lanes: Mapping[Lane, LaneOpener] | None = None) -> Iterator[LiveServer]:
    """Serves `config.asgi` until the block ends; says goodbye to live calls then, as `manage.py serve` does."""
    from config.asgi import application

    # Outside the tests' own folder: language models take seconds to make and are checked before they are used again.
    cache_dir = Path(settings.BASE_DIR) / "var" / "cache"
    # eSpeak NG alone: what is tested here is the platform, and a voice model would take its time from the browsers.
    lanes = lanes or default_lanes(ears=default_ears(cache_dir), mouth=open_espeak())
    worker = start_worker(lanes, slots=slots)
    config = server_config(application, host=HOST, port=0, lifespan="off")
    socket = config.bind_socket()
    server, loops = Server(config), list[asyncio.AbstractEventLoop]()

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[socket])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="live-server")
    thread.start()
    try:
        deadline = time.monotonic() + START_LIMIT_S
        while not server.started:
            if time.monotonic() > deadline or not thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        yield LiveServer(socket.getsockname()[1], loops[0], client.connect())
    finally:
        server.should_exit = True
        thread.join(START_LIMIT_S)
        stop_worker(worker)
        live_sessions.open_again()


@contextmanager
def _test_database() -> Iterator[None]:
    """pytest-django makes the test database only when a collected test is marked for it; ours are not."""
    if connection.settings_dict["NAME"] == settings.DATABASES["default"]["TEST"]["NAME"]:
        yield
        return
    made = setup_databases(verbosity=0, interactive=False, aliases={"default": True})
    try:
        yield
    finally:
        teardown_databases(made, verbosity=0)


@pytest.fixture(scope="session")
def troupe_server(django_db_setup: None, django_db_blocker: Any) -> Iterator[LiveServer]:
    """One server for all tests. Its threads write to the test database at any time, so it stays unblocked."""
    with django_db_blocker.unblock(), _test_database():
        call_command("load_cast", verbosity=0)
        with running_server() as server:
            yield server


@pytest.fixture
def troupe(troupe_server: LiveServer) -> LiveServer:
    if not Character.objects.exists():
        # A test with a database of its own has emptied the tables since.
        call_command("load_cast", verbosity=0)
    cache.clear()
    # Tests with a worker of their own leave none attached.
    client.attach(troupe_server.door)
    return troupe_server
