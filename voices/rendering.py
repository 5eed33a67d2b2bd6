"""A line of text as a WAV file, spoken by whatever worker is attached."""

import asyncio
import io
import uuid
import wave
from collections.abc import AsyncIterator

from inference.client import connect
from inference.errors import ModelFault, WorkerUnavailable
from inference.protocol import (
    AUDIO_RATE_HZ,
    SAMPLE_BYTES,
    AudioOut,
    EndSpeech,
    Event,
    Fault,
    Lane,
    SessionSpec,
    SpeakPart,
    SpeechFinished,
    StartSpeech,
    StyleSpec,
    VoiceSpec,
    Words,
)

RENDER_TIMEOUT_S = 60.0
LONGEST_CLIP_S = 60.0


def calls_here() -> bool:
    """Whether the worker that would render has calls: the embedded one serves both."""
    try:
        return connect().calls > 0
    except WorkerUnavailable:
        return False


def render_wav(text: str, voice: VoiceSpec, style: StyleSpec) -> tuple[bytes, float]:
    """A mono 16-bit WAV at `AUDIO_RATE_HZ` and its length in seconds.

    Runs an event loop of its own: call it from a job, never from async code. Raises `InferenceError`.
    """
    pcm = asyncio.run(_render(text, voice, style))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(SAMPLE_BYTES)
        wav.setframerate(AUDIO_RATE_HZ)
        wav.writeframes(pcm)
    return buffer.getvalue(), len(pcm) / (AUDIO_RATE_HZ * SAMPLE_BYTES)


async def _render(text: str, voice: VoiceSpec, style: StyleSpec) -> bytes:
    spec = SessionSpec(
        session_id=f"clip-{uuid.uuid4()}",
        character="clip",
        lane=Lane.COMPOSED,
        voice=voice,
        style=style,
        listens=False,
        detects_turns=False,
        paced=False,
    )
    stream = await connect().open(spec)
    try:
        async with asyncio.timeout(RENDER_TIMEOUT_S):
            stream.send(StartSpeech("clip"))
            stream.send(SpeakPart("clip", Words(text)))
            stream.send(EndSpeech("clip"))
            return await _collect(stream.events())
    except TimeoutError as error:
        raise ModelFault(f"the mouth did not finish within {RENDER_TIMEOUT_S:g} s") from error
    finally:
        await stream.close()


async def _collect(events: AsyncIterator[Event]) -> bytes:
    pcm = bytearray()
    async for event in events:
        if isinstance(event, AudioOut):
            pcm += event.pcm
            if len(pcm) > LONGEST_CLIP_S * AUDIO_RATE_HZ * SAMPLE_BYTES:
                raise ModelFault(f"a clip may last {LONGEST_CLIP_S:g} s; shorten its text")
        elif isinstance(event, Fault) and event.fatal:
            raise ModelFault(event.message)
        elif isinstance(event, SpeechFinished):
            if event.status != "completed":
                raise ModelFault(event.reason)
            break
    return bytes(pcm)
