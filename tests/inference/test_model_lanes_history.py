"""A call that has moved here: a model that answers by itself goes on from what was said before."""

from dataclasses import replace

from inference.models.prompts import PromptTurn, Task
from inference.protocol import SessionSpec, SpeechFinished, TextWritten, UserText
from inference.worker.shared_engine import SharedEngine
from inference.worker.told_history import MOST_CHARACTERS, told_instruction
from tests.inference.model_calls import ModelCalls
from tests.inference.test_model_lanes_turn_and_mouth import turn_lane, turn_spec

SAID = (("character", "Welcome."), ("user", "I have three green pears"), ("character", "So many!"))


def plan_of_only(shared: SharedEngine) -> tuple[str, tuple[PromptTurn, ...], Task]:
    (number,) = shared.engine.open_streams
    plan = shared.engine.stream(number).plan
    return plan.instruction, plan.history, plan.prompt_task


def test_a_call_that_writes_begins_with_the_earlier_turns() -> None:
    lane, shared = turn_lane()
    call = ModelCalls(lane, replace(turn_spec(), history=SAID, speaks=False))
    call.quiet(0.6)
    instruction, history, task = plan_of_only(shared)
    assert task is Task.TEXT_CHAT and "pears" not in instruction
    assert history == (PromptTurn("user", "I have three green pears"), PromptTurn("assistant", "So many!"))
    call.command(UserText("resp_1", "how many pears", speaks=False))
    call.quiet(4.0)
    assert call.all(TextWritten) and call.one(SpeechFinished).status == "completed"


def test_a_call_that_speaks_is_told_of_the_earlier_turns() -> None:
    lane, shared = turn_lane()
    call = ModelCalls(lane, replace(turn_spec(), history=SAID))
    call.quiet(0.6)
    instruction, history, task = plan_of_only(shared)
    assert task is Task.AUDIO_CHAT and history == ()
    assert instruction.endswith("You: Welcome.\nUser: I have three green pears\nYou: So many!")
    call.say("tell me a story")
    call.quiet(8.0)
    assert call.one(SpeechFinished).status == "completed"


def test_what_was_said_before_makes_a_difference_and_stays_with_its_own_call() -> None:
    fresh, moved = turn_spec("same"), replace(turn_spec("same"), history=SAID)
    call = ModelCalls(turn_lane()[0], fresh, moved)
    call.quiet(0.6)
    for caller in (0, 1):
        call.command(UserText("answer", "what is your name"), caller=caller)
    call.quiet(4.0)
    alone = ModelCalls(turn_lane()[0], fresh)
    alone.quiet(0.6)
    alone.command(UserText("answer", "what is your name"))
    alone.quiet(4.0)
    assert call.pcm(0) == alone.pcm(0) != call.pcm(1)


def test_only_the_latest_turns_are_told() -> None:
    spec = SessionSpec(session_id="s", character="c@1", instructions="Be kind.")
    assert told_instruction(spec) == "Be kind."
    long = tuple(("user", f"{number} " + "pear " * 40) for number in range(50))
    told = told_instruction(replace(spec, history=long))
    assert told.startswith("Be kind.\nThe conversation so far:\nUser: ") and "User: 49 pear" in told
    assert "User: 10 pear" not in told and len(told) < MOST_CHARACTERS + 100
