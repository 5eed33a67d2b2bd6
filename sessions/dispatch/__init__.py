"""Which worker holds which stream: workers and leases as rows. Every function is one short transaction.

Nothing here is awaited; sockets use `sessions.dispatch.booking`.
"""

from sessions.dispatch.holding import Renewal, renew_holds
from sessions.dispatch.identity import this_process
from sessions.dispatch.leases import confirm, release, renew, reserve
from sessions.dispatch.load import Capacity, capacity, lanes_served
from sessions.dispatch.sweeping import sweep
from sessions.dispatch.workers import Orders, WorkerReport, drain, worker_heartbeat

__all__ = [
    "Capacity",
    "Orders",
    "Renewal",
    "WorkerReport",
    "capacity",
    "confirm",
    "drain",
    "lanes_served",
    "release",
    "renew",
    "renew_holds",
    "reserve",
    "sweep",
    "this_process",
    "worker_heartbeat",
]
