"""The composed lane in a running worker: with scripted ears and mouth, and with the real ones."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.ears import default_ears
from inference.errors import ModelFault
from inference.mouth import open_espeak
from inference.mouth.base import Mouth
from inference.protocol import (
    AUDIO_RATE_HZ,
    AudioOut,
    EarsSpec,
    EndSpeech,
    Event,
    Heard,
    Lane,
    LatencyMarks,
    Ready,
    SessionSpec,
    SpeakPart,
    SpeechFinished,
    StartSpeech,
    StyleSpec,
    VoiceSpec,
    Words,
)
from inference.worker.composed import ComposedLane
from inference.worker.default_lanes import default_lanes
from inference.worker.embedded import EmbeddedClient
from inference.worker.loop import Worker
from tests.inference.scripted_call import LevelDetector, ToneEars, ToneMouth, tone

LIMIT_S = 30.0
STORY = "Once, on a rock so small that the gulls took turns, there stood a lighthouse. It was afraid of the dark."


async def until(events: AsyncIterator[Event], kind: type) -> list[Event]:
    """Events up to and with the first of `kind`."""
    seen: list[Event] = []
    while not seen or not isinstance(seen[-1], kind):
        seen.append(await asyncio.wait_for(anext(events), LIMIT_S))
    return seen


def pcm16(samples: NDArray[np.float32]) -> bytes:
    return (np.clip(samples, -1.0, 1.0) * 32_767).astype("<i2").tobytes()


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * AUDIO_RATE_HZ), dtype=np.float32)


def spoken(mouth: Mouth, text: str) -> NDArray[np.float32]:
    """What a listener with a voice of their own would say."""
    speech = mouth.begin(VoiceSpec(slug="listener", variant="m3"), StyleSpec())
    speech.add(Words(text))
    speech.end()
    frames: list[NDArray[np.float32]] = []
    while not speech.finished:
        frame = speech.frame()
        frames += [frame.pcm] if frame is not None else []
    return np.concatenate(frames)


def answer(response_id: str, text: str) -> list[StartSpeech | SpeakPart | EndSpeech]:
    return [StartSpeech(response_id), SpeakPart(response_id, Words(text)), EndSpeech(response_id)]


async def test_a_question_is_heard_and_answered_in_real_time() -> None:
    worker = Worker({Lane.COMPOSED: ComposedLane(ToneEars(), ToneMouth(), LevelDetector)}, slots=1)
    worker.start()
    stream = await EmbeddedClient(worker).open(SessionSpec(session_id="live", character="mira@1"))
    events = stream.events()
    question = np.concatenate([tone("who"), tone("lives"), tone("there"), silence(0.9)])
    stream.send_audio(pcm16(question))
    heard = (await until(events, Heard))[-1]
    assert isinstance(heard, Heard) and heard.text == "who lives there"
    began = time.monotonic()
    for command in answer("r1", "the keeper"):
        stream.send(command)
    answered = await until(events, SpeechFinished)
    assert any(isinstance(event, LatencyMarks) for event in answered)
    assert sum(len(event.pcm) for event in answered if isinstance(event, AudioOut)) == 2 * 15_360
    assert time.monotonic() - began > 0.6, "it is finished when it was played, not when it was sent"
    await stream.close()
    await asyncio.to_thread(worker.stop)


async def test_an_unpaced_response_waits_for_its_reader_and_loses_nothing() -> None:
    worker = Worker({Lane.COMPOSED: ComposedLane(ToneEars(), ToneMouth(), LevelDetector)}, slots=1)
    worker.start()
    stream = await EmbeddedClient(worker).open(SessionSpec(session_id="file", character="mira@1", paced=False))
    text = "the keeper sings " * 100
    for command in answer("r1", text):
        stream.send(command)
    await asyncio.sleep(0.5)
    seen = await until(stream.events(), SpeechFinished)
    assert isinstance(seen[-1], SpeechFinished) and seen[-1].heard_text == text
    assert sum(len(event.pcm) for event in seen if isinstance(event, AudioOut)) >= 300 * 2 * 7_680
    await stream.close()
    await asyncio.to_thread(worker.stop)


async def test_what_is_made_for_later_waits_while_there_are_calls() -> None:
    worker = Worker({Lane.COMPOSED: ComposedLane(ToneEars(), ToneMouth(), LevelDetector)}, slots=2)
    worker.start()
    door = EmbeddedClient(worker)
    call = await door.open(SessionSpec(session_id="call", character="mira@1"))
    clip = await door.open(SessionSpec(session_id="clip", character="mira@1", paced=False))
    assert door.calls == 1
    for command in answer("r1", "the keeper"):
        clip.send(command)
    told: list[Event] = []

    async def listen() -> None:
        told.extend(await until(clip.events(), SpeechFinished))

    listening = asyncio.create_task(listen())
    events = call.events()
    for command in answer("r2", "the keeper sings"):
        call.send(command)
    await until(events, SpeechFinished)
    assert not any(isinstance(event, AudioOut) for event in told), "the call had the worker for itself"
    await call.close()
    await asyncio.wait_for(listening, 5)
    assert isinstance(told[-1], SpeechFinished) and told[-1].heard_text == "the keeper"
    await clip.close()
    await asyncio.to_thread(worker.stop)


async def test_with_the_real_ears_and_mouth_a_spoken_question_is_heard_and_interrupts(tmp_path: Path) -> None:
    mouth = open_espeak()
    try:
        mouth.prepare(VoiceSpec())
    except ModelFault as missing:
        pytest.skip(str(missing))
    worker = Worker(default_lanes(default_ears(tmp_path), mouth), slots=1)
    worker.start()
    ears = EarsSpec(phrases=("tell me a story", "sing a song", "what is your name", "who lives there"))
    stream = await EmbeddedClient(worker).open(SessionSpec(session_id="real", character="mira@1", ears=ears))
    events = stream.events()
    await until(events, Ready)
    stream.send_audio(pcm16(np.concatenate([silence(0.5), spoken(mouth, "Tell me a story."), silence(1.2)])))
    heard = (await until(events, Heard))[-1]
    assert isinstance(heard, Heard) and heard.text and 300 < heard.start_ms < heard.end_ms < 2_200
    for command in answer("r1", STORY):
        stream.send(command)
    await until(events, AudioOut)
    await asyncio.sleep(0.8)
    stream.send_audio(pcm16(np.concatenate([spoken(mouth, "Sing a song. What is your name?"), silence(1.5)])))
    cut = await until(events, Heard)
    finished = next(event for event in cut if isinstance(event, SpeechFinished))
    assert finished.status == "cancelled" and STORY.startswith(finished.heard_text)
    assert 0 < len(finished.heard_text) < len(STORY)
    assert isinstance(cut[-1], Heard) and cut[-1].text and cut[-1].interrupted_response_id == "r1"
    await stream.close()
    await asyncio.to_thread(worker.stop)
