"""The sliding window: an hour costs what a minute costs, the prompt stays, the oldest conversation goes."""

from pathlib import Path

import pytest
import torch

from inference.engine.engine import StepEngine
from inference.engine.plans import Limits, StreamPlan
from inference.engine.window import drop, positions_to_drop
from inference.models.rope import rotate_halves
from inference.models.voila import VoilaModel
from tests.inference.engine_calls import GREEDY, WARM, checkpoints, random_codes, run, run_until_finished
from tests.inference.tiny_checkpoints import TinyShape, load_model, write_model

ENDLESS = Limits(max_new_positions=None, max_text_run=4)
SHORT = Limits(max_new_positions=40, max_text_run=4)


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
    for layer in range(config.num_layers):
        drop(backbone, cache, 1, layer, prompt=10, length=40, dropped=7)
    kept = torch.cat([raw[:, :10], raw[:, 17:]], dim=1)
    for keys, values in zip(cache.keys, cache.values, strict=True):
        torch.testing.assert_close(keys[1, :, :33], rotate_halves(kept, cos[:33], sin[:33]), atol=1e-5, rtol=1e-5)
        assert torch.equal(values[1, :, :33], kept)
        assert torch.equal(keys[1, :, :10], before[1, :, :10])
    assert torch.equal(cache.keys[0][0], before[0])
    assert cache.lengths.tolist() == [[0, 33]] * config.num_layers


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


def _watched_call(engine: StepEngine, stream: int, num_ticks: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Layers that moved in each tick, and the length of the stream, moved and unmoved, whenever one did."""
    state, moves, lengths = engine.stream(stream), [], []
    before = engine.lockstep.cache.lengths[:, state.slot].clone()
    for tick in range(num_ticks):
        engine.push_codes(stream, random_codes(1, seed=tick))
        engine.tick()
        after = engine.lockstep.cache.lengths[:, state.slot].clone()
        moves.append(int((after < before).sum()))
        if moves[-1]:
            lengths.append((int(after.min()), int(after.max())))
        before = after
    return moves, lengths


def test_no_tick_moves_more_of_a_window_than_its_share(tmp_path: Path) -> None:
    """Eight layers, 32 positions to move in: a layer every fourth position. Steps and chunks run in between."""
    made = checkpoints()
    model, _ = load_model(write_model(tmp_path, autonomous=True, shape=TinyShape(layers=8)))
    engine = made.engine(model, num_positions=256, dropped_block=128, silence_codes=(9, 9, 9, 9))
    stream = engine.open(duplex_plan())
    run(engine, 3)
    moves, lengths = _watched_call(engine, stream, 200)
    most_fed = ENDLESS.max_text_run + 4
    assert 0 < max(moves) <= most_fed / 4
    assert sum(moves) >= 2 * 8
    assert any(high - low >= 64 for low, high in lengths), "some layers have moved and the others not yet"
    assert max(high for _, high in lengths) <= 256


def test_steps_and_chunks_agree_while_some_layers_have_moved(tmp_path: Path) -> None:
    model, _ = load_model(write_model(tmp_path, shape=TinyShape(layers=3)))
    generator = torch.Generator().manual_seed(2)
    before, after = (torch.randn(count, model.config.hidden_size, generator=generator) for count in (30, 5))
    states = []
    with torch.inference_mode():
        for by_chunk in (True, False):
            cache = model.backbone.new_cache(2, 64)
            model.prefill(before, cache, 1)
            for layer, dropped in ((0, 8), (2, 11)):
                drop(model.backbone, cache, 1, layer, prompt=6, length=30, dropped=dropped)
            if by_chunk:
                states.append(model.prefill(after, cache, 1, [22, 30, 19])[-1])
                continue
            for vector in after:
                mask = torch.tensor([False, True])
                stepped = model.backbone.step(vector.expand(2, -1), cache, mask, 64)
            states.append(stepped[1])
            assert cache.lengths.tolist() == [[0, 27], [0, 35], [0, 24]]
    torch.testing.assert_close(states[0], states[1], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layers", [1, 3])
def test_when_a_window_moves_is_a_matter_of_its_own_length_alone(tmp_path: Path, layers: int) -> None:
    """The same call beside others whose long prompts make it late: the same tokens and states, bit for bit."""
    model, _ = load_model(write_model(tmp_path, shape=TinyShape(layers=layers)))
    alone, beside = _many_turns(model, 0), _many_turns(model, 3)
    assert alone[0] == beside[0]
    assert torch.equal(alone[1], beside[1])


def test_a_window_moves_alike_under_chunks_and_under_frames(tmp_path: Path) -> None:
    """Chunks of one position: the layers move at the same lengths, so the states may differ by rounding only."""
    model, _ = load_model(write_model(tmp_path, shape=TinyShape(layers=3)))
    states = []
    for at_once in (2, 1):
        engine = checkpoints().engine(model, num_positions=160, dropped_block=48, prefill_chunk=1)
        stream = engine.open(StreamPlan("turn", "Be kind.", text=WARM, audio=WARM, limits=ENDLESS))
        seen = []
        for tick in range(100):
            for piece in random_codes(2, seed=tick).split(at_once, dim=1):
                engine.push_codes(stream, piece)
            run(engine, 2)
            seen.append(engine.lockstep.hidden[engine.stream(stream).slot].clone())
        assert engine.stream(stream).dropped_positions >= 2 * 48
        states.append(torch.stack(seen))
    torch.testing.assert_close(states[0], states[1], atol=1e-3, rtol=1e-3)


def _many_turns(model: VoilaModel, others: int) -> tuple[list[object], torch.Tensor]:
    engine = checkpoints().engine(model, num_positions=256, dropped_block=48, prefill_per_tick=16)
    for seed in range(others):
        engine.open(StreamPlan("turn", "A long story. " * 9, text=WARM, audio=WARM, seed=seed, limits=ENDLESS))
    stream = engine.open(StreamPlan("turn", "Be kind.", text=WARM, audio=WARM, seed=5, limits=SHORT))
    context: list[object] = []
    for turn in range(9):
        engine.push_codes(stream, random_codes(30, seed=turn))
        engine.begin_answer(stream)
        context += run_until_finished(engine, stream).context
    assert engine.stream(stream).dropped_positions >= 2 * 48
    return context, engine.lockstep.hidden[engine.stream(stream).slot].clone()


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
