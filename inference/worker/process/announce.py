"""The worker's heartbeats to the web side, which keeps a row of it and answers with orders."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from inference.client.stream_token import issue_announcement

logger = logging.getLogger(__name__)

PATH = "/internal/workers/heartbeat"
EVERY_S = 2.0
ATTEMPT_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Orders:
    """What the web side wants of a worker."""

    drain: bool = False
    drop: tuple[str, ...] = ()
    """Leases that are no longer theirs."""


class Announcer:
    """Tells the first web address that answers, every two seconds. Without one that does, the worker keeps its calls
    and tries again."""

    def __init__(
        self,
        webs: Sequence[str],
        worker_id: str,
        key: str,
        report: Callable[[], dict[str, Any]],
        obey: Callable[[Orders], None],
    ) -> None:
        self._webs = list(webs)
        self._worker_id = worker_id
        self._key = key
        self._report = report
        self._obey = obey
        self._hurry = asyncio.Event()
        self._state = ""
        self.outcomes: Counter[str] = Counter()
        """Heartbeats so far: `ok`, or what went wrong with the last address tried."""

    def hurry(self) -> None:
        """The next heartbeat is due now."""
        self._hurry.set()

    async def run(self) -> None:
        """Until cancelled."""
        if not self._webs:
            return
        async with self._client() as client:
            while True:
                self._hurry.clear()
                await self._beat(client)
                try:
                    await asyncio.wait_for(self._hurry.wait(), EVERY_S)
                except TimeoutError:
                    continue

    async def say_last(self) -> None:
        """One heartbeat more, when `run` has ended."""
        if self._webs:
            async with self._client() as client:
                await self._beat(client)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=ATTEMPT_LIMIT_S, trust_env=False)

    async def _beat(self, client: httpx.AsyncClient) -> None:
        outcome = ""
        for web in list(self._webs):
            outcome = await self._tell(client, web)
            if outcome == "ok":
                # The one that answered is asked first from now on.
                self._webs.remove(web)
                self._webs.insert(0, web)
                break
        self.outcomes[outcome] += 1
        if outcome != self._state:
            self._state = outcome
            if outcome == "ok":
                logger.info("announced to the web side as %s", self._worker_id)
            else:
                logger.warning("the web side does not take the heartbeat (%s); trying again", outcome)

    async def _tell(self, client: httpx.AsyncClient, web: str) -> str:
        """`ok`, or in a word why not."""
        bearer = issue_announcement(self._key, worker=self._worker_id, now_s=time.time())
        try:
            async with asyncio.timeout(ATTEMPT_LIMIT_S):
                answer = await client.post(
                    web.rstrip("/") + PATH, json=self._report(), headers={"Authorization": f"Bearer {bearer}"}
                )
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            return "unreachable"
        except TimeoutError:
            return "timeout"
        if answer.status_code != httpx.codes.OK:
            return f"http_{answer.status_code}"
        try:
            orders = _orders(answer.json())
        except ValueError as error:
            logger.warning("the web side's orders are not understood: %s", error)
            return "not_understood"
        self._obey(orders)
        return "ok"


def _orders(said: Any) -> Orders:
    """Raises `ValueError`."""
    if not isinstance(said, dict):
        raise ValueError("orders are an object")
    drain, drop = said.get("drain", False), said.get("drop", [])
    if not isinstance(drain, bool):
        raise ValueError("drain is true or false")
    if not isinstance(drop, list) or not all(isinstance(lease, str) for lease in drop):
        raise ValueError("drop is a list of leases")
    return Orders(drain, tuple(drop))
