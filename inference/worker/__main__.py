"""`python -m inference.worker`: an inference worker as a process of its own, without Django and without a database."""

import asyncio
import logging
import sys

import uvloop

from inference.errors import InferenceError
from inference.worker.process.configured_lanes import open_lanes
from inference.worker.process.environment import SettingError
from inference.worker.process.log_lines import configure_log
from inference.worker.process.settings import WorkerSettings, read_settings
from inference.worker.process.worker_process import WorkerProcess

logger = logging.getLogger("inference.worker")

SWITCH_INTERVAL_S = 0.001
"""How long the socket thread may keep the interpreter from the loop that owns the slots, and the other way round."""


def main() -> int:
    """Returns the exit status: 2 for a setting that cannot be used, 1 for a worker that cannot start."""
    try:
        settings = read_settings()
        configure_log(settings.id)
    except SettingError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
        return 2
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except InferenceError as error:
        logger.error("the worker cannot start: %s", error)
        return 1
    except OSError as error:
        logger.error("WORKER_LISTEN=%s cannot be used: %s", settings.listen.netloc, error)
        return 1
    return 0


async def _serve(settings: WorkerSettings) -> None:
    lanes = await asyncio.to_thread(open_lanes, settings.lanes)
    await WorkerProcess(settings, lanes).run()


if __name__ == "__main__":
    sys.exit(main())
