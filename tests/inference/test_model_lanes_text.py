"""Text in an end-to-end call: typed turns, written answers, and both among spoken ones."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from torch import Tensor

from inference.models.prompts import Task
from inference.protocol import (
    AUDIO_RATE_HZ,
    AudioOut,
    CancelSpeech,
    ClearInput,
    CommitInput,
    Heard,
    SetOutput,
    SetTurnTaking,
    SetVoice,
    SpeechFinished,
    SpeechStarted,
    TextWritten,
    UserText,
    VoiceChanged,
    VoiceRefused,
    VoiceSpec,
    VoiceStarted,
    WordSpoken,
)
from inference.worker.shared_engine import SharedEngine
from inference.worker.turn import TurnLane
from tests.inference.engine_calls import checkpoints
from tests.inference.model_calls import ModelCalls
from tests.inference.scripted_call import LevelDetector, ToneEars
from tests.inference.test_model_lanes_turn_and_mouth import CALM, turn_lane, turn_spec


def writing_lane() -> tuple[TurnLane, SharedEngine]:
    """A checkpoint that writes until its limit, 512 tokens."""
    own = checkpoints()
    shared = SharedEngine(own.engine(own.writer, codec=True, num_slots=2))
    return TurnLane(shared, ToneEars(), LevelDetector), shared


@contextmanager
def given_to(shared: SharedEngine) -> Iterator[list[str | int]]:
    """What the engine is given of the user while this is open: texts, and numbers of frames."""
    given: list[str | int] = []
    engine = shared.engine
    push_text, push_codes = engine.push_text, engine.push_codes

    def note_text(number: int, text: str) -> None:
        given.append(text)
        push_text(number, text)

    def note_codes(number: int, codes: Tensor) -> None:
        given.append(codes.shape[1])
        push_codes(number, codes)

    engine.push_text, engine.push_codes = note_text, note_codes  # type: ignore[method-assign]
    try:
        yield given
    finally:
        engine.push_text, engine.push_codes = push_text, push_codes  # type: ignore[method-assign]


def task_of(shared: SharedEngine) -> Task:
    (number,) = shared.engine.open_streams
    return shared.engine.stream(number).plan.prompt_task


# --- typed, answered in speech ---


def test_a_typed_turn_is_answered_in_words_and_sound() -> None:
    lane, shared = turn_lane()
    call = ModelCalls(lane, turn_spec())
    call.quiet(0.6)
    with given_to(shared) as given:
        call.command(UserText("resp_1", "tell me a story"))
        call.quiet(8.0)
    assert given == ["tell me a story"] and task_of(shared) is Task.AUDIO_CHAT
    started, finished = call.one(SpeechStarted), call.one(SpeechFinished)
    assert (started.response_id, finished.response_id, finished.status) == ("resp_1", "resp_1", "completed")
    assert {word.response_id for word in call.all(WordSpoken)} <= {"resp_1"}
    assert finished.sent_ms == len(call.all(AudioOut)) * 40 > 0


def test_what_was_typed_decides_the_answer() -> None:
    call = ModelCalls(turn_lane()[0], turn_spec("same"), turn_spec("same"))
    call.quiet(0.6)
    call.command(UserText("one", "tell me a story"))
    call.command(UserText("other", "what is your name"), caller=1)
    call.quiet(4.0)
    assert call.pcm(0) and call.pcm(1) and call.pcm(0) != call.pcm(1)


def test_spoken_and_typed_turns_follow_each_other_in_one_call() -> None:
    call = ModelCalls(turn_lane()[0], turn_spec())
    call.quiet(0.6)
    call.say("green apples")
    call.quiet(8.0)
    call.command(UserText("resp_1", "and red ones"))
    call.quiet(8.0)
    call.say("who lives there")
    call.quiet(8.0)
    finished = call.all(SpeechFinished)
    assert [each.status for each in finished] == ["completed"] * 3
    assert finished[1].response_id == "resp_1"


def test_a_typed_turn_cuts_the_answer_that_is_being_spoken() -> None:
    call = ModelCalls(turn_lane(eager=True)[0], turn_spec())
    call.quiet(0.6)
    call.say("tell me a story")
    call.quiet(2.0)
    call.command(UserText("resp_1", "another one"))
    cut = call.one(SpeechFinished)
    assert cut.status == "cancelled" and 0 < cut.heard_ms <= cut.sent_ms
    call.quiet(1.0)
    after = [event for _, event in call.logs[0][call.index(cut) + 1 :] if isinstance(event, AudioOut)]
    assert after and {(each.response_id, each.epoch) for each in after} == {("resp_1", cut.epoch + 1)}


def test_what_is_typed_in_the_middle_of_a_turn_belongs_to_it() -> None:
    lane, shared = turn_lane(eager=True)
    call = ModelCalls(lane, turn_spec())
    call.quiet(0.6)
    with given_to(shared) as given:
        call.say("green apples")
        assert call.all(VoiceStarted) and not call.all(Heard)
        call.command(UserText("resp_1", "in a bowl"))
        call.say("grow here")
        call.quiet(2.0)
    assert call.one(Heard).text == "green apples grow here"
    assert call.one(SpeechStarted).response_id == "resp_1"
    assert given[-1] == "in a bowl"
    # 0.8 s of voice at 25 frames a second, what came before it, and the silence until the turn was over.
    assert 20 + 7 <= sum(each for each in given if isinstance(each, int)) <= 20 + 8 + 20


@pytest.mark.parametrize("how", ["cancelled", "cleared"])
def test_typed_words_that_wait_for_a_voice_are_never_lost(how: str) -> None:
    lane, shared = turn_lane(eager=True)
    call = ModelCalls(lane, turn_spec())
    call.quiet(0.6)
    with given_to(shared) as given:
        call.say("green apples")
        call.command(UserText("resp_1", "in a bowl"))
        call.command(CancelSpeech("resp_1") if how == "cancelled" else ClearInput())
        call.quiet(2.0)
    assert "in a bowl" in given
    started = call.one(SpeechStarted)
    if how == "cancelled":
        finished = call.one(SpeechFinished)
        assert (finished.response_id, finished.status, finished.epoch) == ("resp_1", "cancelled", 0)
        assert started.response_id != "resp_1" and started.epoch == 1
    else:
        assert started.response_id == "resp_1" and not call.all(Heard)


def test_a_second_typed_turn_cancels_the_first_while_both_wait() -> None:
    lane, shared = turn_lane(eager=True)
    call = ModelCalls(lane, turn_spec())
    call.quiet(0.6)
    with given_to(shared) as given:
        call.say("green apples")
        call.command(UserText("resp_1", "in a bowl"), UserText("resp_2", "on a table"))
        call.quiet(2.0)
    assert given[-1] == "in a bowl\non a table"
    assert call.one(SpeechFinished).response_id == "resp_1" and call.one(SpeechStarted).response_id == "resp_2"


def test_a_call_that_closes_while_its_prompt_is_computed_gives_its_place_back() -> None:
    lane, shared = turn_lane()
    for commands in ([], [UserText("resp_1", "hello")], [SetOutput(False), UserText("resp_1", "hello", False)]):
        call = ModelCalls(lane, turn_spec(instructions="You are a chatter. " * 20))
        call.command(*commands)
        call.quiet(0.04)
        call.close()
        call.close()
    assert shared.engine.open_streams == [] and shared.tick(call.now + 1) is None


# --- answers in text ---


def test_a_written_answer_uses_the_text_task_and_makes_no_sound() -> None:
    lane, shared = writing_lane()
    call = ModelCalls(lane, turn_spec(speaks=False))
    call.quiet(0.6)
    with given_to(shared) as given:
        call.command(UserText("resp_1", "tell me a story", speaks=False))
        call.quiet(4.0)
    assert task_of(shared) is Task.TEXT_CHAT and given == ["tell me a story"]
    finished = call.one(SpeechFinished)
    written = "".join(event.text for event in call.all(TextWritten))
    assert written and finished.heard_text == written and finished.status == "completed"
    assert {event.response_id for event in call.all(TextWritten)} == {"resp_1"}
    assert call.index(call.all(TextWritten)[-1]) < call.index(finished)
    assert not call.all(AudioOut) and not call.all(SpeechStarted)


def test_a_spoken_turn_is_answered_in_text_by_its_words() -> None:
    lane, shared = writing_lane()
    call = ModelCalls(lane, turn_spec(speaks=False))
    call.quiet(0.6)
    with given_to(shared) as given:
        call.say("green apples grow here")
        call.quiet(4.0)
    assert given == ["green apples grow here"]
    assert call.all(TextWritten) and call.one(SpeechFinished).status == "completed"
    assert not call.all(AudioOut)


def test_a_voice_without_words_is_not_answered_in_text() -> None:
    call = ModelCalls(writing_lane()[0], turn_spec(speaks=False))
    call.quiet(0.6)
    # The ears know tone words only; a detector goes by the level.
    call.speak(np.random.default_rng(5).normal(0, 0.2, AUDIO_RATE_HZ).astype(np.float32))
    call.quiet(2.0)
    assert call.one(Heard).text == ""
    assert not call.all(TextWritten)
    # Nobody waits for an answer to it: the shortest turn is believed again.
    call.quiet(2.0)
    call.speak(np.random.default_rng(6).normal(0, 0.2, AUDIO_RATE_HZ // 2).astype(np.float32))
    call.quiet(2.0)
    assert len(call.all(Heard)) == 2


def test_a_written_answer_is_cut_by_the_next_turn() -> None:
    lane, _shared = writing_lane()
    call = ModelCalls(lane, turn_spec(speaks=False))
    call.quiet(0.6)
    call.command(UserText("resp_1", "tell me a story", speaks=False))
    call.quiet(0.06)
    call.command(UserText("resp_2", "another one", speaks=False))
    call.quiet(4.0)
    first, second = call.all(SpeechFinished)
    assert (first.response_id, first.status) == ("resp_1", "cancelled")
    assert (second.response_id, second.status) == ("resp_2", "completed")
    late = [event for _, event in call.logs[0][call.index(first) + 1 :] if isinstance(event, TextWritten)]
    assert late and {event.response_id for event in late} == {"resp_2"}


def test_what_a_spoken_turn_cuts_is_told_before_its_written_answer_begins() -> None:
    lane, _shared = writing_lane()
    call = ModelCalls(lane, turn_spec(speaks=False, detects_turns=False))
    call.quiet(0.6)
    call.command(UserText("resp_1", "tell me a story", speaks=False))
    call.say("green apples")
    call.command(CommitInput())
    call.quiet(4.0)
    order = [event.response_id for _, event in call.logs[0] if isinstance(event, TextWritten | SpeechFinished)]
    assert len(set(order)) == 2
    assert order == sorted(order, key=order.index), "nothing of one answer comes after the next has begun"


def test_speech_and_text_take_turns_in_one_call_and_the_words_are_remembered() -> None:
    lane, shared = turn_lane()
    call = ModelCalls(lane, turn_spec())
    call.quiet(0.6)
    call.say("green apples")
    call.quiet(8.0)
    spoken = call.one(SpeechFinished).heard_text
    call.command(SetOutput(False))
    call.say("who lives there")
    call.quiet(4.0)
    (number,) = shared.engine.open_streams
    turns = shared.engine.stream(number).plan.history
    assert [(turn.role, turn.text) for turn in turns] == [("user", "green apples"), ("assistant", spoken)]
    assert task_of(shared) is Task.TEXT_CHAT
    sent = len(call.all(AudioOut))
    call.command(SetOutput(True))
    call.say("green apples grow")
    call.quiet(8.0)
    (number,) = shared.engine.open_streams
    turns = shared.engine.stream(number).plan.history
    assert [turn.role for turn in turns] == ["user", "assistant"], "what was written has no place in an audio chat"
    assert all(turn.codes is not None for turn in turns)
    assert len(call.all(AudioOut)) > sent and call.all(SpeechFinished)[-1].status == "completed"


def test_one_answer_may_be_written_in_a_call_that_speaks() -> None:
    call = ModelCalls(turn_lane()[0], turn_spec())
    call.quiet(0.6)
    call.command(UserText("resp_1", "tell me a story", speaks=False))
    call.quiet(4.0)
    assert call.one(SpeechFinished).status == "completed" and not call.all(AudioOut)
    call.say("green apples")
    call.quiet(8.0)
    assert call.all(AudioOut) and call.all(SpeechFinished)[-1].response_id != "resp_1"


def test_a_voice_chosen_while_the_model_writes_is_heard_when_it_speaks() -> None:
    lane, shared = turn_lane()
    call = ModelCalls(lane, turn_spec(speaks=False))
    call.quiet(0.4)
    call.command(SetVoice(VoiceSpec("other")), SetVoice(VoiceSpec("third", embedding=(2.0,) * 256)))
    assert call.one(VoiceRefused).voice == "other" and call.one(VoiceChanged).voice == "third"
    call.command(UserText("resp_1", "say something"))
    call.quiet(4.0)
    (number,) = shared.engine.open_streams
    speaker = shared.engine.stream(number).plan.speaker
    assert speaker is not None and float(speaker[0]) == 2.0
    assert call.all(AudioOut)


# --- what the model is given of a voice ---


@pytest.mark.parametrize("packet_s", [0.02, 0.2, 1.0])
def test_all_of_a_turn_reaches_the_model_however_it_is_sent(packet_s: float) -> None:
    lane, shared = turn_lane(eager=True)
    call = ModelCalls(lane, turn_spec())
    call.packet_s = packet_s
    call.quiet(1.0)
    with given_to(shared) as given:
        call.say("green apples grow here who lives there tell me a story")
        call.quiet(2.0)
    assert call.one(Heard).text.startswith("green apples")
    voice = (call.one(Heard).end_ms - call.one(Heard).start_ms) / 40
    assert sum(each for each in given if isinstance(each, int)) >= voice + 6


def test_an_interruption_reaches_the_model_from_its_first_word() -> None:
    lane, shared = turn_lane(eager=True)
    patient = CALM.with_(min_interruption_words=4, min_interruption_s=3.0)
    call = ModelCalls(lane, turn_spec(turn_taking=patient))
    call.quiet(0.6)
    call.say("tell me a story")
    call.quiet(2.0)
    with given_to(shared) as given:
        call.say("green apples grow here who lives there")
        call.quiet(2.0)
    heard = call.all(Heard)[-1]
    assert heard.interrupted_response_id
    assert sum(each for each in given if isinstance(each, int)) >= (heard.end_ms - heard.start_ms) / 40 + 6


def test_a_client_that_takes_over_the_turns_in_mid_call_is_heard_in_full() -> None:
    lane, shared = turn_lane(eager=True)
    call = ModelCalls(lane, turn_spec())
    call.quiet(0.6)
    call.command(SetTurnTaking(CALM, detects_turns=False))
    call.quiet(4.0)
    with given_to(shared) as given:
        call.say("green apples grow here who lives there")
        call.command(CommitInput())
    heard = call.one(Heard)
    frames = sum(each for each in given if isinstance(each, int))
    voice = (heard.end_ms - heard.start_ms) / 40
    assert voice + 6 <= frames <= voice + 12, "all of the voice, and little of the silence before it"
