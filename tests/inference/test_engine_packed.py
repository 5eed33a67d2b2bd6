"""Weights repacked for the CPU's kernels: the same answers in float32, and no row moves another in any precision."""

import pytest
import torch

from inference.engine.engine import StepEngine
from inference.engine.plans import Limits, StreamPlan
from inference.models.linear import Linear
from inference.models.packed import Precision, packed
from inference.models.prompts import PromptTurn, Task
from tests.inference.engine_calls import (
    GREEDY,
    LONG_RUNS,
    WARM,
    checkpoints,
    random_codes,
    run,
    run_until_finished,
    small_settings,
    whole_turn,
)
from tests.inference.tiny_checkpoints import load_model, write_model

PRECISIONS: list[Precision] = ["float32", "bfloat16", "int8"]


@pytest.fixture(scope="module", params=PRECISIONS)
def packed_engines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[StepEngine]:
    """Two engines on one repacked checkpoint each."""
    checkpoints()
    precision: Precision = request.param
    folder = write_model(tmp_path_factory.mktemp("packed"))
    engines = []
    for _ in range(2):
        model, tokenizer = load_model(folder, "bfloat16" if precision == "bfloat16" else "float32")
        engines.append(StepEngine(model, tokenizer, None, small_settings(packed=precision)))
    return engines


def test_a_neighbour_moves_nothing_in_any_precision(packed_engines: list[StepEngine]) -> None:
    """Large neighbours too: a common input scale would show here."""
    plan = StreamPlan("turn", "Be kind.", text=WARM, audio=WARM, seed=4, limits=Limits(None, 5))
    contexts, states = [], []
    for engine, neighbours in zip(packed_engines, (0, 3), strict=True):
        mine = engine.open(plan)
        engine.push_codes(mine, random_codes(11))
        engine.begin_answer(mine)
        run(engine, 3)
        for seed in range(neighbours):
            engine.open(StreamPlan("mouth", "A long story. " * 5, torch.randn(256) * 50, seed=seed, text=WARM))
        contexts.append(run(engine, 20)[mine].context)
        states.append(engine.lockstep.hidden[engine.stream(mine).slot].clone())
        for stream in engine.open_streams:
            engine.close(stream)
    assert contexts[0] == contexts[1]
    assert torch.equal(states[0], states[1])


def test_repacked_float32_gives_the_plain_loops_answer(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = checkpoints()
    model, tokenizer = load_model(write_model(tmp_path_factory.mktemp("packed")))
    engine = StepEngine(model, tokenizer, None, small_settings(packed="float32"))
    stream = engine.open(StreamPlan("turn", "Be kind.", text=GREEDY, audio=GREEDY, limits=LONG_RUNS))
    engine.push_codes(stream, random_codes(30))
    engine.begin_answer(stream)
    turn = PromptTurn("user", codes=random_codes(30))
    wanted = whole_turn(made.chat, made.tokenizer, Task.AUDIO_CHAT, "Be kind.", [turn])
    assert run_until_finished(engine, stream).context == wanted


@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-6), ("bfloat16", 0.01), ("int8", 0.02)])
def test_a_repacked_product_is_the_plain_one_within_its_precision(precision: Precision, error: float) -> None:
    generator = torch.Generator().manual_seed(2)
    weight, x = torch.randn(96, 64, generator=generator), torch.randn(5, 64, generator=generator)
    x[3] *= 100
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    with torch.inference_mode():
        product = packed(Linear(weight.to(dtype)), precision, 5)
        found, wanted = product(x.to(dtype)).float(), x @ weight.T
        alone = torch.cat([product(torch.cat([x[:1], torch.zeros_like(x[1:])]).to(dtype))[:1]]).float()
    assert ((found - wanted).norm(dim=1) / wanted.norm(dim=1)).max() < error
    assert torch.equal(alone[0], found[0])
    assert (product(torch.zeros(2, 64, dtype=dtype)) == 0).all()


def test_a_layer_with_a_bias_stays_as_it_is() -> None:
    layer = Linear(torch.ones(2, 3), torch.ones(2))
    assert packed(layer, "int8", 1) is layer
