"""The Celery app. Embedded: `memory://` and a worker thread in the serve process. Deployed: a broker and workers."""

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_process_init, worker_process_shutdown, worker_shutdown
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("troupe")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()

RENDER_QUEUE = "render"


@setup_logging.connect
def keep_logging(**_: Any) -> None:
    """Django's `LOGGING` holds here too: Celery sets up nothing of its own."""


@celeryd_init.connect
def connect_without_pool(**_: Any) -> None:
    """A pool's threads and sockets do not survive the fork of a Celery worker, and a task at a time needs none."""
    settings.DATABASES["default"].get("OPTIONS", {}).pop("pool", None)


@worker_process_init.connect
def bring_a_voice(**_: Any) -> None:
    """A process that renders speaks by itself: no clip ever waits in, or takes a slot of, a worker with live calls."""
    if RENDER_QUEUE not in app.amqp.queues.consume_from:
        return
    # Only there: it brings the mouths and what they load.
    from config.batch_voice import batch_voice

    batch_voice.start()


@worker_process_shutdown.connect
@worker_shutdown.connect
def put_the_voice_away(**_: Any) -> None:
    module = sys.modules.get("config.batch_voice")
    if module is not None:
        module.batch_voice.stop()
