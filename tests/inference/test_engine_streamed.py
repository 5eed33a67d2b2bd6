"""Streamed equals whole: the engine, tick by tick, gives what the plain loops give. And reset equals fresh."""

import pytest
import torch

from inference.engine.plans import Limits, StreamPlan
from inference.models.prompts import PromptTurn, Task
from inference.models.sampling import Sampling
from tests.inference.engine_calls import (
    GREEDY,
    LONG_RUNS,
    WARM,
    Record,
    checkpoints,
    random_codes,
    run,
    run_until_finished,
    whole_duplex,
    whole_turn,
)

SPEAKER = torch.randn(256, generator=torch.Generator().manual_seed(5))


def plan(mode: str, **changes: object) -> StreamPlan:
    values = {"instruction": "Be kind.", "text": GREEDY, "audio": GREEDY, "limits": LONG_RUNS}
    return StreamPlan(mode, **(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("speaker", [None, SPEAKER])
def test_an_answer_to_speech_is_the_one_the_plain_loop_gives(speaker: torch.Tensor | None) -> None:
    made = checkpoints()
    codes = random_codes(30)
    turn = PromptTurn("user", codes=codes)
    wanted = whole_turn(made.chat, made.tokenizer, Task.AUDIO_CHAT, "Be kind.", [turn], speaker)
    engine = made.engine()
    stream = engine.open(plan("turn", speaker=speaker))
    engine.push_codes(stream, codes)
    engine.begin_answer(stream)
    found = run_until_finished(engine, stream)
    assert found.context == wanted
    assert found.frames
    assert len(found.context) > len(found.frames)


def test_without_a_top_k_all_that_the_model_holds_possible_is_drawn() -> None:
    """Near temperature 0 that is the greedy answer; at a high one, ids and codes that no top-k would give."""
    made = checkpoints()
    codes = random_codes(30)
    wanted = whole_turn(made.chat, made.tokenizer, Task.AUDIO_CHAT, "Be kind.", [PromptTurn("user", codes=codes)])
    contexts = []
    for temperature, top_k in ((1e-5, 0), (30.0, 0), (30.0, 1)):
        engine = made.engine(top_k_bound=4)
        sampling = Sampling(temperature, top_k)
        stream = engine.open(plan("turn", text=sampling, audio=sampling))
        engine.push_codes(stream, codes)
        engine.begin_answer(stream)
        contexts.append(run_until_finished(engine, stream).context)
    assert contexts[0] == contexts[2] == wanted
    assert contexts[1] != wanted


def test_speech_heard_frame_by_frame_gives_the_same_answer_as_speech_given_at_once() -> None:
    made = checkpoints()
    codes = random_codes(30)
    wanted = whole_turn(made.chat, made.tokenizer, Task.AUDIO_CHAT, "Be kind.", [PromptTurn("user", codes=codes)])
    engine = made.engine()
    stream = engine.open(plan("turn"))
    run(engine, 30, lambda tick: engine.push_codes(stream, codes[:, tick : tick + 1]))
    engine.begin_answer(stream)
    assert run_until_finished(engine, stream).context == wanted


def test_a_second_turn_remembers_the_words_of_the_first() -> None:
    """The history keeps words and frames interleaved, the eos included: the next answer continues that very context."""
    made = checkpoints()
    engine = made.engine()
    stream = engine.open(plan("turn"))
    engine.push_codes(stream, random_codes(10))
    engine.begin_answer(stream)
    first = run_until_finished(engine, stream)
    before = engine.stream(stream).length
    engine.push_codes(stream, random_codes(12, seed=1))
    engine.begin_answer(stream)
    run_until_finished(engine, stream)
    head = len(made.tokenizer.encode("Be kind.")) + 7
    assert before >= head + 1 + 10 + 1 + len(first.context) - 1
    assert first.finished in (["eos"], ["max_new_positions"])


def test_written_text_is_answered_in_text_only() -> None:
    made = checkpoints()
    wanted = whole_turn(
        made.writer, made.tokenizer, Task.TEXT_CHAT, "Be kind.", [PromptTurn("user", text="Who are you?")]
    )
    engine = made.engine(made.writer)
    stream = engine.open(plan("turn", task=Task.TEXT_CHAT))
    engine.push_text(stream, "Who are you?")
    engine.begin_answer(stream)
    found = run_until_finished(engine, stream)
    assert found.context == wanted
    assert not found.frames


def test_ears_write_down_what_the_plain_loop_writes() -> None:
    made = checkpoints()
    codes = random_codes(40)
    wanted = whole_turn(made.writer, made.tokenizer, Task.ASR, "", [PromptTurn("user", codes=codes)])
    engine = made.engine(made.writer)
    stream = engine.open(plan("ears", instruction="", limits=Limits(60, 8)))
    engine.push_codes(stream, codes)
    engine.begin_answer(stream)
    found = run_until_finished(engine, stream)
    assert found.context == wanted
    assert found.text
    assert not found.frames


@pytest.mark.parametrize("num_frames", [12, 40])
def test_a_duplex_call_is_the_one_the_plain_loop_gives(num_frames: int) -> None:
    made = checkpoints()
    user = random_codes(num_frames)
    limits = Limits(max_new_positions=120, max_text_run=200)
    wanted = whole_duplex(made.duplex, made.tokenizer, "Be kind.", user, 120)
    engine = made.engine(made.duplex)
    stream = engine.open(plan("duplex", limits=limits, missing_user="hold"))

    def user_speaks(tick: int) -> None:
        if tick < num_frames:
            engine.push_codes(stream, user[:, tick : tick + 1])
        elif tick == num_frames:
            engine.end_audio(stream)

    found = run(engine, num_frames + 20, user_speaks)[stream]
    assert found.context == wanted
    assert found.frames
    assert made.tokenizer.control["<|VOILA|>"] in found.context


def test_a_duplex_call_says_when_the_users_audio_is_over() -> None:
    made = checkpoints()
    engine = made.engine(made.duplex)
    stream = engine.open(plan("duplex", limits=Limits(None, 8), missing_user="hold"))
    for frame in random_codes(3).T:
        engine.push_codes(stream, frame[:, None])
    engine.end_audio(stream)
    found = run(engine, 20)[stream]
    assert found.finished == ["user_stream_end"]
    assert len(found.frames) == 3


def test_a_user_whose_frame_is_late_is_waited_for_or_heard_as_silence() -> None:
    made = checkpoints()
    engine = made.engine(made.duplex, silence_codes=(1, 2, 3, 4))
    limits = Limits(None, 8)
    waiting = engine.open(plan("duplex", limits=limits, missing_user="hold"))
    going_on = engine.open(plan("duplex", limits=limits))
    records = run(engine, 12)
    assert not records.get(waiting, Record()).frames
    assert len(records[going_on].frames) == 12
    engine.push_codes(waiting, random_codes(1))
    assert len(run(engine, 2)[waiting].frames) == 1


def test_a_run_of_text_ends_in_a_frame() -> None:
    """Text costs no time, so a model that only writes would never let a tick end."""
    made = checkpoints()
    engine = made.engine(made.chat)
    stream = engine.open(plan("turn", limits=Limits(60, 3)))
    engine.push_codes(stream, random_codes(10))
    engine.begin_answer(stream)
    context = run_until_finished(engine, stream).context
    runs = [i for i in range(len(context) - 3) if all(isinstance(entry, int) for entry in context[i : i + 4])]
    assert not runs or context[-1] == made.tokenizer.eos_id


def test_a_slot_used_before_answers_like_a_fresh_one() -> None:
    made = checkpoints()

    def answer(engine: object, seed: int) -> Record:
        stream = engine.open(plan("turn", text=WARM, audio=WARM, seed=seed))  # type: ignore[attr-defined]
        for tick in range(6):
            engine.push_pcm(stream, torch.sin(torch.arange(640) * (0.02 + 0.001 * tick)))  # type: ignore[attr-defined]
            engine.tick()  # type: ignore[attr-defined]
        engine.begin_answer(stream)  # type: ignore[attr-defined]
        record = run_until_finished(engine, stream)  # type: ignore[arg-type]
        engine.close(stream)  # type: ignore[attr-defined]
        return record

    used = made.engine(codec=True, num_slots=1)
    other = answer(used, 1)
    again = answer(used, 2)
    fresh = answer(made.engine(codec=True, num_slots=1), 2)
    assert again.context == fresh.context
    assert other.context != again.context
    assert all(torch.equal(a, b) for a, b in zip(again.pcm, fresh.pcm, strict=True))


def test_a_bfloat16_engine_stays_close_to_the_float32_one() -> None:
    """Not token for token: the states after the same fed positions agree within bfloat16's rounding."""
    made = checkpoints()
    narrow = made.narrow
    codes = random_codes(20)
    states = []
    for model in (made.chat, narrow):
        engine = made.engine(model)
        stream = engine.open(plan("turn"))
        engine.push_codes(stream, codes)
        run(engine, 6)
        run(engine, 8, lambda tick: engine.push_codes(stream, codes[:, tick : tick + 1]))  # noqa: B023
        states.append(engine.lockstep.hidden[engine.stream(stream).slot].float())
    assert torch.nn.functional.cosine_similarity(states[0], states[1], dim=0) > 0.99
