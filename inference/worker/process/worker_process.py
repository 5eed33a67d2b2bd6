"""A worker process from its start to its end: rehearse, listen, announce, and drain when it is told to stop."""

import asyncio
import gc
import logging
import signal
from contextlib import suppress
from typing import Any

from inference.worker.capacity import Capacity
from inference.worker.loop import Worker
from inference.worker.process.announce import Announcer, Orders
from inference.worker.process.configured_lanes import OpenLanes
from inference.worker.process.environment import Address
from inference.worker.process.gate import Gate
from inference.worker.process.loop_watch import LoopWatch
from inference.worker.process.metrics import WorkerCollector
from inference.worker.process.probes import Probes
from inference.worker.process.rehearsal import rehearse
from inference.worker.process.report import Identity, report_of
from inference.worker.process.server import STREAM_PATH, StreamServer
from inference.worker.process.settings import WorkerSettings

logger = logging.getLogger(__name__)

EMPTY_LOOK_S = 0.1
LAST_WORD_LIMIT_S = 3.0
GOODBYE_S = 1.0
"""For the last events to leave, when streams are ended."""


class WorkerProcess:
    """Everything of one worker, in one event loop beside the loop that owns the slots."""

    def __init__(self, settings: WorkerSettings, lanes: OpenLanes) -> None:
        self._settings = settings
        self._lanes = lanes
        self._worker = Worker(lanes.openers, settings.slots)
        self._capacity = Capacity(self._worker)
        self._watch = LoopWatch(self._worker)
        self._gate = Gate(self._capacity, self._watch, settings.id, settings.key)
        self._announcer = Announcer(settings.webs, settings.id, settings.key, self._report, self._obey)
        metrics = WorkerCollector(self._capacity, self._watch, self._gate, self._announcer)
        self._server = StreamServer(
            self._capacity, self._watch, self._gate, Probes(self._capacity, self._watch, metrics.register())
        )
        self._identity: Identity | None = None
        self._stopping = asyncio.Event()
        self._at_once = asyncio.Event()
        self._ordered: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until a signal has ended it. Raises `InferenceError` when the lanes cannot be prepared, `OSError` when the
        port is taken."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        self._worker.start()
        announcing: asyncio.Task[None] | None = None
        try:
            await rehearse(self._worker, self._lanes.main)
            self._capacity.learn()
            await self._listen()
            announcing = asyncio.create_task(self._announcer.run(), name="worker-announce")
            await self._stopping.wait()
            await self._drain()
        finally:
            await self._shut(announcing)

    async def _listen(self) -> None:
        settings = self._settings
        # All that is loaded stays. A full collection would go through it each time, and no tick be made meanwhile.
        gc.collect()
        gc.freeze()
        port = await self._server.start(settings.listen.host, settings.listen.port)
        url = settings.url or f"ws://{Address(settings.listen.host, port).netloc}{STREAM_PATH}"
        self._identity = Identity(settings.id, url, settings.purpose, self._lanes.languages)
        logger.info(
            "worker %s listens at %s: %s, %d slots, %.2f ms of a frame for a stream",
            settings.id,
            url,
            ", ".join(sorted(self._worker.lanes)),
            settings.slots,
            self._capacity.cost_ms,
        )

    def _report(self) -> dict[str, Any]:
        assert self._identity is not None
        return report_of(self._identity, self._capacity, self._server.leases)

    # --- the end ---

    def _signalled(self) -> None:
        if self._stopping.is_set():
            self._at_once.set()
        self._stopping.set()

    async def _drain(self) -> None:
        """Lets the streams go elsewhere, `drain_s` at most; a second signal ends the wait."""
        self._stop_ordered()
        in_use = self._worker.slots - self._worker.slots_free
        logger.info("draining %d streams, %g s at most; a second signal stops at once", in_use, self._settings.drain_s)
        self._worker.drain(self._settings.drain_s)
        self._announcer.hurry()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s):
                while self._worker.slots_free < self._worker.slots and not self._at_once.is_set():
                    await asyncio.sleep(EMPTY_LOOK_S)

    async def _shut(self, announcing: asyncio.Task[None] | None) -> None:
        self._stop_ordered()
        self._worker.drain(0.0)
        if self._server.leases:
            self._server.end_all("the worker is stopping")
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    while self._server.leases:
                        await asyncio.sleep(EMPTY_LOOK_S)
        await self._server.stop()
        await asyncio.to_thread(self._worker.stop)
        if announcing is not None:
            announcing.cancel()
            with suppress(asyncio.CancelledError):
                await announcing
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORD_LIMIT_S):
                    await self._announcer.say_last()
        logger.info("stopped")

    # --- what the web side wants ---

    def _obey(self, orders: Orders) -> None:
        self._server.end_leases(orders.drop)
        if self._stopping.is_set():
            return
        if orders.drain and self._ordered is None:
            logger.info("draining as the web side asks; the process stays")
            self._worker.drain(self._settings.drain_s)
            self._ordered = asyncio.create_task(self._end_drained(), name="worker-ordered-drain")
            self._announcer.hurry()
        elif not orders.drain and self._ordered is not None:
            logger.info("admitting again as the web side asks")
            self._stop_ordered()
            self._worker.end_drain()
            self._announcer.hurry()

    async def _end_drained(self) -> None:
        await asyncio.sleep(self._settings.drain_s)
        self._server.end_all("the worker was drained")

    def _stop_ordered(self) -> None:
        ordered, self._ordered = self._ordered, None
        if ordered is not None:
            ordered.cancel()
