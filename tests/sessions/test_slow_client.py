"""A client that does not read loses its own socket and nothing else."""

import asyncio
import json
import socket as sockets

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.sessions.people import Person
from tests.sessions.tier_client import tier_socket

NUM_REQUESTS = 2_500
ITEM = {"id": "big", "type": "message", "role": "system", "content": [{"type": "input_text", "text": "x" * 8_000}]}


def _small_buffer(port: int) -> sockets.socket:
    """Connected, and able to hold little that is not read."""
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    raw.connect(("127.0.0.1", port))
    raw.setblocking(False)
    return raw


async def _ask_without_reading(client: object) -> None:
    await client.send(json.dumps({"type": "conversation.item.create", "item": ITEM}))  # type: ignore[attr-defined]
    ask = json.dumps({"type": "conversation.item.retrieve", "item_id": "big"})
    try:
        for _ in range(NUM_REQUESTS):
            await client.send(ask)  # type: ignore[attr-defined]
    except ConnectionClosed:
        return


async def test_a_client_that_does_not_read_is_closed_by_name_and_bob_notices_nothing(
    alice: Person, bob: Person
) -> None:
    key = await asyncio.to_thread(alice.api_key)
    headers = {"Authorization": f"Bearer {key}"}
    raw = await asyncio.to_thread(_small_buffer, alice.server.port)
    url = f"{alice.server.socket_url}?model=brief"
    async with connect(url, additional_headers=headers, sock=raw, max_queue=1, close_timeout=1) as stuck:
        await stuck.recv()
        await asyncio.wait_for(_ask_without_reading(stuck), 30)
        begun = await asyncio.to_thread(bob.begin)
        async with tier_socket(begun["url"], begun["token"], bob.origin) as client:
            await client.expect("response.done", 60)
            await client.say_typed("who are you")
            await client.expect("response.done")
        received = 0
        try:
            async with asyncio.timeout(30):
                while True:
                    await stuck.recv()
                    received += 1
        except ConnectionClosed:
            pass
    assert stuck.close_code == 4413
    assert received < NUM_REQUESTS
