"""A short call that the worker has with itself before it takes others.

It loads what the first caller would wait for, and it is how the worker knows what a stream costs here.
"""

import asyncio
import random
import struct

from inference.errors import InferenceError, ModelFault
from inference.protocol import (
    AUDIO_RATE_HZ,
    CancelSpeech,
    EndSpeech,
    Event,
    Fault,
    Lane,
    Ready,
    SessionSpec,
    SpeakPart,
    StartSpeech,
    Words,
)
from inference.worker.embedded import EmbeddedClient, EmbeddedStream
from inference.worker.loop import Worker

PREPARE_LIMIT_S = 120.0
LASTS_S = 1.5
PACKET_S = 0.02
LEVEL = 1_000
"""Of the noise that stands for a voice, in 16-bit steps."""

LINE = "Good evening. The lamp is lit, the sea is calm, and there is time for a story."


async def rehearse(worker: Worker, lane: Lane) -> None:
    """Holds a call of a second or two. Raises what keeps the lane from being prepared."""
    stream = await EmbeddedClient(worker).open(SessionSpec(session_id="rehearsal", character="nobody@0", lane=lane))
    reading: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(PREPARE_LIMIT_S):
            await _until_ready(stream)
        reading = asyncio.create_task(_read(stream))
        await _talk(stream)
    except TimeoutError as error:
        raise ModelFault(f"the {lane.value} lane was not ready within {PREPARE_LIMIT_S:g} s") from error
    finally:
        await stream.close()
        if reading is not None:
            await reading


async def _until_ready(stream: EmbeddedStream) -> None:
    async for event in stream.events():
        match event:
            case Ready():
                return
            case Fault(message=message, fatal=True):
                raise ModelFault(message)


async def _talk(stream: EmbeddedStream) -> None:
    for command in (StartSpeech("rehearsal"), SpeakPart("rehearsal", Words(LINE)), EndSpeech("rehearsal")):
        stream.send(command)
    noise = random.Random(1)
    samples = round(PACKET_S * AUDIO_RATE_HZ)
    for _ in range(round(LASTS_S / PACKET_S)):
        stream.send_audio(struct.pack(f"<{samples}h", *(noise.randint(-LEVEL, LEVEL) for _ in range(samples))))
        await asyncio.sleep(PACKET_S)
    stream.send(CancelSpeech())


async def _read(stream: EmbeddedStream) -> None:
    """What is said is not kept; a failure has been logged by the loop."""
    last: Event | None = None
    try:
        async for event in stream.events():
            last = event
    except InferenceError:
        last = None
    del last
