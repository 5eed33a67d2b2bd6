"""How fast the step engine runs on this machine's CPU: prints JSON.

    .venv/bin/python -m scripts.bench_model [--precisions float32,int8] [--threads 2] [--batches 1,32] [--codec DIR]

The model is the baseline of the format's fact sheet: hidden 512, 8 layers, 8 heads, 4 key heads, MLP 1408, vocabulary
16,384, 4 codebooks of 2048, and the published audio transformer; random weights, arranged so that every position is a
frame. Prompt of 64 frames, the entry point's sampling. A tick is timed whole; per frame means what one tick takes
for all slots. Next to it, measured in the same minute: the calibration (forty float32 matrices 1408 x 1024, each with
one vector), and the floor - the frame's products alone, at the rate at which the same kernel takes those forty
matrices for the same number of rows. The reference takes 6.1 calibrations per frame of one stream with two threads,
5.4 with one. `agreement` is the share of greedy choices that stay those of float32 in the same context; random weights
have small margins, so trained ones lose less.
"""

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from inference.codec.encodec import EncodecCodec
from inference.engine.engine import StepEngine
from inference.engine.lockstep import Lockstep
from inference.engine.plans import EngineSettings, Limits, StreamPlan
from inference.engine.text_head import TextHead
from inference.models.config import AudioTransformerConfig, RopeConfig, VoilaConfig
from inference.models.linear import Linear
from inference.models.packed import Precision, pack, packed
from inference.models.tokenizer import CONTROL_TOKENS
from inference.models.voila import VoilaModel

FRAME_MS = 40.0
SHARE = 0.8
"""Of a frame's time that the p99 tick may take."""

REFERENCE_CALIBRATIONS = {1: 5.4, 2: 6.1}
MATRICES, ROWS, COLUMNS = 40, 1408, 1024
PROMPT_FRAMES, WARM_UP_TICKS, TIMED_TICKS = 64, 8, 48
AGREEMENT_FRAMES = 192
AUDIO_FIRST = 8192

CONFIG = VoilaConfig(
    vocab_size=16384,
    hidden_size=512,
    mlp_dim=1408,
    num_layers=8,
    num_heads=8,
    num_kv_heads=4,
    head_dim=64,
    norm_eps=1e-5,
    max_positions=4096,
    rope=RopeConfig(),
    tied_head=False,
    num_codebooks=4,
    codebook_size=2048,
    audio=AudioTransformerConfig(),
)


class RandomTensors:
    """In place of a folder: whatever is asked for, drawn small."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._generator = torch.Generator().manual_seed(1)

    def __contains__(self, name: str) -> bool:
        return name.endswith("wqkv.weight")

    def take(self, name: str, *shape: int) -> Tensor:
        if len(shape) == 1:
            return torch.ones(shape, dtype=self._dtype)
        return (torch.randn(shape, generator=self._generator) / shape[-1] ** 0.5).to(self._dtype)


class BareTokenizer:
    """Ids where the baseline's tokenizer has them, and no words."""

    def __init__(self) -> None:
        self.control = {token: 290 + place for place, token in enumerate(CONTROL_TOKENS)}
        self.eos_id, self.pad_id = 280, 281
        self.audio_first_id, self.audio_end_id = AUDIO_FIRST, AUDIO_FIRST + 4 * 2048
        self.num_codebooks, self.codebook_size, self.max_length = 4, 2048, None

    def encode(self, text: str) -> list[int]:
        return []

    def decode(self, ids: list[int]) -> str:
        return ""


def random_model(precision: Precision) -> VoilaModel:
    tensors: Any = RandomTensors(torch.bfloat16 if precision == "bfloat16" else torch.float32)
    return VoilaModel(CONFIG, tensors)


def build(precision: Precision) -> VoilaModel:
    """Every state leans one way, and only the row that asks for frames looks there."""
    model = random_model(precision)
    model.embeddings[:, 0] += 60.0
    model.text_head.weight[:, 0] = 0.0
    model.text_head.weight[BareTokenizer().control["<au_token>"], 0] = 10.0
    return model


def best_ms(work: Callable[[], object], repeats: int = 9) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1e3


@dataclass
class Yardsticks:
    """The forty matrices."""

    weights: list[Tensor] = field(default_factory=lambda: [torch.randn(ROWS, COLUMNS) / 32 for _ in range(MATRICES)])

    def calibration_ms(self) -> float:
        x = torch.randn(COLUMNS)
        return best_ms(lambda: [F.linear(x, weight) for weight in self.weights])

    def kernel_ms(self, precision: Precision, batch: int) -> float:
        """By the kernel the engine uses, for that many rows."""
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        products = [packed(Linear(weight.to(dtype)), precision, batch) for weight in self.weights]
        x = torch.randn(batch, COLUMNS).to(dtype)
        return best_ms(lambda: [product(x) for product in products])


def weights_per_frame(engine: StepEngine) -> tuple[int, int]:
    """Weights that one frame multiplies with, and their bytes."""
    model, count, size = engine.model, 0, 0
    frame = model.audio_transformer
    parts: list[tuple[Any, int]] = [(frame.input_proj, 1), (frame.head, CONFIG.num_codebooks)]
    parts += [(piece, 1) for piece in engine.lockstep.head.pieces]
    for layers, times in ((model.backbone.layers, 1), (frame.layers, CONFIG.num_codebooks)):
        parts += [(part, times) for layer in layers for part in (layer.qkv, layer.out, layer.gate_up, layer.down)]
    each = {"float32": 4, "bfloat16": 2, "int8": 1}[engine.settings.packed or "float32"]
    for part, times in parts:
        size += part.num_bytes * times
        count += part.num_bytes * times // each
    return count, size


@contextmanager
def stages(engine: StepEngine) -> Iterator[dict[str, list[float]]]:
    """Milliseconds of each call into the device side and the codec."""
    spent: dict[str, list[float]] = defaultdict(list)

    def timed(owner: Any, name: str, stage: str) -> None:
        original = getattr(owner, name)

        def measured(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = original(*arguments)
            spent[stage].append((time.perf_counter() - start) * 1e3)
            return result

        setattr(owner, name, measured)

    lockstep: Lockstep = engine.lockstep
    timed(lockstep, "feed", "backbone")
    timed(lockstep, "draw", "text_head_and_sampling")
    timed(lockstep, "frames", "audio_transformer")
    if engine.codec is not None:
        timed(engine.codec, "decode", "codec_decode")
    yield spent


@torch.inference_mode()
def greedy_choices(precision: Precision, codes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Text ids [L] and codes [L, K] over the same random frames; with `codes` those are fed, whatever is chosen."""
    model = random_model(precision)
    pack(model, precision, AGREEMENT_FRAMES)
    tokenizer: Any = BareTokenizer()
    head = TextHead(model, tokenizer, precision, AGREEMENT_FRAMES)
    generator = torch.Generator().manual_seed(5)
    rows = torch.randint(0, 2048, (AGREEMENT_FRAMES, 4), generator=generator) + torch.arange(4) * 2048 + AUDIO_FIRST
    hidden = model.prefill(model.embed(rows), model.backbone.new_cache(1, AGREEMENT_FRAMES), 0)
    chosen: list[Tensor] = []

    def choose(codebook: int, logits: Tensor) -> Tensor:
        chosen.append(logits.argmax(dim=-1))
        return chosen[-1] if codes is None else codes[:, codebook]

    model.audio_transformer.generate(hidden, choose)
    return head.logits(hidden).argmax(dim=-1), torch.stack(chosen, dim=1)


def agreement(precisions: list[Precision]) -> dict[str, dict[str, float]]:
    text, codes = greedy_choices("float32")
    found: dict[str, dict[str, float]] = {}
    for precision in precisions:
        other_text, other_codes = greedy_choices(precision, codes)
        found[precision] = {
            "text": float((other_text == text).float().mean()),
            "codes": float((other_codes == codes).float().mean()),
        }
    return found


def start_answers(engine: StepEngine, batch: int) -> None:
    generator = torch.Generator().manual_seed(3)
    for seed in range(batch):
        stream = engine.open(StreamPlan("turn", seed=seed, limits=Limits(None)))
        engine.push_codes(stream, torch.randint(0, 2048, (4, PROMPT_FRAMES), generator=generator))
        engine.begin_answer(stream)
    while not all(engine.ready(stream) and engine.stream(stream).answer for stream in engine.open_streams):
        engine.tick()
        if min(engine.stream(stream).length for stream in engine.open_streams) > PROMPT_FRAMES:
            break


def measure(
    precision: Precision, batch: int, yard: Yardsticks, codec: EncodecCodec | None, runs: int
) -> dict[str, Any]:
    settings = EngineSettings(num_slots=batch, num_positions=1024, packed=precision, prefill_per_tick=4096)
    tokenizer: Any = BareTokenizer()
    engine = StepEngine(build(precision), tokenizer, codec, settings)
    start_answers(engine, batch)
    ticks: list[float] = []
    with stages(engine) as spent:
        calibration, kernel = yard.calibration_ms(), yard.kernel_ms(precision, batch)
        for _ in range(WARM_UP_TICKS):
            engine.tick()
        spent.clear()
        for _ in range(runs * TIMED_TICKS):
            start = time.perf_counter()
            outputs = engine.tick()
            ticks.append((time.perf_counter() - start) * 1e3)
            assert all(output.codes is not None for output in outputs) and len(outputs) == batch
        calibration = min(calibration, yard.calibration_ms())
        kernel = min(kernel, yard.kernel_ms(precision, batch))
    count, size = weights_per_frame(engine)
    floor = kernel * count / (MATRICES * ROWS * COLUMNS)
    median, quickest = statistics.median(ticks), min(ticks)
    threads = torch.get_num_threads()
    return {
        "precision": precision,
        "threads": threads,
        "batch": batch,
        "tick_ms": {"min": quickest, "median": median, "p99": _p99(ticks)},
        "stage_ms_median": {stage: statistics.median(times) for stage, times in spent.items()},
        "stage_ms_min": {stage: min(times) for stage, times in spent.items()},
        "frames_per_s": batch * 1e3 / median,
        "calibration_ms": calibration,
        "calibrations_per_tick": {"min": quickest / calibration, "median": median / calibration},
        "times_the_reference": batch * REFERENCE_CALIBRATIONS.get(threads, 6.1) * calibration / median,
        "weights_per_frame": count,
        "weight_bytes_per_frame": size,
        "floor_ms": floor,
        "floor_at_calibration_rate_ms": calibration * size / (4 * MATRICES * ROWS * COLUMNS),
        "over_floor": {"min": quickest / floor, "median": median / floor},
    }


def _p99(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.99))]


def capacity(rows: list[dict[str, Any]]) -> dict[str, int]:
    """The largest batch whose p99 tick leaves room, by precision and threads; 0 when none does."""
    found: dict[str, int] = {}
    for row in rows:
        name = f"{row['precision']}, {row['threads']} threads"
        fits = row["tick_ms"]["p99"] < SHARE * FRAME_MS
        found[name] = max(found.get(name, 0), row["batch"] if fits else 0)
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(value, 2) if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precisions", default="float32,bfloat16,int8")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--batches", default="1,4,8,12,16,32")
    parser.add_argument("--codec", type=Path, help="a causal codec of 4 x 2048 codes to decode with")
    parser.add_argument("--runs", type=int, default=2, help=f"times {TIMED_TICKS} ticks")
    options = parser.parse_args()
    codec = EncodecCodec.load(options.codec) if options.codec else None
    yard, rows, precisions = Yardsticks(), [], options.precisions.split(",")
    for threads in map(int, options.threads.split(",")):
        torch.set_num_threads(threads)
        for precision in precisions:
            for batch in map(int, options.batches.split(",")):
                rows.append(measure(precision, batch, yard, codec, options.runs))
                print(precision, threads, batch, _rounded(rows[-1]["tick_ms"]), file=sys.stderr, flush=True)
    shares = agreement(precisions)
    result = {"torch": torch.__version__, "capacity": capacity(rows), "agreement": shares, "rows": rows}
    print(json.dumps(_rounded(result), indent=2))


if __name__ == "__main__":
    main()
