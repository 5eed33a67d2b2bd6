"""The worker inside this process, announced like any other."""

import time
import uuid
from weakref import WeakKeyDictionary

from inference.client import EMBEDDED_URL, AttachedWorker, connect
from inference.errors import WorkerUnavailable
from sessions.dispatch.identity import this_process
from sessions.dispatch.report import WorkerReport
from sessions.dispatch.workers import worker_heartbeat

_incarnations: WeakKeyDictionary[AttachedWorker, str] = WeakKeyDictionary()


def announce_embedded() -> None:
    """Writes down what the attached worker would say of itself. Does nothing without one."""
    try:
        worker = connect()
    except WorkerUnavailable:
        return
    free = worker.slots_free
    worker_heartbeat(
        WorkerReport(
            id=this_process().embedded_worker,
            incarnation=_incarnations.setdefault(worker, uuid.uuid4().hex),
            url=EMBEDDED_URL,
            lanes=tuple(sorted(worker.lanes)),
            slots=worker.slots,
            slots_open=free,
            in_use=worker.slots - free,
            clock=time.time(),
            leases=None,
        )
    )
