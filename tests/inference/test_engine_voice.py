"""Another voice in the middle of a call."""

import pytest
import torch

from inference.engine.engine import StepEngine
from inference.engine.plans import StreamPlan
from inference.errors import InvalidSpec
from inference.models.prompts import Task
from tests.inference.engine_calls import GREEDY, LONG_RUNS, checkpoints, random_codes, run_until_finished

PERSONA = "A patient teacher who likes rivers. " * 4
LOW = torch.randn(256, generator=torch.Generator().manual_seed(1)) * 3
HIGH = torch.randn(256, generator=torch.Generator().manual_seed(2)) * 3


def _plan(speaker: torch.Tensor | None) -> StreamPlan:
    return StreamPlan("turn", PERSONA, speaker, text=GREEDY, audio=GREEDY, limits=LONG_RUNS)


def _prompt_keys(engine: StepEngine, number: int) -> torch.Tensor:
    stream = engine.stream(number)
    return torch.stack([keys[stream.slot, :, : stream.prompt_length].clone() for keys in engine.lockstep.cache.keys])


def _settle(engine: StepEngine, number: int) -> None:
    for _ in range(200):
        if engine.ready(number) and not engine.changing_voice(number):
            return
        engine.tick()
    raise AssertionError("the stream did not settle")


def _opened(engine: StepEngine, speaker: torch.Tensor | None) -> int:
    number = engine.open(_plan(speaker))
    _settle(engine, number)
    return number


@pytest.mark.parametrize("before_ready", [True, False])
def test_after_a_change_the_prompt_is_that_of_the_new_voice_bit_for_bit(before_ready: bool) -> None:
    engine = checkpoints().engine()
    wanted = _prompt_keys(engine, _opened(engine, HIGH))
    number = engine.open(_plan(LOW))
    if not before_ready:
        _settle(engine, number)
        assert not torch.equal(_prompt_keys(engine, number), wanted)
    engine.change_voice(number, HIGH)
    _settle(engine, number)
    assert torch.equal(_prompt_keys(engine, number), wanted)


def test_what_was_said_stays_and_the_neighbour_is_not_moved() -> None:
    made = checkpoints()
    engine = made.engine()
    first, second = _opened(engine, LOW), _opened(engine, LOW)
    for number in (first, second):
        engine.push_codes(number, random_codes(9))
        engine.begin_answer(number)
    quiet = run_until_finished(engine, second)
    before = engine.stream(first)
    said = engine.lockstep.cache.keys[0][before.slot, :, before.prompt_length : before.length].clone()
    length, neighbour = before.length, _prompt_keys(engine, second)
    engine.change_voice(first, HIGH)
    _settle(engine, first)
    after = engine.stream(first)
    kept = engine.lockstep.cache.keys[0][after.slot, :, after.prompt_length : length]
    assert torch.equal(kept, said)
    assert torch.equal(_prompt_keys(engine, second), neighbour)
    assert quiet.context


def test_the_newest_wish_counts_and_a_closed_stream_changes_no_more() -> None:
    engine = checkpoints().engine()
    wanted = _prompt_keys(engine, _opened(engine, HIGH))
    number, leaving = _opened(engine, LOW), _opened(engine, LOW)
    engine.change_voice(number, -LOW)
    engine.change_voice(number, HIGH)
    engine.change_voice(leaving, HIGH)
    engine.close(leaving)
    _settle(engine, number)
    assert torch.equal(_prompt_keys(engine, number), wanted)


def test_what_is_no_voice_is_refused_and_changes_nothing() -> None:
    engine = checkpoints().engine()
    number = _opened(engine, LOW)
    before = _prompt_keys(engine, number)
    with pytest.raises(InvalidSpec, match="256 finite numbers"):
        engine.change_voice(number, torch.zeros(3))
    text_only = engine.open(StreamPlan("turn", PERSONA, task=Task.TEXT_CHAT, text=GREEDY, audio=GREEDY))
    with pytest.raises(InvalidSpec, match="no place for a speaker"):
        engine.change_voice(text_only, HIGH)
    engine.tick()
    assert torch.equal(_prompt_keys(engine, number), before)
