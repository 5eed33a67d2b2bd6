"""What a client sees when the worker of its call dies: one answer, with a short gap."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest

from characters.mind.base import Occasion, Thought, UserTurn
from inference.protocol import AUDIO_RATE_HZ, Packet, PacketKind, Pause, Words, pack
from sessions.live import dialogue
from sessions.live.moving import MovingStream
from sessions.live.stragglers import stragglers
from tests.inference.scripted_call import tone
from tests.sessions import ga_checker
from tests.sessions.scripted_call import ScriptedCall
from tests.sessions.test_moving_stream import SPEC
from tests.sessions.workers import Company, company

STORY = ("Once upon a time ", "the keeper sings and green ", "apples grow where pears ", "stop.")


def _tells(occasion: Occasion) -> Iterator[Thought]:
    if isinstance(occasion, UserTurn):
        yield Words("pardon" if not occasion.text else f"you said {occasion.text}")
        return
    for piece in STORY:
        yield Words(piece)
    yield Pause(0.1)


@asynccontextmanager
async def _call(dispatch: Company) -> AsyncIterator[ScriptedCall]:
    # Its own kind of clock: this client sends no acknowledgements.
    stream = MovingStream(replace(SPEC, session_id="0" * 32, acknowledges=False), dispatch, door=dispatch.door)
    await stream.open()
    async with ScriptedCall(_tells, stream=stream) as call:
        yield call


async def _until(call: ScriptedCall, kind: str, count: int = 1) -> list[dict[str, object]]:
    async with asyncio.timeout(20):
        while len(call.of(kind)) < count:
            await asyncio.sleep(0.01)
    return call.of(kind)


async def test_an_answer_goes_on_as_one_response() -> None:
    with company("one", "two") as pair:
        async with _call(pair) as call:
            await _until(call, "troupe.caption.word", 6)
            pair.hands["one"].die()
            died_at, before = time.monotonic(), len(call.packets)
            while len(call.packets) == before:
                await asyncio.sleep(0.002)
            assert time.monotonic() - died_at < 2.0
            (done,) = await _until(call, "response.done")
        (moved,) = call.of("troupe.session.moved")
        assert (moved["reason"], moved["response_id"]) == ("lost", done["response"]["id"])  # type: ignore[index]
        assert done["response"]["status"] == "completed"  # type: ignore[index]
        words = call.of("troupe.caption.word")
        assert [word["text"] for word in words] == "".join(STORY).split()
        assert [word["index"] for word in words] == list(range(len(words)))
        assert len(call.of("troupe.response.started")) == 1
        position = 0
        for packet in call.packets:
            assert (packet.position, packet.response, packet.epoch) == (position, 1, 0)
            position += len(packet.pcm) // 2
        assert not call.of("error") and not call.of("troupe.output.flush")
        ga_checker.check(call.events, tier=True)
        assert call.notebook.said() == [("character", "".join(STORY))]


async def _say(call: ScriptedCall, text: str, quiet_s: float) -> None:
    samples = np.concatenate([*(tone(word) for word in text.split()), np.zeros(round(quiet_s * AUDIO_RATE_HZ))])
    pcm = (samples * 32_767).astype("<i2").tobytes()
    for number, at in enumerate(range(0, len(pcm), 960)):
        call.live.receive_binary(pack(Packet(PacketKind.AUDIO_IN, number, at // 2, pcm[at : at + 960])))
        await asyncio.sleep(0.02)


async def test_a_turn_of_the_user_survives_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    with company("one", "two") as pair:
        async with _call(pair) as call:
            await _until(call, "response.done")
            await _say(call, "tell me a", 0.0)
            await _until(call, "input_audio_buffer.speech_started")
            pair.hands["one"].die()
            await _say(call, "story", 1.5)
            await _until(call, "response.done", 2)
        assert len(call.of("input_audio_buffer.speech_started")) == 1
        assert len(call.of("input_audio_buffer.speech_stopped")) == 1
        assert call.notebook.said()[1:] == [("user", "tell me a story"), ("character", "you said tell me a story")]
        ga_checker.check(call.events, tier=True)


async def test_where_the_next_ears_find_nothing_the_character_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "HEARD_AGAIN_LIMIT_S", 0.5)
    with company("one", "two") as pair:
        pair.refusing = {"two"}
        async with _call(pair) as call:
            await _until(call, "response.done")
            await _say(call, "tell me a", 0.0)
            await _until(call, "input_audio_buffer.speech_started")
            pair.hands["one"].die()
            monkeypatch.setattr("sessions.live.moving.uplink.MOST_WHILE_MOVING_MS", 20)
            await _say(call, "", 0.1)
            pair.refusing = set()
            await _until(call, "response.done", 2)
        assert call.notebook.said()[-1] == ("character", "pardon")
        assert len(call.of("input_audio_buffer.speech_stopped")) == 1


async def test_the_end_of_a_call_without_any_worker_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions.live.moving.stream.MOVE_LIMIT_S", 0.4)
    with company("one") as alone:
        async with _call(alone) as call:
            await _until(call, "troupe.caption.word", 4)
            alone.hands["one"].die()
            async with asyncio.timeout(10):
                while call.close_code is None:
                    await asyncio.sleep(0.02)
        assert call.close_code == 4503
        ((speaker, text),) = call.notebook.said()
        assert speaker == "character" and "".join(STORY).startswith(text) and len(text.split()) >= 4
        assert call.notebook.ended == ["fault"]
        assert alone.open == {}


async def test_what_was_said_before_an_end_without_a_database_is_stored_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sessions.live.session.FLUSH_S", 0.2)
    monkeypatch.setattr("sessions.live.journal.MOST_WAIT_S", 0.05)
    monkeypatch.setattr("sessions.live.session.RETRY_S", 0.05)
    with company("one") as alone:
        async with _call(alone) as call:
            await _until(call, "troupe.caption.word", 3)
            call.notebook.is_away = True
            await _until(call, "response.done")
        # The first words may have been stored while they were spoken.
        assert all(turn.interrupted for turn in call.notebook.turns.values()) and call.notebook.ended == []
        assert len(stragglers) == 1
        call.notebook.is_away = False
        await stragglers.settled(5)
        assert call.notebook.said() == [("character", "".join(STORY))]
        assert call.notebook.ended == ["ended"]
