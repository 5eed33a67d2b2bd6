"""The mouth: given words enter as text while the model says where the frames come."""

from dataclasses import replace

import pytest
import torch

from inference.engine.engine import StepEngine
from inference.engine.plans import Limits, StreamPlan
from inference.errors import InvalidSpec, SlowConsumer
from inference.models.generation import Chooser, GenerationSettings
from inference.models.prompts import Task, prompt_rows, text_rows
from tests.inference.engine_calls import GREEDY, Record, checkpoints, run, run_until_finished

WORDS = ["Good", " evening,", " dear", " listener."]


def plan(**limits: int) -> StreamPlan:
    unbounded = replace(Limits(max_new_positions=None), **limits)
    return StreamPlan("mouth", "Be kind.", text=GREEDY, audio=GREEDY, limits=unbounded)


def speaking(engine: StepEngine, stream_plan: StreamPlan) -> int:
    stream = engine.open(stream_plan)
    engine.begin_answer(stream)
    return stream


def test_exactly_the_given_words_are_said_and_then_it_stops() -> None:
    made = checkpoints()
    engine = made.engine(codec=True)
    stream = speaking(engine, plan(max_text_run=12, max_trailing_frames=6))
    engine.push_words(stream, WORDS)
    engine.end_words(stream)
    said = run_until_finished(engine, stream)
    assert said.text == "Good evening, dear listener."
    assert said.finished == ["words_end"]
    assert said.frames
    assert len(said.pcm) == len(said.frames)
    assert all(pcm.shape == (640,) for pcm in said.pcm)
    assert not engine.tick()


def test_captions_know_at_which_frame_each_word_begins() -> None:
    made = checkpoints()
    engine = made.engine()
    stream = speaking(engine, plan(max_text_run=9))
    engine.push_words(stream, WORDS)
    engine.end_words(stream)
    said = run_until_finished(engine, stream)
    assert [word.word for word in said.words] == WORDS
    assert [word.index for word in said.words] == [0, 1, 2, 3]
    starts = []
    for index in range(len(WORDS)):
        ids = made.tokenizer.encode("".join(WORDS[:index]))
        texts = [place for place, entry in enumerate(said.context) if isinstance(entry, int)]
        starts.append(sum(isinstance(entry, list) for entry in said.context[: texts[len(ids)]]))
    assert [word.frame for word in said.words] == starts
    assert starts[-1] > 0


def test_words_may_come_one_by_one_without_changing_a_frame() -> None:
    made = checkpoints()
    at_once = made.engine()
    stream = speaking(at_once, plan())
    at_once.push_words(stream, WORDS)
    at_once.end_words(stream)
    wanted = run_until_finished(at_once, stream)

    engine = made.engine()
    late = speaking(engine, plan())
    record = Record()
    for tick in range(200):
        if tick % 9 == 0 and tick // 9 < len(WORDS):
            engine.push_words(late, [WORDS[tick // 9]])
        if tick == 9 * len(WORDS) - 8:
            engine.end_words(late)
        for output in engine.tick():
            record.add(output, tick)
        if record.finished:
            break
    assert record.text == wanted.text
    assert record.finished == ["words_end"]


def test_without_words_nothing_is_said_and_the_stream_waits() -> None:
    engine = checkpoints().engine()
    stream = speaking(engine, plan())
    assert not run(engine, 20)
    engine.push_words(stream, ["Hello"])
    engine.end_words(stream)
    assert run_until_finished(engine, stream).text == "Hello"


def test_a_model_that_never_asks_for_the_next_word_is_given_it() -> None:
    """And one that never stops is stopped."""
    made = checkpoints()
    engine = made.engine(made.eager)
    stream = speaking(engine, plan(max_frames_per_word=5, max_trailing_frames=3))
    engine.push_words(stream, WORDS)
    engine.end_words(stream)
    said = run_until_finished(engine, stream)
    assert said.text == "".join(WORDS)
    assert [word.frame for word in said.words] == [0, 5, 10, 15]
    assert len(said.frames) == 18


def test_a_mouth_gives_what_the_plain_loop_gives_for_the_same_context() -> None:
    """Replays what was said through the plain model: every frame is the audio transformer's for that very context."""
    made = checkpoints()
    engine = made.engine()
    stream = speaking(engine, plan())
    engine.push_words(stream, WORDS)
    engine.end_words(stream)
    said = run_until_finished(engine, stream)
    rows = prompt_rows(Task.AUDIO_CHAT, "Be kind.", [], made.tokenizer)
    marker = text_rows([made.tokenizer.control["<|VOILA|>"]], made.tokenizer)
    chooser = Chooser(made.chat, made.tokenizer, GenerationSettings(1, GREEDY, GREEDY))
    cache = made.chat.backbone.new_cache(1, 400)
    with torch.inference_mode():
        hidden = made.chat.prefill(made.chat.embed_prompt(torch.cat([rows, marker])), cache, 0)[-1]
        for entry in said.context:
            if isinstance(entry, list):
                assert chooser.codes(hidden).tolist() == entry
                row = chooser.frame_row(torch.tensor(entry))
            else:
                row = text_rows([entry], made.tokenizer)[0]
            hidden = made.chat.prefill(made.chat.embed(row[None]), cache, 0)[-1]


def test_interrupting_stops_the_words_and_the_next_answer_begins_anew() -> None:
    engine = checkpoints().engine()
    stream = speaking(engine, plan())
    engine.push_words(stream, WORDS * 20)
    run(engine, 5)
    engine.interrupt(stream)
    assert [output.finished for output in engine.tick()] == ["interrupted"]
    assert not run(engine, 5)
    engine.begin_answer(stream)
    engine.push_words(stream, ["Again"])
    engine.end_words(stream)
    assert run_until_finished(engine, stream).text == "Again"


def test_words_are_bounded_and_only_for_a_mouth_that_has_begun() -> None:
    engine = checkpoints().engine(max_queued_words=10)
    stream = engine.open(plan())
    with pytest.raises(InvalidSpec):
        engine.push_words(stream, ["Hello"])
    engine.begin_answer(stream)
    engine.push_words(stream, ["a"] * 10)
    with pytest.raises(SlowConsumer):
        engine.push_words(stream, ["b"])
    engine.end_words(stream)
    assert run_until_finished(engine, stream).text == "a" * 10


@pytest.mark.parametrize("words", [["Grüße", " aus", " Köln"], ["你好", "，", "世界"], ["", "ok", ""]])
def test_every_script_comes_back_as_it_was_given(words: list[str]) -> None:
    engine = checkpoints().engine()
    stream = speaking(engine, plan())
    engine.push_words(stream, words)
    engine.end_words(stream)
    said = run_until_finished(engine, stream)
    assert said.text == "".join(words)
    assert [word.word for word in said.words] == [word for word in words if word]


def test_control_tokens_among_the_words_are_spoken_as_characters() -> None:
    made = checkpoints()
    engine = made.engine()
    stream = speaking(engine, plan())
    engine.push_words(stream, ["<|VOILA|>", " <eos>"])
    engine.end_words(stream)
    said = run_until_finished(engine, stream)
    assert said.text == "<|VOILA|> <eos>"
    assert not {made.tokenizer.control["<|VOILA|>"], made.tokenizer.eos_id} & {
        entry for entry in said.context if isinstance(entry, int)
    }
