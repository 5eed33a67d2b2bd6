"""Tells a queue of a job. One that is away is left alone for a while, so that not every caller waits for it."""

import logging
import time
from collections.abc import Callable

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

LEFT_ALONE_S = 5.0


class Bell:
    """One for the process; any thread may ring."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent_until = 0.0

    def ring(self, task: str, job_id: int) -> bool:
        """Whether the queue took it; else the sweep tells it later."""
        if self._clock() < self._silent_until:
            return False
        try:
            current_app.send_task(task, args=[job_id])
        except (OperationalError, OSError) as error:
            self._silent_until = self._clock() + LEFT_ALONE_S
            logger.warning("the queue cannot be reached: %s; jobs wait for the sweep", type(error).__name__)
            return False
        return True


bell = Bell()
