"""What a worker answers to plain HTTP: is it alive, does it admit, how is it doing."""

from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Response

from inference.worker.capacity import Capacity
from inference.worker.process.loop_watch import LoopWatch

DEAD_S = 10.0
"""A loop that has stood still for so long will not go on by itself."""


class Probes:
    def __init__(self, capacity: Capacity, watch: LoopWatch, registry: CollectorRegistry) -> None:
        self._capacity = capacity
        self._watch = watch
        self._registry = registry

    def answer(self, connection: ServerConnection, path: str) -> Response:
        """`/healthz`, `/readyz` and `/metrics`; 404 for everything else."""
        match path:
            case "/healthz":
                return self._say(connection, self._illness())
            case "/readyz":
                return self._say(connection, self._why_not_ready())
            case "/metrics":
                response = connection.respond(HTTPStatus.OK, generate_latest(self._registry).decode())
                del response.headers["Content-Type"]
                response.headers["Content-Type"] = CONTENT_TYPE_LATEST
                return response
            case _:
                return connection.respond(HTTPStatus.NOT_FOUND, "there is nothing here\n")

    def _say(self, connection: ServerConnection, trouble: str) -> Response:
        status = HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK
        return connection.respond(status, f"{trouble or 'ok'}\n")

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
