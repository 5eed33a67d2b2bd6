"""Driving a step engine in tests: what each stream gave, and what the plain loops give for the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from inference.codec.encodec import EncodecCodec
from inference.engine.engine import StepEngine
from inference.engine.plans import EngineSettings, Finish, Limits, StreamOutput, WordStart
from inference.models.generation import Chooser, GenerationSettings, Step, generate_duplex, generate_turn
from inference.models.prompts import PromptTurn, Task, prompt_rows
from inference.models.sampling import Sampling
from inference.models.tokenizer import VoilaTokenizer
from inference.models.voila import VoilaModel
from tests.inference.tiny_checkpoints import CODEBOOK_SIZE, CODEBOOKS, load_codec, load_model, write_codec, write_model

GREEDY = Sampling(0.2, 1)
WARM = Sampling(0.8, 20)
LONG_RUNS = Limits(max_new_positions=60, max_text_run=200)
"""The plain loops force no frames; with runs this long the engine forces none either."""


def small_settings(**changes: object) -> EngineSettings:
    values = {
        "num_slots": 4,
        "num_positions": 512,
        "dropped_block": 64,
        "prefill_chunk": 16,
        "prefill_per_tick": 32,
        "span_step": 64,
    }
    return EngineSettings(**(values | changes))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Checkpoints:
    tokenizer: VoilaTokenizer
    chat: VoilaModel
    duplex: VoilaModel
    writer: VoilaModel
    """Never asks for a frame: what a recogniser would be."""

    eager: VoilaModel
    """Asks for frames only."""

    narrow: VoilaModel
    """`chat` in bfloat16."""

    codec: EncodecCodec

    def engine(self, model: VoilaModel | None = None, *, codec: bool = False, **changes: object) -> StepEngine:
        return StepEngine(model or self.chat, self.tokenizer, self.codec if codec else None, small_settings(**changes))


@cache
def checkpoints() -> Checkpoints:
    """Written, loaded and deleted once per test run."""
    # Models this small lose more to the start of a second thread than they gain.
    torch.set_num_threads(1)
    with TemporaryDirectory() as name:
        folder = Path(name)
        chat, tokenizer = load_model(write_model(folder / "chat"))
        duplex, _ = load_model(write_model(folder / "duplex", autonomous=True, seed=7))
        writer, _ = load_model(write_model(folder / "writer", frame_pull=0.0, seed=3))
        eager, _ = load_model(write_model(folder / "eager", frame_pull=0.0))
        # Every vector leans the same way, and only the row that asks for frames looks there.
        eager.embeddings[:, 0] += 40.0
        eager.text_head.weight.zero_()[tokenizer.control["<au_token>"], 0] = 10.0
        narrow, _ = load_model(folder / "chat", "bfloat16")
        return Checkpoints(tokenizer, chat, duplex, writer, eager, narrow, load_codec(write_codec(folder / "codec")))


@dataclass(slots=True)
class Record:
    """Everything one stream gave."""

    context: list[int | list[int]] = field(default_factory=list)
    """Token ids and frames (lists of codes), in the order of the context, tick by tick."""

    pcm: list[Tensor] = field(default_factory=list)
    text: str = ""
    words: list[WordStart] = field(default_factory=list)
    finished: list[Finish] = field(default_factory=list)
    ticks_with_output: list[int] = field(default_factory=list)

    def add(self, output: StreamOutput, tick: int) -> None:
        self.context += output.token_ids
        if output.codes is not None:
            self.context.append(output.codes.tolist())
        if output.pcm is not None:
            self.pcm.append(output.pcm)
        self.text += output.text
        self.words += output.words
        self.finished += [output.finished] if output.finished else []
        self.ticks_with_output.append(tick)

    @property
    def frames(self) -> list[list[int]]:
        return [entry for entry in self.context if isinstance(entry, list)]


def run(engine: StepEngine, num_ticks: int, between: Callable[[int], None] = lambda tick: None) -> dict[int, Record]:
    """Ticks, with something done before each."""
    records: dict[int, Record] = {}
    for tick in range(num_ticks):
        between(tick)
        for output in engine.tick():
            records.setdefault(output.stream, Record()).add(output, tick)
    return records


def run_until_finished(engine: StepEngine, stream: int, most: int = 400) -> Record:
    record = Record()
    for tick in range(most):
        for output in engine.tick():
            if output.stream == stream:
                record.add(output, tick)
        if record.finished:
            return record
    raise AssertionError(f"not finished within {most} ticks: {record.context}")


def random_codes(num_frames: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, CODEBOOK_SIZE, (CODEBOOKS, num_frames), generator=generator)


def whole_turn(
    model: VoilaModel,
    tokenizer: VoilaTokenizer,
    task: Task,
    instruction: str,
    turns: list[PromptTurn],
    speaker: Tensor | None = None,
    most: int = 60,
) -> list[int | list[int]]:
    """The plain loop's greedy answer, as `Record.context` writes it."""
    rows = prompt_rows(task, instruction, [*turns, PromptTurn("assistant")], tokenizer)
    chooser = Chooser(model, tokenizer, GenerationSettings(most, GREEDY, GREEDY))
    cache = model.backbone.new_cache(1, len(rows) + most)
    return _written(generate_turn(chooser, model.embed_prompt(rows, speaker), cache))


def whole_duplex(
    model: VoilaModel, tokenizer: VoilaTokenizer, instruction: str, user: Tensor, most: int
) -> list[int | list[int]]:
    rows = prompt_rows(Task.DUPLEX, instruction, [], tokenizer).repeat(1, 2)
    chooser = Chooser(model, tokenizer, GenerationSettings(most, GREEDY, GREEDY))
    cache = model.backbone.new_cache(1, len(rows) + most)
    return _written(generate_duplex(chooser, model.embed_prompt(rows), iter(user.T), cache))


def _written(steps: Iterator[Step]) -> list[int | list[int]]:
    with torch.inference_mode():
        return [int(step.row[0]) if step.codes is None else step.codes.tolist() for step in steps]
