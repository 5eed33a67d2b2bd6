"""Who may open a stream, decided before the socket is accepted."""

import time
from collections import Counter
from collections.abc import Callable

from inference.client import stream_token
from inference.client.stream_token import LEEWAY_S, Claims
from inference.errors import AtCapacity, TokenRefused, WorkerUnavailable
from inference.worker.capacity import Capacity
from inference.worker.process.loop_watch import LoopWatch
from inference.worker.takeover import take_over


class TokenUsed(TokenRefused):
    """Somebody has opened a stream with it already."""


class Gate:
    """Checks tokens and keeps places."""

    def __init__(
        self,
        capacity: Capacity,
        watch: LoopWatch,
        worker_id: str,
        key: str,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._capacity = capacity
        self._watch = watch
        self._worker_id = worker_id
        self._key = key
        self._wall_clock = wall_clock
        self._used: dict[str, float] = {}
        """Until when each lease's token could come again."""

        self.refusals: Counter[str] = Counter()
        """By the error's code. Whoever answers a refusal counts it here."""

    def admit(self, authorization: str) -> Claims:
        """Lets one stream in and keeps its place for a moment; `make_room` comes before it is opened.

        Raises `TokenRefused`, `Superseded`, `AtCapacity` or `WorkerUnavailable`.
        """
        claims = self._read(authorization)
        self._check_able()
        # Before the capacity is looked at: a session that comes back will find its own place free.
        if self._capacity.worker.claim(claims.session, claims.fence):
            self._check_room(claims)
        self._used[claims.lease] = claims.expires_s + LEEWAY_S
        self._capacity.expect(claims.lease)
        return claims

    async def make_room(self, claims: Claims) -> None:
        """Waits a moment for the place of the session's older stream. Raises `Superseded` or `AtCapacity`."""
        if await take_over(self._capacity.worker, claims.session, claims.fence):
            self._capacity.arrived(claims.lease)
            self._check_room(claims)
            self._capacity.expect(claims.lease)

    def _read(self, authorization: str) -> Claims:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefused("a stream is opened with a bearer token")
        now = self._wall_clock()
        claims = stream_token.read(self._key, token.strip(), worker=self._worker_id, now_s=now)
        self._check_unused(claims, now)
        return claims

    def _check_able(self) -> None:
        if self._capacity.worker.is_draining:
            raise WorkerUnavailable("the worker is draining")
        self._watch.look()
        if not self._capacity.worker.is_alive or self._watch.is_stalled:
            raise WorkerUnavailable("the worker is stuck")

    def _check_room(self, claims: Claims) -> None:
        if (self._capacity.slots_free() if claims.goes_on else self._capacity.slots_open()) < 1:
            raise AtCapacity("the worker has no room for another stream")

    def _check_unused(self, claims: Claims, now: float) -> None:
        self._used = {lease: until for lease, until in self._used.items() if until >= now}
        if claims.lease in self._used:
            raise TokenUsed("the token has been used")
