"""A checkpoint that hears raw audio: turn by turn what the plain loop gives for the whole conversation."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from torch import Tensor

from inference.engine.engine import StepEngine
from inference.engine.plans import EngineSettings, Limits, StreamPlan
from inference.errors import InvalidSpec
from inference.models.generation import Chooser, GenerationSettings, generate_turn
from inference.models.prompts import PromptTurn, Task, audio_rows, head_rows, text_rows
from inference.models.voila import VoilaModel
from inference.models.waveform import waveform_track
from tests.inference.engine_calls import (
    GREEDY,
    LONG_RUNS,
    WARM,
    checkpoints,
    random_codes,
    run,
    run_until_finished,
    small_settings,
)
from tests.inference.tiny_checkpoints import load_codec, load_model, write_codec, write_model

SPEAKER = torch.randn(256, generator=torch.Generator().manual_seed(5))
Context = list[int | list[int]]


@cache
def model() -> VoilaModel:
    checkpoints()
    with TemporaryDirectory() as name:
        return load_model(write_model(Path(name), raw_audio=True, seed=3))[0]


def engine_of(**changes: object) -> StepEngine:
    made = checkpoints()
    return StepEngine(model(), made.tokenizer, made.codec, small_settings(**changes))


def plan(**changes: object) -> StreamPlan:
    values = {"instruction": "Be kind.", "text": GREEDY, "audio": GREEDY, "limits": LONG_RUNS}
    return StreamPlan("turn", **(values | changes))  # type: ignore[arg-type]


def spoken(num_frames: int, seed: int) -> Tensor:
    return torch.randn(num_frames * 640, generator=torch.Generator().manual_seed(seed)) * 0.2


def say(engine: StepEngine, stream: int, pcm: Tensor, *, live: bool = False) -> None:
    for frame in pcm.split(640):
        engine.push_pcm(stream, frame)
        if live:
            engine.tick()


class Whole:
    """The conversation as the reference sees it: one prompt, one track, one mask."""

    def __init__(self, speaker: Tensor | None = None) -> None:
        self._tokenizer = checkpoints().tokenizer
        self._speaker = speaker
        self._rows = [head_rows(Task.AUDIO_CHAT, "Be kind.", self._tokenizer)]
        self._sounds: list[Tensor | None] = [None]

    def _add(self, rows: Tensor, sound: Tensor | None = None) -> None:
        self._rows.append(rows)
        self._sounds.append(sound)

    def hear(self, pcm: Tensor | None) -> None:
        """A turn of the user, or none, and the marker that asks for an answer."""
        control, tokenizer = self._tokenizer.control, self._tokenizer
        if pcm is not None:
            self._add(text_rows([control["<|HUMAN|>"]], tokenizer))
            self._add(text_rows([control["<au_token>"]] * (len(pcm) // 640), tokenizer), pcm)
        self._add(text_rows([control["<|VOILA|>"]], tokenizer))

    def tell(self, context: Context) -> None:
        """What the model said, closed by eos."""
        for entry in context:
            if isinstance(entry, list):
                self._add(audio_rows(torch.tensor(entry)[:, None], self._tokenizer))
            elif entry != self._tokenizer.eos_id:
                self._add(text_rows([entry], self._tokenizer))
        self._add(text_rows([self._tokenizer.eos_id], self._tokenizer))

    @torch.inference_mode()
    def answer(self, most: int = 60) -> Context:
        track, mask = waveform_track(self._sounds, [len(rows) for rows in self._rows])
        front_end = model().waveform
        assert front_end is not None
        x = model().embed_prompt(torch.cat(self._rows), self._speaker, front_end(track) * mask[:, None])
        chooser = Chooser(model(), self._tokenizer, GenerationSettings(most, GREEDY, GREEDY))
        steps = list(generate_turn(chooser, x, model().backbone.new_cache(1, len(x) + most)))
        return [int(step.row[0]) if step.codes is None else step.codes.tolist() for step in steps]


@pytest.mark.parametrize("speaker", [None, SPEAKER])
@pytest.mark.parametrize("live", [True, False])
def test_each_answer_is_the_one_the_plain_loop_gives_for_the_whole_conversation(
    speaker: Tensor | None, live: bool
) -> None:
    """Three turns, beside a stream that talks all the time and one whose prompt is long."""
    engine, whole = engine_of(num_positions=1024), Whole(speaker)
    noisy = engine.open(plan(text=WARM, audio=WARM, limits=Limits(None, 5)))
    say(engine, noisy, spoken(20, 7))
    engine.begin_answer(noisy)
    engine.open(plan(instruction="A long story. " * 12))
    stream = engine.open(plan(speaker=speaker))
    answers: list[Context] = []
    for seed in (1, 2, 4):
        say(engine, stream, spoken(17 + seed, seed), live=live)
        engine.begin_answer(stream)
        answers.append(run_until_finished(engine, stream).context)
        whole.hear(spoken(17 + seed, seed))
        assert answers[-1] == whole.answer()
        whole.tell(answers[-1])
    assert any(isinstance(entry, list) for answer in answers for entry in answer)
    assert len({str(answer) for answer in answers}) == 3


def test_a_neighbour_moves_nothing_bit_for_bit() -> None:
    """Not even one that hears and tells as long a conversation, and makes the other's prompt late."""

    def late_state(neighbours: int) -> tuple[Tensor, list[Context]]:
        engine, contexts = engine_of(num_positions=256, dropped_block=64), []
        warm = {"text": WARM, "audio": WARM, "limits": Limits(30, 5)}
        others = [engine.open(plan(seed=seed, **warm)) for seed in range(neighbours)]
        stream = engine.open(plan(seed=77, **warm))
        for turn in range(5):
            for number in (*others, stream):
                if engine.stream(number).answer is not None:
                    engine.interrupt(number)
                say(engine, number, spoken(35, seed=turn + number * (number != stream)))
                engine.begin_answer(number)
            contexts.append(run_until_finished(engine, stream).context)
        assert engine.stream(stream).dropped_positions > 0
        return engine.lockstep.hidden[engine.stream(stream).slot].clone(), contexts

    alone, beside = late_state(0), late_state(2)
    assert alone[1] == beside[1]
    assert torch.equal(alone[0], beside[0])


def test_the_front_end_in_pieces_is_the_front_end_of_the_whole_track() -> None:
    front_end = model().waveform
    assert front_end is not None
    track, mask = waveform_track([None, spoken(9, 1), None, spoken(30, 2)], [12, 9, 40, 30])
    whole = torch.nn.functional.group_norm(
        torch.nn.functional.conv1d(track[None, None], front_end.convs[0], stride=5), 12, *front_end.group_norm
    )
    mean, inverse_deviation = front_end.levels(track)
    first = torch.nn.functional.conv1d(track[None, None], front_end.convs[0], stride=5)
    scale, shift = (part[:, None] for part in front_end.group_norm)
    found = (first - mean[:, None]) * inverse_deviation[:, None] * scale + shift
    torch.testing.assert_close(found, whole, atol=1e-5, rtol=1e-5)
    pieces = [
        front_end(track[at * 640 : (at + 13) * 640 + 80], front_end.levels(track)) for at in range(0, len(mask), 13)
    ]
    torch.testing.assert_close(torch.cat(pieces), front_end(track), atol=1e-5, rtol=1e-5)


def test_a_talk_past_the_window_forgets_whole_turns_and_tells_the_rest_as_if_it_were_all() -> None:
    engine = engine_of(num_positions=256, dropped_block=64)
    stream = engine.open(plan(limits=Limits(8, 100)))
    answers: list[Context] = []
    for seed in range(9):
        say(engine, stream, spoken(30, seed))
        engine.begin_answer(stream)
        answers.append(run_until_finished(engine, stream).context)
    state = engine.stream(stream)
    assert state.dropped_positions > 100
    assert state.prompt_length < state.length <= 256
    told = []
    for first in range(1, 9):
        whole = Whole()
        for seed in range(first, 8):
            whole.hear(spoken(30, seed))
            whole.tell(answers[seed])
        whole.hear(spoken(30, 8))
        told.append(whole.answer(8))
    assert answers[8] in told


def test_of_a_turn_longer_than_the_window_the_beginning_is_forgotten() -> None:
    engine = engine_of(num_positions=256, dropped_block=64)
    stream = engine.open(plan(limits=Limits(8, 100)))
    say(engine, stream, spoken(300, 99))
    engine.begin_answer(stream)
    assert run_until_finished(engine, stream).context
    assert engine.stream(stream).dropped_positions > 44


def test_an_answer_cut_short_stays_in_the_conversation() -> None:
    """The first before its prompt was even computed, the second in the middle of its words."""
    engine, whole = engine_of(), Whole()
    stream = engine.open(plan(limits=Limits(None, 100)))
    say(engine, stream, spoken(12, 1))
    engine.begin_answer(stream)
    engine.interrupt(stream)
    whole.hear(spoken(12, 1))
    whole.tell([])
    engine.begin_answer(stream)
    said = run(engine, 6)[stream]
    assert said.frames and said.finished == ["interrupted"], "the first, told in the first tick"
    engine.interrupt(stream)
    whole.hear(None)
    whole.tell(said.context)
    say(engine, stream, spoken(6, 2))
    engine.begin_answer(stream)
    whole.hear(spoken(6, 2))
    assert run(engine, 20)[stream].context[:12] == whole.answer()[:12]


def test_written_words_are_answered_in_words() -> None:
    engine = engine_of()
    history = (PromptTurn("user", text="Who is there?"), PromptTurn("assistant", text="A fox."))
    stream = engine.open(plan(task=Task.TEXT_CHAT, history=history))
    engine.push_text(stream, "And who are you?")
    engine.begin_answer(stream)
    found = run_until_finished(engine, stream)
    assert found.context and not found.frames
    with pytest.raises(InvalidSpec, match="hears no audio"):
        engine.push_pcm(stream, spoken(1, 1))


def test_what_such_a_checkpoint_cannot_take_is_refused() -> None:
    engine = engine_of()
    for mode in ("duplex", "mouth", "ears"):
        with pytest.raises(InvalidSpec, match="waveform checkpoint"):
            engine.open(StreamPlan(mode))
    with pytest.raises(InvalidSpec, match="chat_tts"):
        engine.open(plan(task=Task.TTS))
    with pytest.raises(InvalidSpec, match="as codes"):
        engine.open(plan(history=(PromptTurn("user", codes=random_codes(4)),)))
    stream = engine.open(plan())
    with pytest.raises(InvalidSpec, match="not given codes"):
        engine.push_codes(stream, random_codes(4))
    with pytest.raises(InvalidSpec, match="640 finite samples"):
        engine.push_pcm(stream, torch.zeros(100))


def test_a_codec_of_other_frames_than_the_model_hears_is_refused(tmp_path: Path) -> None:
    codec = load_codec(write_codec(tmp_path, ratios=(8, 5, 4, 2)))
    with pytest.raises(InvalidSpec, match="640 samples of raw audio"):
        StepEngine(model(), checkpoints().tokenizer, codec, EngineSettings(num_slots=1, num_positions=512))
