"""The sliding window: an hour costs what a minute costs, the prompt stays, the oldest conversation goes."""

import pytest
import torch

from inference.engine.engine import StepEngine
from inference.engine.plans import Limits, StreamPlan
from inference.engine.window import drop, positions_to_drop
from inference.models.rope import rotate_halves
from tests.inference.engine_calls import GREEDY, WARM, checkpoints, random_codes, run

ENDLESS = Limits(max_new_positions=None, max_text_run=4)


def duplex_plan(instruction: str = "Be kind.", speaker: torch.Tensor | None = None, seed: int = 1) -> StreamPlan:
    return StreamPlan("duplex", instruction, speaker, text=WARM, audio=WARM, seed=seed, limits=ENDLESS)


def test_dropping_positions_is_as_if_they_had_never_stood_there() -> None:
    """Keys of kept rows, turned back, are the keys of the same vectors at their new positions; values just move."""
    model = checkpoints().chat
    backbone, config = model.backbone, model.config
    generator = torch.Generator().manual_seed(1)
    raw = torch.randn(config.num_kv_heads, 40, config.head_dim, generator=generator)
    cache = backbone.new_cache(2, 64)
    cos, sin = backbone._cos[:40], backbone._sin[:40]
    for keys, values in zip(cache.keys, cache.values, strict=True):
        keys[1, :, :40] = rotate_halves(raw, cos, sin)
        values[1, :, :40] = raw
    before = cache.keys[0].clone()
    drop(backbone, cache, 1, prompt=10, length=40, dropped=7)
    kept = torch.cat([raw[:, :10], raw[:, 17:]], dim=1)
    for keys, values in zip(cache.keys, cache.values, strict=True):
        torch.testing.assert_close(keys[1, :, :33], rotate_halves(kept, cos[:33], sin[:33]), atol=1e-5, rtol=1e-5)
        assert torch.equal(values[1, :, :33], kept)
        assert torch.equal(keys[1, :, :10], before[1, :, :10])
    assert torch.equal(cache.keys[0][0], before[0])
    assert cache.lengths.tolist() == [0, 33]


@pytest.mark.parametrize(
    ("starts", "dropped"),
    [([], 64), ([10], 64), ([10, 50, 100], 90), ([10, 74, 100], 64), ([10, 60], 64)],
)
def test_whole_turns_go_where_turns_begin(starts: list[int], dropped: int) -> None:
    assert positions_to_drop(10, 300, 64, starts) == dropped


def test_the_prompt_outlives_a_call_many_windows_long() -> None:
    made = checkpoints()
    engine = made.engine(made.duplex, num_positions=192, dropped_block=48, silence_codes=(9, 9, 9, 9))
    stream = engine.open(duplex_plan())
    run(engine, 3)
    state = engine.stream(stream)
    prompt = state.prompt_length
    first = [keys[state.slot, :, :prompt].clone() for keys in engine.lockstep.cache.keys]
    values = [tensor[state.slot, :, :prompt].clone() for tensor in engine.lockstep.cache.values]
    run(engine, 500)
    assert state.dropped_positions > 2 * 192
    assert prompt < state.length <= 192
    for before, after in zip(first, engine.lockstep.cache.keys, strict=True):
        assert torch.equal(before, after[state.slot, :, :prompt])
    for before, after in zip(values, engine.lockstep.cache.values, strict=True):
        assert torch.equal(before, after[state.slot, :, :prompt])


def test_what_the_prompt_said_still_matters_after_the_window_moved() -> None:
    """The same conversation under two voices: greedy draws differ long after everything but the prompt has gone."""
    made = checkpoints()

    def late_states(speaker: torch.Tensor) -> torch.Tensor:
        engine = made.engine(num_positions=160, dropped_block=48)
        plan = StreamPlan("turn", "Be kind.", speaker, text=GREEDY, audio=GREEDY, limits=ENDLESS)
        stream = engine.open(plan)
        for tick in range(400):
            engine.push_codes(stream, random_codes(1, seed=tick))
            engine.tick()
        assert engine.stream(stream).dropped_positions > 160
        return engine.lockstep.hidden[engine.stream(stream).slot].clone()

    generator = torch.Generator().manual_seed(3)
    one, other = (torch.randn(256, generator=generator) for _ in range(2))
    assert torch.equal(late_states(one), late_states(one))
    assert (late_states(one) - late_states(other)).abs().max() > 1e-3


def test_a_long_call_holds_no_more_memory_than_a_short_one() -> None:
    made = checkpoints()
    engine = made.engine(made.duplex, codec=True, num_positions=192, dropped_block=48)
    stream = engine.open(duplex_plan())

    def two_windows() -> None:
        for tick in range(120):
            engine.push_pcm(stream, torch.sin(torch.arange(640) * 0.01 * (tick % 7)))
            engine.tick()

    two_windows()
    pointers = [tensor.data_ptr() for tensor in engine.lockstep.cache.keys]
    held = _held(engine, stream)
    two_windows()
    two_windows()
    assert _held(engine, stream) <= held + 8
    assert [tensor.data_ptr() for tensor in engine.lockstep.cache.keys] == pointers


def _held(engine: StepEngine, stream: int) -> int:
    state = engine.stream(stream)
    return len(state.waiting) + len(state.user_pcm) + len(state.user_codes) + len(state.turn_starts)
