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
    Lane,
    LatencyMarks,
    Overlap,
    SetOutput,
    SetStyle,
    SilenceElapsed,
    SpeakPart,
    SpeechFinished,
    SpeechStarted,
    TextWritten,
    UserText,
    VoiceChanged,
    VoiceRefused,
    VoiceStarted,
    VoiceStopped,
    Words,
    WordSpoken,
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


# --- what the worker accepts, and what it does not ---


async def test_a_voice_is_announced_once_the_worker_has_accepted_it() -> None:
    async with ScriptedCall(_echo) as call:
        call.worker.holds_voices = True
        await call.do({"type": "troupe.voice.set", "voice": "ember"})
        assert not call.of("troupe.voice.updated")
        await call.tell(VoiceChanged("ember"))
        assert call.of("troupe.voice.updated")[0]["voice"] == "ember"
        assert call.mind.log.count("delivery warm") == 1


async def test_a_voice_that_is_refused_is_an_error_and_nothing_has_changed() -> None:
    async with ScriptedCall(_echo) as call:
        call.worker.refuses.add("ember")
        await call.do({"type": "troupe.voice.set", "voice": "ember", "event_id": "mine"})
        (error,) = [event["error"] for event in call.of("error")]
        assert (error["code"], error["param"], error["event_id"]) == ("voice_unsupported", "voice", "mine")
        assert not call.of("troupe.voice.updated") and not [each for each in call.mind.log if "delivery" in each]
        await call.do({"type": "session.update", "session": {"type": "realtime"}})
        assert call.of("session.updated")[0]["session"]["audio"]["output"]["voice"] == "hearth"


@pytest.mark.parametrize("refused", [True, False])
async def test_an_update_with_a_voice_is_confirmed_when_the_worker_has_judged_it(refused: bool) -> None:
    async with ScriptedCall(lambda occasion: [], tier=False) as call:
        call.worker.holds_voices = True
        output = {"voice": "ember", "speed": 1.2}
        update = {"type": "session.update", "session": {"type": "realtime", "audio": {"output": output}}}
        await call.do({**update, "event_id": "mine"})
        assert not call.of("session.updated") and not call.of("error")
        await call.tell(VoiceRefused("ember", "not mine") if refused else VoiceChanged("ember"))
        shown = call.of("session.updated")[0]["session"]["audio"]["output"]
        assert (shown["voice"], shown["speed"]) == ("hearth" if refused else "ember", 1.2)
        codes = [(event["error"]["code"], event["error"]["event_id"]) for event in call.of("error")]
        assert codes == ([("voice_unsupported", "mine")] if refused else [])


async def test_an_answer_that_was_over_before_its_cancellation_arrived_silences_no_later_one() -> None:
    """The flush names an epoch that the worker, which had nothing left to cut, never reaches by itself."""
    async with ScriptedCall(_echo, holds=True) as call:
        call.worker.finish(call.speaking)
        await call.do({"type": "response.cancel"})
        flush = call.of("troupe.output.flush")[0]
        await call.tell(*_turn("u1", "hello"))
        started = call.of("troupe.response.started")
        assert len(started) == 2 and started[1]["epoch"] >= flush["epoch"]
        assert {packet.epoch for packet in call.packets if packet.response == 2} == {started[1]["epoch"]}


# --- a model that answers by itself ---


def _model_call(lane: Lane, *, tier: bool = True) -> ScriptedCall:
    return ScriptedCall(lambda occasion: [Exception("the mind was asked")], tier=tier, lane=lane)


def _message(text: str) -> dict[str, object]:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return {"type": "conversation.item.create", "item": item}


async def test_what_is_typed_to_a_turn_model_is_its_turn_and_the_transcript_has_both() -> None:
    async with _model_call(Lane.TURN) as call:
        await call.do(_message("hello"))
        await call.do({"type": "response.create", "response": {"metadata": {"a": "b"}}})
        (created,) = [event["response"] for event in call.of("response.created")]
        (asked,) = [each for each in call.worker.commands if isinstance(each, UserText)]
        assert (asked.response_id, asked.text, asked.speaks) == (created["id"], "hello", True)
        await call.tell(
            SpeechStarted(asked.response_id, 0),
            AudioOut(asked.response_id, 0, 0, FRAME),
            WordSpoken(asked.response_id, 0, "Bonjour", 0, 40, 0, 7),
            SpeechFinished(asked.response_id, 0, "completed", sent_ms=40, heard_ms=40, heard_text="Bonjour"),
        )
        done = call.of("response.done")[0]["response"]
        assert (done["status"], done["metadata"]) == ("completed", {"a": "b"})
    ga_checker.check(call.events, tier=True)
    assert call.notebook.said() == [("user", "hello"), ("character", "Bonjour")]
    assert call.mind.occasions == []


async def test_a_turn_model_answers_nothing_twice() -> None:
    async with _model_call(Lane.TURN) as call:
        await call.tell(*_turn("u1", "spoken"))
        await call.do({"type": "response.create"})
        assert call.of("error")[0]["error"]["code"] == "unsupported_value"
        await call.do(_message("one"))
        await call.do({"type": "response.create"})
        await call.tell(SpeechFinished(_asked(call)[0].response_id, 0, "completed"))
        await call.do({"type": "response.create"})
        assert len(call.of("error")) == 2
        assert [each.text for each in _asked(call)] == ["one"]


def _asked(call: ScriptedCall) -> list[UserText]:
    return [each for each in call.worker.commands if isinstance(each, UserText)]


async def test_a_written_answer_of_a_model_has_text_and_no_audio() -> None:
    async with _model_call(Lane.TURN, tier=False) as call:
        await call.do({"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}})
        assert SetOutput(False) in call.worker.commands
        await call.tell(
            *_turn("u1", "spoken"),
            TextWritten("live_1", "Bon"),
            TextWritten("live_1", "jour"),
            SpeechFinished("live_1", 0, "completed", heard_text="Bonjour"),
        )
        await call.do(_message("typed"))
        await call.do({"type": "response.create"})
        (asked,) = _asked(call)
        await call.tell(TextWritten(asked.response_id, "Salut"))
        await call.do({"type": "response.cancel"})
        await call.tell(SpeechFinished(asked.response_id, 0, "cancelled", "client_cancelled"))
        first, second = (event["response"] for event in call.of("response.done"))
        assert first["output_modalities"] == second["output_modalities"] == ["text"]
        assert first["output"][0]["content"] == [{"type": "output_text", "text": "Bonjour"}]
        assert (second["status"], second["output"][0]["content"][0]["text"]) == ("cancelled", "Salut")
    ga_checker.check(call.events, tier=False)
    assert asked.speaks is False
    assert call.notebook.said()[1:] == [("character", "Bonjour"), ("user", "typed"), ("character", "Salut")]


async def test_what_a_full_duplex_model_cannot_do_is_said_and_loses_nothing() -> None:
    async with _model_call(Lane.DUPLEX) as call:
        await call.do({**_message("hello"), "event_id": "mine"})
        error = call.of("error")[0]["error"]
        assert (error["code"], error["event_id"]) == ("text_unsupported", "mine")
        assert not call.of("conversation.item.added")
        text_only = {"type": "realtime", "output_modalities": ["text"], "max_output_tokens": 7}
        await call.do({"type": "session.update", "session": text_only})
        error = call.of("error")[1]["error"]
        assert (error["code"], error["param"]) == ("unsupported_value", "session.output_modalities")
        await call.do({"type": "session.update", "session": {"type": "realtime"}})
        shown = call.of("session.updated")[0]["session"]
        assert (shown["output_modalities"], shown["max_output_tokens"]) == (["audio"], "inf")
    assert call.notebook.said() == []


async def test_a_response_of_a_model_tells_its_voice() -> None:
    async with _model_call(Lane.DUPLEX) as call:
        await call.tell(SpeechStarted("live_1", 0), AudioOut("live_1", 0, 0, FRAME))
        assert call.of("response.created")[0]["response"]["audio"]["output"]["voice"] == "hearth"
