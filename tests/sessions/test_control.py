"""News between processes: quick while the channel layer is there, and no loss while it is away."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.layers import channel_layers
from pytest_django.fixtures import Settings

from scripts.cluster.stores import PrivateRedis
from sessions import control, dispatch
from sessions.control import Listener, Order
from sessions.dispatch import this_process
from sessions.models import VoiceSession, WorkerNode
from tests.private_stores import redis_server
from tests.sessions.dispatch_rows import announce, live_session

__all__ = ["redis_server"]

pytestmark = pytest.mark.usefixtures("no_workers")

LIMIT_S = 10.0


@pytest.fixture
def over_redis(redis_server: PrivateRedis, settings: Settings) -> Iterator[PrivateRedis]:
    """Processes of a deployment: two objects of the layer with connections of their own."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [redis_server.url(1)]},
        }
    }
    channel_layers.backends.clear()
    yield redis_server
    channel_layers.backends.clear()


async def _until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not true():
            await asyncio.sleep(0.02)


async def _heard_by_a_listener() -> list[Order]:
    """What arrives for an end, a take-over and a drain."""
    heard: list[Order] = []
    listener = Listener(heard.append)
    listener.start()
    try:
        me = this_process().id
        session, _fence = await database_sync_to_async(live_session)(me)
        other, _fence = await database_sync_to_async(live_session)("another-process")
        await database_sync_to_async(announce)("w")
        await asyncio.sleep(0.3)
        assert await control.end_session(other.pk)
        assert await control.end_session(session.pk)
        await control.tell_session(session.pk, "takeover")
        assert await control.drain_worker("w")
        assert not await control.drain_worker("nobody")
        await _until(lambda: len(heard) >= 3)
        assert [str(session.pk)] * 2 == [each.session for each in heard[:2]]
    finally:
        await listener.stop()
    return heard


async def test_orders_reach_the_process_that_holds_the_session() -> None:
    heard = await _heard_by_a_listener()
    assert [each.kind for each in heard] == ["end", "takeover", "drain"]


async def test_orders_reach_it_over_redis(over_redis: PrivateRedis) -> None:
    heard = await _heard_by_a_listener()
    assert [each.kind for each in heard] == ["end", "takeover", "drain"]


async def test_without_redis_the_rows_still_say_what_is_wanted(
    over_redis: PrivateRedis, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Order] = []
    listener = Listener(heard.append)
    me = this_process().id
    session, fence = await database_sync_to_async(live_session)(me)
    await database_sync_to_async(announce)("w")
    over_redis.child.stop()
    with caplog.at_level(logging.WARNING, logger="sessions.control"):
        listener.start()
        try:
            for _ in range(3):
                assert await control.end_session(session.pk)
                assert await control.drain_worker("w")
            renewal = await database_sync_to_async(dispatch.renew_holds)(
                holder=me, fences={str(session.pk): fence}, leases=[]
            )
            assert renewal.end_requested == {str(session.pk)}
            assert await WorkerNode.objects.filter(drain_requested=True).acount() == 1
            assert sum("cannot be reached" in each.message for each in caplog.records) == 1
            over_redis.start()

            async def told_again() -> bool:
                await control.end_session(session.pk)
                return bool(heard)

            async with asyncio.timeout(LIMIT_S):
                while not await told_again():
                    await asyncio.sleep(0.2)
            assert heard[0] == Order("end", session=str(session.pk))
            assert sum("is back" in each.message for each in caplog.records) == 1
            # And once more, to a listener that had been there before.
            over_redis.child.stop()
            await control.end_session(session.pk)
            over_redis.start()
            heard.clear()
            async with asyncio.timeout(LIMIT_S):
                while not await told_again():
                    await asyncio.sleep(0.2)
        finally:
            await listener.stop()


async def test_what_is_over_is_not_ended_again() -> None:
    session, _fence = await database_sync_to_async(live_session)()
    await VoiceSession.objects.aupdate(state="ended")
    assert not await control.end_session(session.pk)
