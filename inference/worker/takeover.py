"""A newer stream of a session takes the place of an older one."""

import asyncio

from inference.worker.loop import Worker

LIMIT_S = 0.3
LOOK_S = 0.01


async def take_over(worker: Worker, session_id: str, fence: int) -> bool:
    """Ends the session's older streams and waits a moment for their slots; whether there were any.

    Raises `Superseded`.
    """
    if worker.claim(session_id, fence):
        return False
    deadline = asyncio.get_running_loop().time() + LIMIT_S
    while not worker.claim(session_id, fence) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(LOOK_S)
    return True
