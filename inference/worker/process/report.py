"""What a worker says of itself in a heartbeat."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from inference.protocol import FRAME_MS
from inference.worker.capacity import Capacity

Purpose = Literal["live", "batch"]

ANY_LANGUAGE = ("*",)


def _version() -> str:
    try:
        return version("troupe")
    except PackageNotFoundError:
        return "0"


@dataclass(frozen=True, slots=True)
class Identity:
    """What does not change while the worker runs."""

    id: str
    url: str
    purpose: Purpose = "live"
    languages: tuple[str, ...] = ANY_LANGUAGE
    version: str = field(default_factory=_version)
    incarnation: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Another one after each start."""


def report_of(identity: Identity, capacity: Capacity, leases: Sequence[str]) -> dict[str, Any]:
    """The body of a heartbeat, ready for JSON."""
    worker, figures = capacity.worker, capacity.figures
    return {
        "id": identity.id,
        "incarnation": identity.incarnation,
        "url": identity.url,
        "version": identity.version,
        "purpose": identity.purpose,
        "lanes": sorted(lane.value for lane in worker.lanes),
        "languages": list(identity.languages),
        "slots": worker.slots,
        "slots_open": capacity.slots_open(),
        "in_use": worker.slots - worker.slots_free,
        "tick_p99_ms": round(1000 * figures.p99_s, 3),
        "frame_ms": FRAME_MS,
        "late_share": round(figures.late_share, 4),
        "draining": worker.is_draining,
        "clock": time.time(),
        "leases": list(leases),
    }
