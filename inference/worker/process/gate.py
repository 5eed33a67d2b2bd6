"""Who may open a stream, decided before the socket is accepted."""

import time
from collections import Counter
from collections.abc import Callable

from inference.client import stream_token
from inference.client.stream_token import LEEWAY_S, Claims
from inference.errors import AtCapacity, InferenceError, TokenRefused, WorkerUnavailable
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
        """By the error's code."""

    async def admit(self, authorization: str) -> Claims:
        """Lets one stream in and keeps its place for a moment.

        Raises `TokenRefused`, `Superseded`, `AtCapacity` or `WorkerUnavailable`.
        """
        try:
            return await self._admit(authorization)
        except InferenceError as error:
            self.refusals[error.code] += 1
            raise

    async def _admit(self, authorization: str) -> Claims:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise TokenRefused("a stream is opened with a bearer token")
        now = self._wall_clock()
        claims = stream_token.read(self._key, token.strip(), worker=self._worker_id, now_s=now)
        self._check_unused(claims, now)
        worker = self._capacity.worker
        if worker.is_draining:
            raise WorkerUnavailable("the worker is draining")
        self._watch.look()
        if not worker.is_alive or self._watch.is_stalled:
            raise WorkerUnavailable("the worker is stuck")
        # Before the capacity is looked at: a session that comes back finds its own place free.
        await take_over(worker, claims.session, claims.fence)
        self._check_unused(claims, now)
        if (self._capacity.slots_free() if claims.goes_on else self._capacity.slots_open()) < 1:
            raise AtCapacity("the worker has no room for another stream")
        self._used[claims.lease] = claims.expires_s + LEEWAY_S
        self._capacity.expect(claims.lease)
        return claims

    def _check_unused(self, claims: Claims, now: float) -> None:
        self._used = {lease: until for lease, until in self._used.items() if until >= now}
        if claims.lease in self._used:
            raise TokenUsed("the token has been used")
