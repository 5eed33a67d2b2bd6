"""The inference worker inside a Celery process that renders clips. Importing this loads what speaks."""

import logging

from django.conf import settings

from config.mouth import configured_mouth
from inference.client import connect
from inference.ears import default_ears
from inference.errors import InferenceError, WorkerUnavailable
from inference.worker.default_lanes import default_lanes
from inference.worker.embedded import start_worker, stop_worker
from inference.worker.loop import Worker

logger = logging.getLogger(__name__)

SLOTS = 2
"""A Celery process renders one clip at a time; the next may begin while the last one's slot is being given back."""


class BatchVoice:
    """Started in each process of the pool, after the fork: threads do not survive one."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def start(self) -> None:
        """Starts the worker, unless one is attached to this process already, as in the embedded default.

        When nothing here can speak, the process runs without: clips are tried again and then say so.
        """
        try:
            connect()
        except WorkerUnavailable:
            pass
        else:
            return
        try:
            lanes = default_lanes(ears=default_ears(settings.VAR_DIR / "cache"), mouth=configured_mouth())
        except InferenceError as error:
            logger.error("nothing can be rendered here: %s", error)
            return
        self._worker = start_worker(lanes, slots=SLOTS)

    def stop(self) -> None:
        """Idempotent."""
        worker, self._worker = self._worker, None
        if worker is not None:
            stop_worker(worker)


batch_voice = BatchVoice()
