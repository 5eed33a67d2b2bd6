"""What a worker answers to plain HTTP: is it alive, does it admit, how is it doing."""

from http import HTTPStatus

from picows import WSUpgradeResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from inference.worker.capacity import Capacity
from inference.worker.process.loop_watch import LoopWatch

DEAD_S = 10.0
"""A loop that has stood still for so long will not go on by itself."""


class Probes:
    def __init__(self, capacity: Capacity, watch: LoopWatch, registry: CollectorRegistry) -> None:
        self._capacity = capacity
        self._watch = watch
        self._registry = registry

    def answer(self, path: str) -> WSUpgradeResponse:
        """`/healthz`, `/readyz` and `/metrics`; 404 for everything else."""
        match path:
            case "/healthz":
                return _say(self._illness())
            case "/readyz":
                return _say(self._why_not_ready())
            case "/metrics":
                kind = {"Content-Type": CONTENT_TYPE_LATEST}
                return WSUpgradeResponse.create_ok_response(generate_latest(self._registry), kind)
            case _:
                return WSUpgradeResponse.create_error_response(HTTPStatus.NOT_FOUND, b"there is nothing here\n")

    def _illness(self) -> str:
        if not self._capacity.worker.is_alive:
            return "the loop has ended"
        if self._watch.stalled_s > DEAD_S:
            return f"the loop has stood still for {self._watch.stalled_s:.0f} s"
        return ""

    def _why_not_ready(self) -> str:
        if self._capacity.worker.is_draining:
            return "draining"
        if self._watch.is_stalled:
            return f"the loop has stood still for {self._watch.stalled_s:.0f} s"
        return "" if self._capacity.slots_open() > 0 else "full"


def _say(trouble: str) -> WSUpgradeResponse:
    if trouble:
        return WSUpgradeResponse.create_error_response(HTTPStatus.SERVICE_UNAVAILABLE, f"{trouble}\n".encode())
    return WSUpgradeResponse.create_ok_response(b"ok\n")
