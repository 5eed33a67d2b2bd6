"""Compares this implementation with a folder of golden vectors of the reference, file by file.

Shapes, dimensions and ids come only from the folder. Prints JSON with one row per check and exits 1 on a miss.
Tolerances are those the vectors' own README states.
"""

import argparse
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from inference.checkpoints.errors import CheckpointError
from inference.codec.encodec import EncodecCodec
from inference.models.audio_transformer import AudioTransformer
from inference.models.config import AudioTransformerConfig, VoilaConfig
from inference.models.generation import Chooser, GenerationSettings, Step, generate_duplex, generate_turn
from inference.models.prompts import PromptTurn, Task, prompt_rows
from inference.models.sampling import Sampling, distribution
from inference.models.tokenizer import VoilaTokenizer
from inference.models.voila import VoilaModel
from inference.models.waveform import waveform_track

HIDDEN = (1e-4, 1e-4)
LOGITS = (1e-3, 1e-4)
WAVES = (1e-4, 0.0)
PROBABILITIES = (1e-6, 0.0)
GREEDY = Sampling(0.2, 1)


@dataclass(slots=True)
class Check:
    name: str
    passed: bool
    deviation: float = 0.0
    """Largest absolute difference, or the number of differing integers."""

    note: str = ""


def close(name: str, found: Tensor, wanted: Tensor, tolerance: tuple[float, float]) -> Check:
    if found.shape != wanted.shape:
        return Check(name, False, float("nan"), f"shape {list(found.shape)}, wanted {list(wanted.shape)}")
    absolute, relative = tolerance
    difference = (found.double() - wanted.double()).abs()
    deviation = float(difference.max()) if difference.numel() else 0.0
    return Check(name, bool((difference <= absolute + relative * wanted.double().abs()).all()), deviation)


def equal(name: str, found: Any, wanted: Any) -> Check:
    found, wanted = torch.as_tensor(found), torch.as_tensor(wanted)
    if found.shape != wanted.shape:
        return Check(name, False, float("nan"), f"shape {list(found.shape)}, wanted {list(wanted.shape)}")
    return Check(name, bool((found == wanted).all()), float((found != wanted).sum()))


@dataclass
class Vectors:
    """The folder, read as it is needed."""

    folder: Path
    _models: dict[str, VoilaModel] = field(default_factory=dict)
    _codecs: dict[str, EncodecCodec] = field(default_factory=dict)

    def tensors(self, name: str) -> dict[str, Tensor]:
        return load_file(self.folder / f"{name}.safetensors")

    def read(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))

    @cached_property
    def prompts(self) -> dict[str, Any]:
        data: dict[str, Any] = self.read("prompts")
        return data

    @cached_property
    def cases(self) -> dict[str, dict[str, Any]]:
        return {case["name"]: case for case in self.prompts["cases"]}

    @cached_property
    def waves(self) -> dict[str, Tensor]:
        return {name: wave.flatten() for name, wave in self.tensors("waves").items()}

    @cached_property
    def prefill(self) -> dict[str, Tensor]:
        return self.tensors("prefill")

    @cached_property
    def tracks(self) -> dict[str, Tensor]:
        return self.tensors("prompts_audio")

    @cached_property
    def tokenizer(self) -> VoilaTokenizer:
        facts = self.prompts["tokenizer"]
        return VoilaTokenizer(self.folder / "tokenizer", facts["num_codebooks"], facts["codebook_size"])

    @cached_property
    def prompt_codec(self) -> EncodecCodec:
        """The codec that every prompt's audio went through."""
        return self.codec(self.read("end_to_end")["settings"]["codec"])

    def model(self, name: str) -> VoilaModel:
        if name not in self._models:
            self._models[name] = VoilaModel.load(self.folder / "models" / name)
        return self._models[name]

    def codec(self, name: str) -> EncodecCodec:
        if name not in self._codecs:
            self._codecs[name] = EncodecCodec.load(self.folder / "codec" / name)
        return self._codecs[name]

    def codes(self, wave: str) -> Tensor:
        """Codes [K, T] of a named wave."""
        return self.prompt_codec.encode_whole(self.waves[wave][None])[0]

    def turns(self, case: dict[str, Any]) -> list[PromptTurn]:
        return [
            PromptTurn(turn["from"], turn.get("text"), self.codes(turn["audio"]) if "audio" in turn else None)
            for turn in case["conversations"]
        ]

    def rows(self, case: dict[str, Any]) -> Tensor:
        """The expected prompt as rows [L, columns]."""
        expected = case["expected"]
        if "channel_ids" in expected:
            return torch.cat([torch.tensor(channel) for channel in expected["channel_ids"]]).T.contiguous()
        return torch.tensor(expected["input_ids"]).T.contiguous()

    def embedded(self, model: VoilaModel, prompt: str, speaker: str | None) -> Tensor:
        case = self.cases[prompt]
        raw = None
        if model.waveform is not None:
            mask = torch.tensor(case["expected"]["audio_data_mask"]).float()
            raw = model.waveform(self.tracks[f"{prompt}.audio_data"]) * mask[:, None]
        return model.embed_prompt(self.rows(case), self.prefill[speaker] if speaker else None, raw)


def check_tokenizer(vectors: Vectors) -> Iterator[Check]:
    tokenizer, facts = vectors.tokenizer, vectors.prompts["tokenizer"]
    special = {token: vectors.tokenizer.control.get(token) for token in vectors.tokenizer.control}
    yield equal("tokenizer.control", list(special.values()), [facts["special_ids"][token] for token in special])
    found = [tokenizer.audio_first_id, tokenizer.audio_end_id - 1, tokenizer.eos_id, tokenizer.pad_id]
    wanted = ["audio_token_first_id", "audio_token_last_id", "eos_token_id", "pad_token_id"]
    yield equal("tokenizer.ids", found, [facts[name] for name in wanted])
    for number, check in enumerate(vectors.prompts["tokenizer_checks"]):
        yield equal(f"tokenizer.text.{number}", tokenizer.encode_with_control(check["text"]), check["ids"])


def check_prompts(vectors: Vectors) -> Iterator[Check]:
    for case in vectors.prompts["cases"]:
        name, wanted = f"prompts.{case['name']}", vectors.rows(case)
        if case["input_type"] == "audio":
            yield from _check_waveform_prompt(vectors, case)
            continue
        task = Task(case["task_type"])
        rows = prompt_rows(task, case["instruction"], vectors.turns(case), vectors.tokenizer)
        if case["input_type"] == "autonomous":
            yield equal(name, rows.repeat(1, 2), wanted)
            stream = vectors.codes(case["conversations"][0]["audio"])
            offsets = torch.arange(len(stream))[:, None] * vectors.tokenizer.codebook_size
            ids = stream + offsets + vectors.tokenizer.audio_first_id
            yield equal(f"{name}.user_stream", ids, case["expected"]["user_stream_ids"])
        else:
            # The reference cuts from the right; ours drops turns. The cut is applied here only to compare.
            yield equal(name, rows[: vectors.tokenizer.max_length], wanted)


def _check_waveform_prompt(vectors: Vectors, case: dict[str, Any]) -> Iterator[Check]:
    """Ids and raw-audio track of a prompt whose audio stays a waveform."""
    tokenizer, name = vectors.tokenizer, f"prompts.{case['name']}"
    placeholder = tokenizer.control["<au_token>"]
    pieces: list[list[int]] = []
    sounds: list[Tensor | None] = []
    task = Task(case["task_type"])
    head = prompt_rows(task, case["instruction"], [], tokenizer)[:, 0].tolist()
    pieces.append(head)
    sounds.append(None)
    for turn in case["conversations"]:
        mine = turn["from"] == "assistant"
        pieces.append([tokenizer.control["<|VOILA|>" if mine else "<|HUMAN|>"]])
        sounds.append(None)
        if "audio" in turn:
            wave = vectors.waves[turn["audio"]]
            pieces.append([placeholder] * (len(wave) // vectors.prompt_codec.samples_per_frame))
            sounds.append(wave)
        elif "text" in turn:
            pieces.append(tokenizer.encode(turn["text"].strip()))
            sounds.append(None)
        if mine and ("audio" in turn or "text" in turn):
            pieces.append([tokenizer.eos_id])
            sounds.append(None)
    track, mask = waveform_track(sounds, [len(piece) for piece in pieces])
    expected = case["expected"]
    yield equal(name, [token for piece in pieces for token in piece], expected["input_ids"][0])
    yield equal(f"{name}.mask", mask, torch.tensor(expected["audio_data_mask"]).float())
    yield close(f"{name}.track", track, vectors.tracks[f"{case['name']}.audio_data"].flatten(), WAVES)


def check_prefill(vectors: Vectors) -> Iterator[Check]:
    stored = vectors.prefill
    for key, info in vectors.read("prefill").items():
        if "same_as" in info:
            # A zero mask removes the speaker altogether: the prompt without one is what must come out.
            continue
        model = vectors.model(info["model"])
        x = vectors.embedded(model, info["prompt"], info["speaker_embedding"])
        hidden = model.prefill(x, model.backbone.new_cache(2, len(x)), 1)
        yield close(f"prefill.{key}.hidden", hidden, stored[f"{key}.last_hidden_state"], HIDDEN)
        yield close(f"prefill.{key}.logits", model.text_logits(hidden[-1]), stored[f"{key}.logits_last"], LOGITS)
        values = model.text_logits(hidden).gather(1, stored[f"{key}.top4_ids"].long())
        yield close(f"prefill.{key}.top4", values, stored[f"{key}.top4_values"], LOGITS)
        if f"{key}.predictor" in stored:
            yield close(f"prefill.{key}.predictor", model.speaks(hidden), stored[f"{key}.predictor"], LOGITS)
    for key, wanted in stored.items():
        if key.endswith(".audio_embeds_unmasked"):
            name, prompt, _ = key.split(".")
            front_end = vectors.model(name).waveform
            assert front_end is not None
            yield close(f"prefill.{key}", front_end(vectors.tracks[f"{prompt}.audio_data"].flatten()), wanted, HIDDEN)


def _frame(transformer: AudioTransformer, hidden: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Codes [B, K] and logits [B, K, V], greedy or with labels [B, K] fed back."""
    seen: list[Tensor] = []

    def choose(codebook: int, logits: Tensor) -> Tensor:
        seen.append(logits)
        return logits.argmax(-1) if labels is None else labels[:, codebook].long()

    codes = transformer.generate(hidden.float(), choose)
    return codes, torch.stack(seen, dim=1)


def check_audio_transformer(vectors: Vectors) -> Iterator[Check]:
    stored = vectors.tensors("audio_transformer")
    for name in vectors.read("audio_transformer"):
        transformer = vectors.model(name).audio_transformer
        codes, logits = _frame(transformer, stored[f"{name}.hidden"])
        yield equal(f"audio_transformer.{name}.codes", codes, stored[f"{name}.greedy_codes"])
        yield close(f"audio_transformer.{name}.logits", logits, stored[f"{name}.greedy_logits"], LOGITS)
        _, logits = _frame(transformer, stored[f"{name}.hidden"], stored[f"{name}.labels"])
        yield close(f"audio_transformer.{name}.forced", logits, stored[f"{name}.teacher_forced_logits"], LOGITS)


def recipe(salt: str, name: str, shape: list[int], kind: str, scale: float) -> Tensor:
    """A tensor that is computed instead of stored (the vectors' README, `audio_transformer_published`)."""
    count = int(np.prod(shape))
    x = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(zlib.crc32(f"{salt}:{name}".encode()))
    x ^= x >> np.uint32(16)
    x *= np.uint32(2246822519)
    x ^= x >> np.uint32(13)
    x *= np.uint32(3266489917)
    x ^= x >> np.uint32(16)
    u = x.astype(np.float64) / 2**31 - 1
    value = u * scale if kind == "uniform" else 1 + u * scale
    return torch.from_numpy(value.astype(np.float32)).view(shape)


class _Recipe:
    """Stands where a checkpoint's tensors would, for weights given as a recipe."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self._salt = facts["salt"]
        self._entries = {entry["name"]: entry for entry in facts["tensors"]}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def take(self, name: str, *_shape: int) -> Tensor:
        entry = self._entries[name]
        return recipe(self._salt, name, entry["shape"], entry["kind"], entry["scale"])


def check_published_dimensions(vectors: Vectors) -> Iterator[Check]:
    facts, stored = vectors.read("audio_transformer_published"), vectors.tensors("audio_transformer_published")
    for entry in facts["tensors"][:4]:
        made = recipe(facts["salt"], entry["name"], entry["shape"], entry["kind"], entry["scale"]).flatten()
        yield close(f"published.{entry['name']}", made[:4], torch.tensor(entry["first4"]), (1e-7, 1e-7))
    dims = facts["dims"]
    some = vectors.model(next(iter(vectors.read("audio_transformer")))).config
    config = VoilaConfig(
        **{name: getattr(some, name) for name in VoilaConfig.__dataclass_fields__}
        | {
            "hidden_size": facts["hidden_size"],
            "num_codebooks": dims["num_codebooks"],
            "codebook_size": dims["codebook_size"],
            "audio": AudioTransformerConfig(),
        }
    )
    transformer = AudioTransformer(config, _Recipe(facts))  # type: ignore[arg-type]
    hidden = facts["hidden"]
    x = recipe(facts["salt"], hidden["name"], hidden["shape"], hidden["kind"], hidden["scale"])
    codes, logits = _frame(transformer, x)
    yield equal("published.codes", codes, stored["greedy_codes"])
    yield close("published.logits", logits, stored["greedy_logits"], LOGITS)


def _steps_agree(key: str, steps: list[Step], stored: dict[str, Tensor], model: VoilaModel) -> Iterator[Check]:
    hidden = torch.stack([step.hidden for step in steps])
    count = len(steps)
    yield close(f"{key}.hidden", hidden, stored[f"{key}.step_hidden"][:count], HIDDEN)
    logits = torch.stack([step.text_logits for step in steps])
    values = logits.gather(1, stored[f"{key}.step_text_top6_ids"][:count].long())
    yield close(f"{key}.logits", values, stored[f"{key}.step_text_top6_logits"][:count], LOGITS)
    codes, _ = _frame(model.audio_transformer, hidden)
    yield equal(f"{key}.codes", codes, stored[f"{key}.step_codes"][:count])
    if f"{key}.step_predictor" in stored:
        yield close(f"{key}.predictor", model.speaks(hidden), stored[f"{key}.step_predictor"][:count], LOGITS)


def check_turns(vectors: Vectors) -> Iterator[Check]:
    stored = vectors.tensors("generate")
    for case in vectors.read("generate")["cases"]:
        model, key = vectors.model(case["model"]), f"generate.{case['key']}"
        steps = list(_turn(vectors, model, case))
        yield equal(f"{key}.ids", torch.stack([step.row for step in steps]), case["output_ids"])
        stopped = "eos" if steps[-1].kind == "eos" else "max_new_tokens"
        yield Check(f"{key}.stop", stopped == case["stop_reason"], note=stopped)
        text = [int(step.row[0]) for step in steps if step.kind == "text"]
        yield Check(f"{key}.text", vectors.tokenizer.decode(text) == case["text"])
        for check in _steps_agree(case["key"], steps, stored, model):
            check.name = f"generate.{check.name}"
            yield check


def _turn(vectors: Vectors, model: VoilaModel, case: dict[str, Any]) -> Iterator[Step]:
    x = vectors.embedded(model, case["prompt"], case["speaker_embedding"])
    settings = GenerationSettings(case["max_new_tokens"], GREEDY, GREEDY)
    cache = model.backbone.new_cache(1, len(x) + case["max_new_tokens"])
    return generate_turn(Chooser(model, vectors.tokenizer, settings), x, cache)


def _duplex(vectors: Vectors, model: VoilaModel, case: dict[str, Any], user: Tensor) -> Iterator[Step]:
    """`user` are codes [T, K]."""
    x = vectors.embedded(model, case["prompt"], case["speaker_embedding"])
    settings = GenerationSettings(case["max_new_tokens"], GREEDY, GREEDY)
    cache = model.backbone.new_cache(1, len(x) + case["max_new_tokens"])
    return generate_duplex(Chooser(model, vectors.tokenizer, settings), x, iter(user), cache)


def check_duplex(vectors: Vectors) -> Iterator[Check]:
    stored, tokenizer = vectors.tensors("autonomous"), vectors.tokenizer
    for case in vectors.read("autonomous")["cases"]:
        model, key = vectors.model("autonomous"), f"duplex.{case['key']}"
        assert model.predictor is not None
        bias = model.predictor.bias
        if case["predictor_bias_override"] is not None:
            model.predictor.bias = torch.tensor(case["predictor_bias_override"])
        ids = torch.tensor(case["user_stream_ids"]).T
        user = (ids - tokenizer.audio_first_id) % tokenizer.codebook_size
        steps = list(_duplex(vectors, model, case, user))
        yield equal(f"{key}.ids", torch.stack([step.row for step in steps]), case["output_ids"])
        consumed = sum(step.kind == "frame" for step in steps)
        yield equal(f"{key}.user_frames", consumed, case["user_frames_consumed"])
        own = torch.stack([step.codes for step in steps if step.codes is not None], dim=1)
        yield equal(f"{key}.model_codes", own, case["model_audio_codes"])
        for check in _steps_agree(case["key"], steps, stored, model):
            check.name = f"duplex.{check.name}"
            yield check
        model.predictor.bias = bias


def check_sampling(vectors: Vectors) -> Iterator[Check]:
    stored = vectors.tensors("sampling")
    for setting in vectors.read("sampling"):
        name = setting["name"]
        pairs = [("text", Sampling(setting["temperature"], setting["top_k"]))]
        if "audio_temperature" in setting:
            pairs.append(("code", Sampling(setting["audio_temperature"], setting["audio_top_k"])))
        for kind, sampling in pairs:
            infix = f"{kind}_" if f"{name}.{kind}_logits" in stored else ""
            found = distribution(stored[f"{name}.{infix}logits"], sampling)
            wanted = stored[f"{name}.{infix}probs"]
            check = close(f"sampling.{name}.{kind}", found, wanted, PROBABILITIES)
            check.passed = check.passed and bool(((found == 0) == (wanted == 0)).all())
            yield check


def check_codecs(vectors: Vectors) -> Iterator[Check]:
    stored, facts = vectors.tensors("codec_vectors"), vectors.read("codec_vectors")
    for name, about in facts["codecs"].items():
        codec = vectors.codec(name)
        for wave in about["waves"]:
            key, pcm = f"{name}.{wave}", vectors.waves[wave][None]
            codes = codec.encode_whole(pcm)
            yield equal(f"codec.{key}.codes", codes[0], stored[f"{key}.codes"])
            yield close(f"codec.{key}.latents", codec.latents(pcm)[0], stored[f"{key}.latents"], HIDDEN)
            yield close(f"codec.{key}.quantized", codec.quantizer.decode(codes)[0], stored[f"{key}.quantized"], HIDDEN)
            decoded = codec.decode_whole(codes)[0]
            yield close(f"codec.{key}.decoded", decoded, stored[f"{key}.decoded"].flatten(), WAVES)
            if codec.causal:
                yield from _check_streaming(f"codec.{key}.streamed", codec, pcm, codes, decoded)
        random = stored[f"{name}.random.codes"].long()
        decoded = codec.decode_whole(random[None])[0]
        yield close(f"codec.{name}.random", decoded, stored[f"{name}.random.decoded"].flatten(), WAVES)


def _check_streaming(name: str, codec: EncodecCodec, pcm: Tensor, codes: Tensor, decoded: Tensor) -> Iterator[Check]:
    """Frame by frame against the whole; a partial last frame is left out, as only the whole file knows its padding."""
    step, first, frames = codec.samples_per_frame, codec.first_piece_frames, pcm.shape[-1] // codec.samples_per_frame
    if frames < first:
        return
    state = codec.encoder_state(1)
    pieces = [codec.encode(pcm[:, : first * step], state, first=True)]
    pieces += [codec.encode(pcm[:, at * step : (at + 1) * step], state) for at in range(first, frames)]
    yield equal(f"{name}.codes", torch.cat(pieces, dim=-1), codes[..., :frames])
    state = codec.decoder_state(1)
    sounds = [codec.decode(codes[..., :first], state, first=True)]
    sounds += [codec.decode(codes[..., at : at + 1], state) for at in range(first, codes.shape[-1])]
    yield close(f"{name}.decoded", torch.cat(sounds, dim=-1)[0], decoded, WAVES)


def check_end_to_end(vectors: Vectors) -> Iterator[Check]:
    stored = vectors.tensors("end_to_end")
    for case in vectors.read("end_to_end")["cases"]:
        model, key = vectors.model(case["model"]), f"end_to_end.{case['key']}"
        if case["task_type"] == Task.DUPLEX:
            user = vectors.codes(vectors.cases[case["prompt"]]["conversations"][0]["audio"]).T
            steps = list(_duplex(vectors, model, case, user))
        else:
            steps = list(_turn(vectors, model, case))
        yield equal(f"{key}.ids", torch.stack([step.row for step in steps]), case["new_ids"])
        text = [int(step.row[0]) for step in steps if step.kind in ("text", "marker")]
        yield Check(f"{key}.text", vectors.tokenizer.decode(text) == case["text"])
        if case["has_audio"]:
            codes = torch.stack([step.codes for step in steps if step.codes is not None], dim=1)
            wave = vectors.prompt_codec.decode_whole(codes[None])[0]
            yield close(f"{key}.wave", wave, stored[f"{case['key']}.wave"].flatten(), WAVES)


CHECKS: list[Callable[[Vectors], Iterator[Check]]] = [
    check_tokenizer,
    check_prompts,
    check_codecs,
    check_prefill,
    check_audio_transformer,
    check_published_dimensions,
    check_turns,
    check_duplex,
    check_sampling,
    check_end_to_end,
]


def verify(folder: Path) -> list[Check]:
    vectors = Vectors(folder)
    rows: list[Check] = []
    with torch.inference_mode():
        for check in CHECKS:
            try:
                rows += check(vectors)
            except (CheckpointError, KeyError, FileNotFoundError) as error:
                rows.append(Check(check.__name__, False, note=f"{type(error).__name__}: {error}"))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="print every row, not only the misses")
    options = parser.parse_args()
    rows = verify(options.folder)
    missed = [row for row in rows if not row.passed]
    shown = rows if options.all else missed
    report = {
        "folder": options.folder.name,
        "checks": len(rows),
        "missed": len(missed),
        "rows": [{"name": r.name, "passed": r.passed, "deviation": r.deviation, "note": r.note} for r in shown],
    }
    print(json.dumps(report, indent=2))
    return 1 if missed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
