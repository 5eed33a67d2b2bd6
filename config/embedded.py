"""What the serve process brings along when nothing is deployed: inference worker, job worker, clock for sweeps."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from celery import Celery
from django.db import close_old_connections

from inference.errors import InferenceError
from inference.protocol import SessionSpec

logger = logging.getLogger(__name__)

STOP_TIMEOUT_S = 10.0


class JobWorker:
    """Celery's own worker on a thread of this process, for `memory://`: jobs wait in memory, rows in the database."""

    def __init__(self, app: Celery) -> None:
        self._controller = app.WorkController(
            pool="solo",
            concurrency=1,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            hostname="embedded@troupe",
            loglevel="WARNING",
        )
        self._thread = threading.Thread(target=self._controller.start, name="jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let the running job end, within `STOP_TIMEOUT_S`."""
        self._controller.stop(in_sighandler=False)
        self._thread.join(STOP_TIMEOUT_S)


class WarmUp:
    """Loads what each character's calls need, one after another, so that not even the first caller waits for it."""

    def __init__(self, specs: list[SessionSpec], prepare: Callable[[SessionSpec], None]) -> None:
        self._specs = specs
        self._prepare = prepare
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Skip what is left; the one in work ends by itself, its thread is a daemon."""
        self._stopping = True

    def _run(self) -> None:
        for number, spec in enumerate(self._specs, 1):
            if self._stopping:
                return
            try:
                self._prepare(spec)
            except InferenceError as error:
                logger.error("%s cannot be prepared: %s", spec.character, error)
            else:
                logger.info("%s is ready (%d of %d)", spec.character, number, len(self._specs))


@dataclass(frozen=True, slots=True)
class Sweep:
    name: str
    every_s: float
    run: Callable[[], object]


class Ticker:
    """Runs each sweep at start and then at its interval, one after another; a failing one is logged and tried again."""

    def __init__(self, sweeps: list[Sweep]) -> None:
        self._sweeps = sweeps
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        step_s = min(sweep.every_s for sweep in self._sweeps)
        waited = dict.fromkeys((sweep.name for sweep in self._sweeps), float("inf"))
        while True:
            for sweep in self._sweeps:
                if waited[sweep.name] >= sweep.every_s:
                    waited[sweep.name] = 0.0
                    self._try(sweep)
            if self._stopped.wait(step_s):
                return
            for name in waited:
                waited[name] += step_s

    def _try(self, sweep: Sweep) -> None:
        try:
            sweep.run()
        except Exception:
            logger.exception("the sweep %s failed and will run again in %g s", sweep.name, sweep.every_s)
        finally:
            # A connection kept by this thread would be missing from the pool, and stay broken after an outage.
            close_old_connections()
