"""What one slot does never moves another: bit for bit, at a fixed number of slots."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from inference.engine.engine import StepEngine
from inference.engine.plans import Limits, StreamPlan
from inference.models.sampling import Sampling
from inference.models.voila import VoilaModel
from tests.inference.engine_calls import WARM, Record, checkpoints, random_codes, small_settings

Neighbour = Callable[[StepEngine, int], None]
TICKS = 30


def plan(mode: str, seed: int, instruction: str = "Be kind.", speaker: torch.Tensor | None = None) -> StreamPlan:
    return StreamPlan(
        mode,  # type: ignore[arg-type]
        instruction,
        speaker,
        text=WARM,
        audio=WARM,
        seed=seed,
        limits=Limits(None, 6),
    )


def nobody(engine: StepEngine, tick: int) -> None:
    """The neighbour stays away."""


def joins_and_leaves(engine: StepEngine, tick: int) -> None:
    if tick in (4, 15):
        engine.open(plan(_mode(engine), 99))
    if tick in (9, 20):
        engine.close(engine.open_streams[-1])


def brings_a_long_prompt(engine: StepEngine, tick: int) -> None:
    if tick == 5:
        engine.open(plan(_mode(engine), 7, "A long story about a fox. " * 6))


def opens_anew_all_the_time(engine: StepEngine, tick: int) -> None:
    if tick < 4:
        return
    if len(engine.open_streams) > 1:
        engine.close(engine.open_streams[-1])
    engine.open(plan(_mode(engine), tick))


def talks_past_its_window(engine: StepEngine, tick: int) -> None:
    if tick < 4:
        return
    if tick == 4:
        engine.open(plan(_mode(engine), 3, "Short."))
    other = engine.open_streams[-1]
    if _mode(engine) == "turn" and tick < TICKS - 1:
        if engine.stream(other).answer is not None:
            engine.interrupt(other)
        engine.push_codes(other, random_codes(40, seed=tick))
    elif _mode(engine) == "duplex":
        engine.push_codes(other, random_codes(1, seed=tick))


def draws_without_a_limit(engine: StepEngine, tick: int) -> None:
    if tick == 2:
        other = engine.open(replace(plan(_mode(engine), 3, "Short."), text=Sampling(1.0, 0), audio=Sampling(1.0, 0)))
        if _mode(engine) == "turn":
            engine.push_codes(other, random_codes(4))
            engine.begin_answer(other)


def _mode(engine: StepEngine) -> str:
    return "duplex" if engine.model.kind == "autonomous" else "turn"


def call(model: VoilaModel, neighbour: Neighbour, num_positions: int = 256) -> tuple[Record, list[torch.Tensor]]:
    """A's call, and its hidden state after every tick."""
    made = checkpoints()
    engine = StepEngine(model, made.tokenizer, made.codec, small_settings(num_positions=num_positions))
    mode = _mode(engine)
    mine = engine.open(plan(mode, 11))
    if mode == "turn":
        engine.push_codes(mine, random_codes(20))
        engine.begin_answer(mine)
    slot, record, states = engine.stream(mine).slot, Record(), []
    for tick in range(TICKS):
        neighbour(engine, tick)
        if mode == "duplex":
            engine.push_pcm(mine, torch.sin(torch.arange(640) * (0.05 + 0.002 * tick)))
        for output in engine.tick():
            if output.stream == mine:
                record.add(output, tick)
        states.append(engine.lockstep.hidden[slot].clone())
    return record, states


@pytest.mark.parametrize("kind", ["chat", "duplex", "chat in bfloat16"])
@pytest.mark.parametrize(
    "neighbour",
    [joins_and_leaves, brings_a_long_prompt, opens_anew_all_the_time, talks_past_its_window, draws_without_a_limit],
)
def test_a_call_is_not_moved_by_its_neighbour(neighbour: Neighbour, kind: str) -> None:
    made = checkpoints()
    model = {"chat": made.chat, "duplex": made.duplex}.get(kind) or made.narrow
    alone, alone_states = call(model, nobody)
    beside, beside_states = call(model, neighbour)
    assert alone.frames
    assert beside.context == alone.context
    assert beside.ticks_with_output == alone.ticks_with_output
    assert all(torch.equal(a, b) for a, b in zip(beside_states, alone_states, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(beside.pcm, alone.pcm, strict=True))


def test_the_neighbour_really_outgrows_its_window() -> None:
    """Else the test above would show nothing."""
    made = checkpoints()
    engine = made.engine(num_positions=256)
    engine.open(plan("turn", 11))
    for tick in range(TICKS):
        talks_past_its_window(engine, tick)
        engine.tick()
    assert engine.stream(engine.open_streams[-1]).dropped_positions > 0


def test_a_prompt_longer_than_the_budget_of_a_tick_delays_nobodys_frame() -> None:
    made = checkpoints()
    engine = made.engine(made.duplex, prefill_per_tick=16, silence_codes=(0, 0, 0, 0))
    mine = engine.open(plan("duplex", 1))
    for _ in range(6):
        engine.tick()
    other = engine.open(plan("duplex", 2, "A long story about a fox. " * 12))
    for _ in range(10):
        assert [output.codes is not None for output in engine.tick() if output.stream == mine] == [True]
        assert not engine.ready(other)
    for _ in range(20):
        engine.tick()
    assert engine.stream(other).answer is not None
    assert engine.ready(other)
    assert engine.ready(mine)
