"""What a live session makes of rare reports of a worker and of the moods of a mind."""

from collections.abc import Iterable

import pytest

from characters.mind.base import ChangeStyle, HangUp, Occasion, Opening, Silence, Thought, UserTurn
from inference.errors import SlowConsumer
from inference.protocol import (
    AudioOut,
    CancelSpeech,
    EndSpeech,
    Heard,
    LatencyMarks,
    Overlap,
    SetStyle,
    SilenceElapsed,
    SpeakPart,
    SpeechStarted,
    VoiceStarted,
    VoiceStopped,
    Words,
)
from tests.sessions import ga_checker
from tests.sessions.scripted_call import FRAME, ScriptedCall

Script = Iterable[Thought | Exception]


def _echo(occasion: Occasion) -> Script:
    match occasion:
        case UserTurn(text=text):
            yield Words(f"You said {text}.")
        case Opening():
            yield Words("Hello.")
        case _:
            yield Words("Well?")


def _turn(name: str, text: str, replaces: str | None = None) -> list[VoiceStarted | VoiceStopped | Heard]:
    return [
        VoiceStarted(name, 0),
        VoiceStopped(name, 900),
        Heard(name, text, 0, 900, words=((text, 0, 900),), replaces=replaces),
    ]


async def test_a_turn_that_goes_on_stands_for_the_one_before() -> None:
    async with ScriptedCall(_echo) as call:
        await call.tell(*_turn("u1", "I want"), *_turn("u2", "I want a story", replaces="u1"))
        deleted = call.of("conversation.item.deleted")
    ga_checker.check(call.events, tier=True)
    assert len(deleted) == 1
    assert call.notebook.said()[-2:] == [("user", "I want a story"), ("character", "You said I want a story.")]
    assert ("user", "I want") not in call.notebook.said()


async def test_the_mind_hears_of_each_answer_before_it_gives_the_next() -> None:
    async with ScriptedCall(_echo, holds=True) as call:
        await call.tell(*_turn("u1", "one"))
        await call.tell(*_turn("u2", "two"))
        call.worker.finish(call.speaking)
        await call.settle()
    assert call.mind.log == ["answer", "heard"] * 3
    assert [speech.interrupted for speech in call.mind.told] == [True, True, False]


async def test_a_turn_overtaken_before_its_answer_began_is_answered_with_the_next() -> None:
    async with ScriptedCall(_echo) as call:
        await call.tell(*_turn("u1", "one"), *_turn("u2", "two"))
    assert call.mind.occasions == [Opening(), UserTurn("one two")]


async def test_what_is_not_interrupted_is_answered_afterwards() -> None:
    async with ScriptedCall(_echo, holds=True) as call:
        rules = {"type": "server_vad", "interrupt_response": False}
        await call.do({"type": "session.update", "session": {"audio": {"input": {"turn_detection": rules}}}})
        await call.tell(*_turn("u1", "wait"))
        assert not [each for each in call.worker.commands if isinstance(each, CancelSpeech)]
        call.worker.finish(call.speaking)
        await call.settle()
        call.worker.finish(call.speaking)
        await call.settle()
    assert [done["response"]["status"] for done in call.of("response.done")] == ["completed", "completed"]
    assert call.mind.occasions[-1] == UserTurn("wait")


async def test_a_voice_over_a_held_answer_cuts_it_to_what_was_heard() -> None:
    async with ScriptedCall(lambda occasion: [Words("One two three four.")], holds=True) as call:
        response = call.speaking
        await call.tell(Overlap(response, "duck"), Overlap(response, "cancel"))
        call.worker.cut(response, "turn_detected", heard="One two")
        await call.tell(AudioOut(response, 0, 99, FRAME))
        done = call.of("response.done")[0]["response"]
        assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
        flush = call.of("troupe.output.flush")
        assert len(flush) == 1 and flush[0]["epoch"] == 1
        assert call.of("troupe.caption.cut")[0]["text"] == "One two"
        item = call.of("conversation.item.truncated")[0]["item_id"]
        await call.do({"type": "conversation.item.retrieve", "item_id": item})
        kept = call.of("conversation.item.retrieved")[0]["item"]
        assert kept["content"] == [{"type": "output_audio", "transcript": "One two"}] and kept["status"] == "incomplete"
    ga_checker.check(call.events, tier=True)
    assert call.notebook.said() == [("character", "One two")]
    assert call.mind.told[0].text == "One two" and call.mind.told[0].full_text == "One two three four."


@pytest.mark.parametrize("words_before", [0, 2])
async def test_a_mind_that_fails_ends_its_answer_and_not_the_session(words_before: int) -> None:
    def says(occasion: Occasion) -> Script:
        if isinstance(occasion, Opening):
            yield from [Words("Hello ")] * words_before
            yield ValueError("a slip")
        else:
            yield Words("Here I am.")

    async with ScriptedCall(says) as call:
        failed = call.of("response.done")[0]["response"]
        assert failed["status"] == "failed" and failed["status_details"]["error"]["code"] == "mind_failed"
        assert "slip" not in str(call.events)
        await call.tell(*_turn("u1", "are you there"))
        assert call.of("response.done")[1]["response"]["status"] == "completed"
    ga_checker.check(call.events, tier=True)


async def test_a_silent_answer_is_over_without_a_word() -> None:
    async with ScriptedCall(lambda occasion: []) as call:
        done = call.of("response.done")[0]["response"]
        assert (done["status"], done["output"]) == ("completed", [])
    assert not call.notebook.turns


async def test_a_mind_changes_the_style_and_hangs_up_after_its_words() -> None:
    async with ScriptedCall(lambda occasion: [ChangeStyle("whisper"), Words("Bye."), HangUp()]) as call:
        for _ in range(20):
            await call.settle()
        assert call.close_code == 1000
    style = next(each for each in call.worker.commands if isinstance(each, SetStyle))
    assert style.style.whisper == 1.0
    assert [event["type"] for event in call.events if event["type"].startswith("troupe.")][-1] == (
        "troupe.session.closing"
    )
    assert call.notebook.ended == ["farewell"] and call.notebook.said() == [("character", "Bye.")]


async def test_silence_is_answered_only_while_nobody_speaks() -> None:
    async with ScriptedCall(_echo, holds=True) as call:
        await call.tell(SilenceElapsed("prompt", 1))
        assert call.mind.occasions == [Opening()]
        call.worker.finish(call.speaking)
        await call.tell(SilenceElapsed("prompt", 1))
        assert call.mind.occasions == [Opening(), Silence(1)]


async def test_a_worker_that_is_lost_closes_the_session_with_what_was_said() -> None:
    for loss, code in ((None, 4503), (SlowConsumer("behind"), 4500)):
        async with ScriptedCall(lambda occasion: [Words("Once upon a time.")], holds=True) as call:
            await call.tell(loss)
            for _ in range(150):
                await call.settle()
                if call.close_code is not None:
                    break
            assert call.close_code == code
        ga_checker.check_all_over(call.events)
        assert call.notebook.said() == [("character", "Once upon a time.")]
        assert call.notebook.ended == ["fault"]


async def test_a_worker_that_does_not_confirm_a_cut_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sessions.live.answers.FINISH_LIMIT_S", 0.01)
    async with ScriptedCall(lambda occasion: [Words("One two three.")], holds=True) as call:
        await call.tell(Overlap(call.speaking, "cancel"))
        for _ in range(5):
            await call.settle()
        done = call.of("response.done")[0]["response"]
        assert done["status_details"]["reason"] == "turn_detected"


async def test_an_answer_that_reaches_its_token_limit_is_incomplete() -> None:
    async with ScriptedCall(
        lambda occasion: [Words("one two "), Words("three four "), Words("five")], tier=False
    ) as call:
        await call.do({"type": "response.create", "response": {"max_output_tokens": 3}})
        done = call.of("response.done")[0]["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("incomplete", "max_output_tokens")
    spoken = [each.part for each in call.worker.commands if isinstance(each, SpeakPart)]
    assert spoken == [Words("one two "), Words("three four ")]
    assert isinstance(next(each for each in reversed(call.worker.commands) if isinstance(each, EndSpeech)), EndSpeech)
    ga_checker.check(call.events)


async def test_a_speech_that_the_worker_begins_by_itself_is_a_response_too() -> None:
    async with ScriptedCall(_echo, tier=False) as call:
        await call.tell(SpeechStarted("echo-0", 0), AudioOut("echo-0", 0, 0, FRAME))
        call.worker.cut("echo-0", "client_cancelled")
        await call.settle()
        assert [event["response"]["id"] for event in call.of("response.done")] == ["echo-0"]
    ga_checker.check(call.events)
    assert not call.mind.told


async def test_latency_is_told_once_its_last_stage_is_known() -> None:
    async with ScriptedCall(_echo, holds=True) as call:
        await call.tell(LatencyMarks(call.speaking, {"turn_decided": 200.0, "first_audio": 250.0}))
        stages = call.of("troupe.latency")[0]["stages"]
    assert stages["turn_decided"] == 200.0 and stages["first_audio"] == 250.0 and stages["sent"] >= 250.0


async def test_a_client_that_answers_itself_is_left_to_it() -> None:
    async with ScriptedCall(_echo, tier=False) as call:
        rules = {"type": "server_vad", "create_response": False}
        await call.do({"type": "session.update", "session": {"audio": {"input": {"turn_detection": rules}}}})
        await call.tell(*_turn("u1", "one"), *_turn("u2", "two"))
        assert not call.mind.occasions
        await call.do({"type": "response.create", "response": {"instructions": "Be kind."}})
        assert call.mind.occasions == [UserTurn("one two", instructions="Be kind.")]
        await call.do({"type": "response.create"})
        assert call.mind.occasions[-1] == Silence(1)
    ga_checker.check(call.events)
