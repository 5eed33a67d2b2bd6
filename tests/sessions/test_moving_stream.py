"""A worker dies, stalls or drains: the call goes on with another one, and its session sees one stream."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from inference.errors import StreamClosed, WorkerUnavailable
from inference.protocol import (
    AUDIO_RATE_HZ,
    AudioOut,
    CancelSpeech,
    EndSpeech,
    Event,
    Fault,
    Heard,
    Lane,
    PartialHeard,
    PlaybackAck,
    Ready,
    SessionSpec,
    SetStyle,
    SetVoice,
    SpeakPart,
    SpeechFinished,
    SpeechStarted,
    StartSpeech,
    StyleSpec,
    TurnTaking,
    VoiceChanged,
    VoiceSpec,
    VoiceStarted,
    Words,
    WordSpoken,
)
from sessions.errors import Fenced
from sessions.live.moving import Moved, MovingStream
from sessions.live.moving import stream as moving
from tests.inference.scripted_call import tone
from tests.sessions.workers import Company, company

SPEC = SessionSpec("call", "mira@1", voice=VoiceSpec(slug="own"), acknowledges=False)
STORY = "Once upon a time the keeper sings and green apples grow where"
LIMIT_S = 15.0
PACKET = AUDIO_RATE_HZ // 50 * 2


class Listener:
    """Reads a moving stream as a session does."""

    def __init__(self, stream: MovingStream) -> None:
        self.stream = stream
        self.log: list[tuple[float, Any]] = []
        self.failure: BaseException | None = None
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for event in self.stream.events():
                self.log.append((time.monotonic(), event))
                self._news.set()
        except Exception as error:
            self.failure = error
        self._news.set()

    async def until(self, kind: type, where: Callable[[Any], bool] = lambda event: True) -> Any:
        async with asyncio.timeout(LIMIT_S):
            while True:
                found = next((event for _, event in self.log if isinstance(event, kind) and where(event)), None)
                if found is not None:
                    return found
                assert not self._task.done(), self.failure
                self._news.clear()
                await self._news.wait()

    async def failed(self) -> BaseException | None:
        await asyncio.wait_for(self._task, LIMIT_S)
        return self.failure

    def all(self, kind: type) -> list[Any]:
        return [event for _, event in self.log if isinstance(event, kind)]

    def words(self) -> list[str]:
        return [word.text for word in self.all(WordSpoken)]

    async def stop(self) -> None:
        await self.stream.close()
        await asyncio.wait({self._task}, timeout=2)


@pytest.fixture
async def pair() -> AsyncIterator[Company]:
    with company("one", "two") as both:
        yield both


async def listening(dispatch: Company, spec: SessionSpec = SPEC) -> Listener:
    stream = MovingStream(spec, dispatch, door=dispatch.door)
    await stream.open()
    return Listener(stream)


def say(stream: MovingStream, response_id: str, *parts: Any, end: bool = True) -> None:
    stream.send(StartSpeech(response_id))
    for part in parts:
        stream.send(SpeakPart(response_id, Words(part) if isinstance(part, str) else part))
    if end:
        stream.send(EndSpeech(response_id))


async def speak(stream: MovingStream, text: str, *, quiet_s: float = 0.0) -> None:
    """Tone words of the user, in real time."""
    samples = np.concatenate([tone(word) for word in text.split()] + [np.zeros(round(quiet_s * AUDIO_RATE_HZ))])
    pcm = (samples * 32_767).astype("<i2").tobytes()
    for at in range(0, len(pcm), PACKET):
        stream.send_audio(pcm[at : at + PACKET])
        await asyncio.sleep(0.02)


def is_word(number: int) -> Callable[[WordSpoken], bool]:
    return lambda word: word.text == STORY.split()[number]


async def test_a_worker_that_dies_in_the_middle_of_a_story_is_not_missed(pair: Company) -> None:
    heard = await listening(pair)
    say(heard.stream, "resp_1", STORY)
    await heard.until(WordSpoken, is_word(5))
    pair.hands["one"].die()
    died_at = time.monotonic()
    finished = await heard.until(SpeechFinished)
    words = heard.all(WordSpoken)
    assert [word.text for word in words] == STORY.split(), "each word once, in order"
    assert [STORY[word.char_start : word.char_end] for word in words] == STORY.split()
    assert all(later.start_ms >= earlier.start_ms for earlier, later in pairwise(words))
    assert (finished.status, finished.heard_text) == ("completed", STORY)
    assert finished.heard_chars == len(STORY)
    assert len(heard.all(SpeechStarted)) == 1
    position = 0
    for audio in heard.all(AudioOut):
        assert (audio.position, audio.epoch) == (position, 0)
        position += len(audio.pcm) // 2
    assert finished.sent_ms == round(position * 1000 / AUDIO_RATE_HZ)
    (moved,) = heard.all(Moved)
    assert (moved.reason, moved.response_id) == ("lost", "resp_1")
    next_audio = next(at for at, event in heard.log if isinstance(event, AudioOut) and at > died_at + 0.001)
    assert next_audio - died_at < 2.0
    await heard.stop()
    assert pair.open == {} and ("one", "worker_lost") in pair.settled and ("two", "ended") in pair.settled


async def test_what_the_mind_says_during_the_move_is_said_after_it(pair: Company) -> None:
    heard = await listening(pair)
    say(heard.stream, "resp_1", "Once upon a time ", end=False)
    await heard.until(WordSpoken, is_word(1))
    pair.hands["one"].die()
    for word in ("the keeper ", "sings"):
        heard.stream.send(SpeakPart("resp_1", Words(word)))
        await asyncio.sleep(0.01)
    heard.stream.send(EndSpeech("resp_1"))
    finished = await heard.until(SpeechFinished)
    assert finished.heard_text == "Once upon a time the keeper sings"
    assert heard.words() == finished.heard_text.split()
    await heard.stop()


async def test_it_moves_again_when_the_next_worker_dies_too() -> None:
    with company("one", "two", "three") as three:
        heard = await listening(three)
        say(heard.stream, "resp_1", STORY)
        await heard.until(WordSpoken, is_word(3))
        three.hands["one"].die()
        await heard.until(WordSpoken, is_word(7))
        three.hands["two"].die()
        finished = await heard.until(SpeechFinished)
        assert heard.words() == STORY.split() and finished.heard_text == STORY
        await heard.stop()


async def test_a_cut_made_while_nobody_serves_the_call_is_answered_at_once(pair: Company) -> None:
    pair.refusing = {"two"}
    heard = await listening(pair)
    say(heard.stream, "resp_1", STORY)
    await heard.until(WordSpoken, is_word(4))
    pair.hands["one"].die()
    await asyncio.sleep(0.2)
    heard.stream.send(CancelSpeech("resp_1", "turn_detected"))
    finished = await heard.until(SpeechFinished)
    assert (finished.status, finished.reason) == ("cancelled", "turn_detected")
    assert STORY.startswith(finished.heard_text) and len(finished.heard_text.split()) >= 4
    pair.refusing = set()
    say(heard.stream, "resp_2", "green apples")
    again = await heard.until(SpeechStarted, lambda event: event.response_id == "resp_2")
    assert again.epoch == 1, "what was cut belongs to an older epoch"
    await heard.until(SpeechFinished, lambda event: event.response_id == "resp_2")
    await heard.stop()


async def test_a_cut_after_the_move_knows_what_was_heard_before_it(pair: Company) -> None:
    heard = await listening(pair, replace(SPEC, acknowledges=True))
    say(heard.stream, "resp_1", STORY)
    await heard.until(WordSpoken, is_word(4))
    pair.hands["one"].die()
    word = await heard.until(WordSpoken, is_word(8))
    heard.stream.send(PlaybackAck("resp_1", word.start_ms * AUDIO_RATE_HZ // 1000))
    await asyncio.sleep(0.05)
    heard.stream.send(CancelSpeech("resp_1"))
    finished = await heard.until(SpeechFinished)
    assert STORY.startswith(finished.heard_text)
    assert 7 <= len(finished.heard_text.split()) <= 10
    assert finished.heard_chars == len(finished.heard_text)
    await heard.stop()


async def test_what_the_user_was_saying_is_heard_by_the_next_ears(pair: Company) -> None:
    patient = TurnTaking(patience_s=0.6, finished_patience_s=0.6, unfinished_patience_s=0.6, silence_prompt_s=0)
    heard = await listening(pair, replace(SPEC, turn_taking=patient))
    await heard.until(Ready)
    await speak(heard.stream, "tell me a")
    await heard.until(PartialHeard)
    pair.hands["one"].die()
    await speak(heard.stream, "story", quiet_s=1.5)
    turn = await heard.until(Heard)
    (started,) = heard.all(VoiceStarted)
    assert turn.text == "tell me a story"
    assert turn.utterance_id == started.utterance_id
    assert abs(turn.start_ms - started.at_ms) < 400 and 600 < turn.end_ms - turn.start_ms < 1_300
    (moved,) = heard.all(Moved)
    assert moved.utterance_id == started.utterance_id and not moved.still_unheard()
    await heard.stop()


async def test_a_turn_that_was_heard_is_not_heard_twice(pair: Company) -> None:
    heard = await listening(pair)
    await heard.until(Ready)
    await speak(heard.stream, "green apples", quiet_s=1.2)
    await heard.until(Heard)
    pair.hands["one"].die()
    await heard.until(Moved)
    await speak(heard.stream, "and pears", quiet_s=1.5)
    await heard.until(Heard, lambda event: event.text == "and pears")
    assert [turn.text for turn in heard.all(Heard)] == ["green apples", "and pears"]
    assert heard.all(Heard)[1].start_ms > heard.all(Heard)[0].end_ms
    await heard.stop()


async def test_voice_and_style_go_along_and_each_wish_is_answered_once(pair: Company) -> None:
    heard = await listening(pair)
    await heard.until(Ready)
    heard.stream.send(SetStyle(StyleSpec(slug="whisper", whisper=1.0)))
    heard.stream.send(SetVoice(VoiceSpec(slug="ember")))
    await heard.until(VoiceChanged)
    pair.hands["one"].die()
    heard.stream.send(SetVoice(VoiceSpec(slug="wren")))
    await heard.until(VoiceChanged, lambda event: event.voice == "wren")
    say(heard.stream, "resp_1", "green apples")
    await heard.until(SpeechFinished)
    assert [event.voice for event in heard.all(VoiceChanged)] == ["ember", "wren"]
    assert pair.hands["two"].mouth.speeches[-1].style.slug == "whisper"
    await heard.stop()


async def test_without_another_worker_the_stream_ends_with_its_name(
    pair: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "MOVE_LIMIT_S", 0.6)
    pair.refusing = {"two"}
    heard = await listening(pair)
    await heard.until(Ready)
    pair.hands["one"].die()
    assert isinstance(await heard.failed(), WorkerUnavailable)
    await heard.stop()
    assert pair.open == {}
    with pytest.raises(StreamClosed):
        heard.stream.send(StartSpeech("resp_1"))


async def test_a_session_that_another_process_holds_is_let_go(pair: Company) -> None:
    heard = await listening(pair)
    await heard.until(Ready)
    pair.is_fenced = True
    pair.hands["one"].tell(Fault("superseded", "another stream", fatal=True))
    assert isinstance(await heard.failed(), Fenced)
    await heard.stop()


async def test_a_first_worker_that_refuses_costs_one_more_try(pair: Company) -> None:
    pair.hands["one"].die()
    heard = await listening(pair)
    assert heard.stream.ticket is not None and heard.stream.ticket.worker == "two"
    await heard.stop()
    assert ("one", "refused") in pair.settled


async def test_a_draining_worker_is_left_when_nobody_speaks(pair: Company) -> None:
    heard = await listening(pair)
    await heard.until(Ready)
    say(heard.stream, "resp_1", "once upon a time")
    await heard.until(WordSpoken)
    pair.hands["one"].worker.drain(30.0)
    finished = await heard.until(SpeechFinished)
    moved = await heard.until(Moved)
    kinds = [type(event) for _, event in heard.log]
    assert finished.status == "completed" and kinds.index(SpeechFinished) < kinds.index(Moved)
    assert (moved.reason, moved.response_id) == ("drained", None)
    say(heard.stream, "resp_2", "green apples")
    await heard.until(SpeechFinished, lambda event: event.response_id == "resp_2")
    assert heard.stream.ticket is not None and heard.stream.ticket.worker == "two"
    await heard.stop()
    assert ("one", "drained") in pair.settled


async def test_at_its_deadline_a_draining_worker_is_left_in_the_middle_of_a_story(pair: Company) -> None:
    heard = await listening(pair)
    await heard.until(Ready)
    say(heard.stream, "resp_1", STORY)
    await heard.until(WordSpoken, is_word(1))
    pair.hands["one"].worker.drain(moving.LEAVE_EARLY_S + 1.0)
    moved = await heard.until(Moved)
    assert (moved.reason, moved.response_id) == ("drained", "resp_1")
    finished = await heard.until(SpeechFinished)
    assert heard.words() == STORY.split() and finished.heard_text == STORY
    await heard.stop()


async def test_an_echo_goes_on_as_another_response(pair: Company) -> None:
    heard = await listening(pair, replace(SPEC, lane=Lane.ECHO))
    await speak(heard.stream, "green")
    await heard.until(AudioOut)
    pair.hands["one"].die()
    await heard.until(Moved)
    await speak(heard.stream, "apples")
    started = await heard.until(SpeechStarted, lambda event: event.response_id != "echo-0")
    ended = heard.all(SpeechFinished)
    assert [(event.response_id, event.status) for event in ended] == [("echo-0", "failed")]
    assert started.epoch == 1
    events: list[Event] = [event for event in heard.all(AudioOut) if event.response_id == started.response_id]
    assert events and events[0].position == 0  # type: ignore[union-attr]
    await heard.stop()
