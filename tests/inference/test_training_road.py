"""The road from teachers to a checkpoint that speaks, walked with networks small enough for a minute."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from inference.checkpoints.errors import CheckpointMissing
from inference.codec.source_filter.codec import SourceFilterCodec
from inference.codec.source_filter.grid import SUBFRAMES
from inference.engine.engine import StepEngine
from inference.engine.plans import Limits, StreamPlan
from inference.models.config import SPEAKER_DIM
from inference.models.prompts import Task, head_rows
from inference.models.sampling import Sampling
from inference.models.tokenizer import VoilaTokenizer
from inference.models.voila import VoilaModel
from inference.pronunciation.items import phrase_items, pieces
from inference.pronunciation.pronouncer import Pronouncer
from inference.training.corpus import HELD_OUT, TEACHERS, CorpusMissing, Utterance, load_all, make
from inference.training.dataset import END, FRAME, IGNORED, TEXT, Examples
from inference.training.export import export_codec, export_model
from inference.training.festival import speak_all
from inference.training.flite import FliteVoice
from inference.training.phone_tokens import text_choices, write_tokenizer
from inference.training.sentences import pattern_sentence
from inference.training.speaker_pool import SpeakerPool
from inference.training.teaching import SpokenSentence, TeacherMissing
from inference.training.train_codec import CodecShape, CodecTraining
from inference.training.train_model import ModelTraining
from inference.training.variation import FLOOR, Manner, Speaker, said_by
from inference.training.voila_network import Shape, VoilaNetwork
from inference.worker.speaker_book import SpeakerBook
from tests.inference.engine_calls import Record, run, run_until_finished, small_settings

VOICES = ("rms", "slt")
SENTENCES = HELD_OUT + 4
CODEC_STEPS, MODEL_STEPS = 150, 60
CODEC_SHAPE = CodecShape(width=64, latent=24, codebook_size=128)
SHAPE = Shape(0, hidden=64, layers=2, heads=2, mlp=128, audio_dim=48, audio_layers=1, audio_heads=2, audio_mlp=96)
ENDLESS_S = 1e6


@dataclass(slots=True)
class Road:
    work: Path
    codec: SourceFilterCodec
    untrained: dict[str, float]
    trained: dict[str, float]
    checkpoint: Path
    """Made of the model."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder where two teachers have spoken."""
    torch.set_num_threads(1)
    work, draw = tmp_path_factory.mktemp("road"), random.Random(5)
    try:
        for plan in (plan for plan in TEACHERS if plan.name in VOICES):
            make(plan, [pattern_sentence(draw) for _ in range(SENTENCES)], work / "corpus" / plan.name)
    except TeacherMissing as error:
        pytest.skip(str(error))
    return work


@pytest.fixture(scope="module")
def road(corpus: Path) -> Road:
    """All stages, one after the other."""
    torch.manual_seed(1)
    said = load_all(corpus)
    CodecTraining(_training_part(said), corpus / "codec", CODEC_STEPS, 4, 1, CODEC_SHAPE).run()
    export_codec(corpus, corpus / "codec" / "checkpoint")
    training = _model_training(said, corpus)
    untrained = training.held_out()
    training.run(MODEL_STEPS)
    export_model(corpus / "model" / "last.pt", corpus / "checkpoint")
    codec = SourceFilterCodec.load(corpus / "codec" / "checkpoint")
    return Road(corpus, codec, untrained, training.held_out(), corpus / "checkpoint")


def _training_part(said: dict[str, list[Utterance]]) -> dict[str, list[Utterance]]:
    return {name: utterances[HELD_OUT:] for name, utterances in said.items()}


def _model_training(said: dict[str, list[Utterance]], work: Path) -> ModelTraining:
    return ModelTraining(said, work, ENDLESS_S, batch=4, seed=1, shape=SHAPE)


def _tokenizer(folder: Path) -> VoilaTokenizer:
    return VoilaTokenizer(folder, CODEC_SHAPE.envelope_books + 1, CODEC_SHAPE.codebook_size)


# --- teachers and corpus ---


def test_the_corpus_keeps_every_sentence_with_its_phones_in_time(corpus: Path) -> None:
    said = load_all(corpus)
    assert set(said) == set(VOICES)
    for utterances in said.values():
        assert len(utterances) == SENTENCES
        for utterance in utterances:
            assert len(utterance.phones) == len(utterance.ends)
            assert bool((np.diff(utterance.ends) >= 0).all())
            assert abs(int(utterance.ends[-1]) - len(utterance.f0_hz)) < 30
            assert sum(name.startswith("|") for name in utterance.phones) >= len(utterance.text.split())
            assert 0.2 < float((utterance.f0_hz > 0).mean()) < 0.9


def test_what_is_spoken_already_is_not_spoken_again(corpus: Path) -> None:
    plan = next(plan for plan in TEACHERS if plan.name == VOICES[0])
    folder = corpus / "corpus" / plan.name
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    make(plan, ["Something else."] * SENTENCES, folder)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_without_a_corpus_the_message_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(CorpusMissing, match=r"python -m inference\.training\.corpus"):
        load_all(tmp_path)


def test_a_voice_that_is_not_installed_is_named(corpus: Path) -> None:
    with pytest.raises(TeacherMissing, match="nobody"):
        FliteVoice("nobody").speak("Hello.")


@pytest.mark.parametrize("voice", ["cmu_us_slt_arctic_hts", "ked_diphone"])
def test_festival_says_when_each_phone_was(voice: str) -> None:
    texts = ["Good morning, Anna.", "The red door is open."]
    try:
        spoken: list[SpokenSentence] = list(speak_all(voice, texts))
    except TeacherMissing as error:
        pytest.skip(str(error))
    assert [sentence.text for sentence in spoken] == texts
    for sentence, words in zip(spoken, (3, 5), strict=True):
        starts = [phone.start_s for phone in sentence.phones]
        assert starts == sorted(starts)
        assert sum(phone.begins_word for phone in sentence.phones) == words
        assert sentence.phones[-1].end_s == pytest.approx(len(sentence.pcm) / sentence.sample_rate_hz, abs=0.3)
        assert float(np.abs(sentence.pcm).max()) > 0.05


# --- variations ---


def test_a_speaker_and_a_manner_move_what_they_say_they_move(corpus: Path) -> None:
    one = load_all(corpus)["rms"][0]
    moved = said_by(one, Speaker("rms", pitch_semitones=5.0), Manner(rate=1.25))
    assert len(moved.f0_hz) == pytest.approx(len(one.f0_hz) / 1.25, abs=1)
    medians = [float(np.median(u.f0_hz[u.f0_hz > 0].astype(np.float32))) for u in (one, moved)]
    assert 12 * np.log2(medians[1] / medians[0]) == pytest.approx(5.0, abs=0.4)
    assert int(moved.ends[-1]) == pytest.approx(int(one.ends[-1]) / 1.25, abs=2)
    whispered = said_by(one, Speaker("rms"), Manner(whispered=True))
    assert not whispered.f0_hz.any()
    same = said_by(one, Speaker("rms"), Manner())
    assert np.array_equal(same.f0_hz, one.f0_hz)


# --- the codec ---


def test_the_codec_knows_speech_it_was_not_taught_better_than_its_mean(road: Road) -> None:
    utterance = load_all(road.work)["slt"][0]
    frames = len(utterance.f0_hz) // SUBFRAMES
    envelope = torch.from_numpy(utterance.envelope[: frames * SUBFRAMES].astype(np.float32)).clamp(min=FLOOR)
    f0 = torch.from_numpy(utterance.f0_hz[: frames * SUBFRAMES].astype(np.float32)).view(1, frames, SUBFRAMES)
    codes = road.codec.encode_features(envelope.view(1, frames, SUBFRAMES, -1), f0)
    made, made_f0 = road.codec.decode_features(codes)
    error = (made.view(envelope.shape) - envelope).square().mean()
    spread = (envelope - road.codec.network.mean).square().mean()
    assert float(error) < 0.5 * float(spread)
    assert torch.equal(made_f0 > 0, f0 > 0)
    voiced = f0 > 0
    assert float((1200 * (made_f0[voiced] / f0[voiced]).log2()).abs().median()) < 60


def test_codec_training_goes_on_where_it_stopped(road: Road) -> None:
    before = torch.load(road.work / "codec" / "last.pt", weights_only=True)
    assert before["step"] == CODEC_STEPS
    folder = road.work / "codec_again"
    folder.mkdir()
    torch.save(before, folder / "last.pt")
    training = CodecTraining(_training_part(load_all(road.work)), folder, CODEC_STEPS + 3, 4, 1, CODEC_SHAPE)
    training.run()
    after = torch.load(folder / "last.pt", weights_only=True)
    assert after["step"] == CODEC_STEPS + 3
    one, other = (state["network"]["decoder.leave.weight"] for state in (before, after))
    assert 0 < float((one - other).norm()) < 0.2 * float(one.norm()), "a fresh network would be far away"


# --- the model ---


def test_what_the_model_is_taught_is_the_sentence_with_its_frames_in_order(road: Road) -> None:
    said = load_all(road.work)
    tokenizer = _tokenizer(road.checkpoint)
    examples = Examples(road.codec, tokenizer, SpeakerPool(said, 1), random.Random(1))
    utterance = said["rms"][0]
    example = examples.example(utterance, torch.zeros(SPEAKER_DIM), "sad")
    prompt = len(head_rows(Task.AUDIO_CHAT, "sad", tokenizer)) + 1
    assert set(example.following[: prompt - 1].tolist()) == {IGNORED}
    assert int(example.following[-1]) == END
    is_frame = torch.tensor([tokenizer.is_audio(int(row[0])) for row in example.rows])
    # What follows a position says what stands at the next.
    asked = example.following[:-1] != IGNORED
    assert torch.equal((example.following[:-1] == FRAME)[asked], is_frame[1:][asked])
    first = torch.arange(4) * tokenizer.codebook_size + tokenizer.audio_first_id
    due = example.codes[:-1][example.following[:-1] == FRAME]
    assert torch.equal(due + first, example.rows[1:][is_frame[1:]])
    wanted = examples.codes(utterance)
    assert 0.6 * len(wanted) < len(due) <= len(wanted)
    assert bool(((wanted[None] == due[:, None]).all(dim=2).any(dim=1)).all())
    words = tokenizer.decode([int(row[0]) for row, frame in zip(example.rows[prompt:], is_frame[prompt:], strict=True)
                              if not frame])  # fmt: skip
    assert words.count("|") == sum(name.startswith("|") for name in utterance.phones)
    # The silence before the first phone belongs to the beginning, which is an item of its own.
    assert int((example.following == TEXT).sum()) == len(utterance.phones) + (utterance.phones[0] != "pau")


def test_the_model_learns_what_it_is_not_shown(road: Road) -> None:
    assert road.trained["text"] < 0.8 * road.untrained["text"]
    for name in ("c0", "c3"):
        assert road.trained[name] < road.untrained[name] - 0.3


def test_model_training_goes_on_where_it_stopped(road: Road) -> None:
    kept = torch.load(road.work / "model" / "last.pt", weights_only=True)
    assert kept["step"] == MODEL_STEPS
    again = _model_training(load_all(road.work), road.work)
    assert again.steps_done == 0
    again.run(most_steps=2)
    assert again.steps_done == MODEL_STEPS + 2
    stored = torch.load(road.work / "model" / "last.pt", weights_only=True)
    assert stored["step"] == MODEL_STEPS + 2
    assert stored["spent"] > kept["spent"]
    assert again.held_out()["c0"] < road.untrained["c0"] - 0.3, "what was learnt is there"


def test_a_model_is_not_trained_without_a_codec(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing, match="checkpoint"):
        _model_training(load_all(corpus), tmp_path)


# --- what comes out ---


def _engine(road: Road) -> StepEngine:
    return StepEngine(VoilaModel.load(road.checkpoint), _tokenizer(road.checkpoint), road.codec,
                      small_settings(num_positions=900))  # fmt: skip


def _saying(engine: StepEngine, road: Road, items: tuple[str, ...]) -> int:
    """A stream that is given these items."""
    speaker = load_file(road.checkpoint / "voices.safetensors")["rms"]
    limits = Limits(max_new_positions=800, max_text_run=16, max_frames_per_word=16, max_trailing_frames=10)
    plan = StreamPlan("mouth", "neutral", speaker=speaker, text=Sampling(0.6, 3), audio=Sampling(0.6, 20),
                      limits=limits, seed=4)  # fmt: skip
    stream = engine.open(plan)
    engine.begin_answer(stream)
    engine.push_words(stream, pieces(items))
    engine.end_words(stream)
    return stream


def _items(text: str) -> tuple[str, ...]:
    return phrase_items(Pronouncer.load().words(text), ".").items


def test_the_checkpoint_speaks_a_phrase_through_the_engine_and_stops(road: Road) -> None:
    assert SpeakerBook.load(road.checkpoint).names == ["alto", "bass", "rms", "youth"]
    engine, items = _engine(road), _items("Good morning, Anna.")
    said = run_until_finished(engine, _saying(engine, road, items), most=800)
    assert said.finished == ["words_end"]
    spoken = [entry for entry in said.context if isinstance(entry, int)]
    assert engine.tokenizer.decode(spoken) == " ".join(pieces(items))
    assert [word.index for word in said.words] == list(range(len(items)))
    assert len(said.frames) > len(items), "an item is a phone, and phones have more than a frame"
    assert all(bool(torch.isfinite(pcm).all()) for pcm in said.pcm)
    assert float(torch.cat(said.pcm).square().mean()) > 1e-6, "it should be audible"


def test_what_one_listener_asks_of_the_pitch_no_other_hears(road: Road) -> None:
    def both(steered: bool) -> list[Record]:
        engine = _engine(road)
        streams = [_saying(engine, road, _items("Good morning, Anna.")) for _ in range(2)]

        def between(tick: int) -> None:
            if steered and tick == 15:
                steering, slot = engine.steering(streams[1])
                steering.set_pitch(slot, semitones=6.0)

        found = run(engine, 40, between)
        return [found[stream] for stream in streams]

    plain, moved = both(False), both(True)
    assert plain[0].frames == moved[0].frames == plain[1].frames == moved[1].frames
    assert torch.equal(torch.cat(plain[0].pcm), torch.cat(moved[0].pcm))
    same = [torch.equal(one, other) for one, other in zip(plain[1].pcm, moved[1].pcm, strict=True)]
    assert all(same[:10]) and not all(same[10:])


def test_the_text_head_can_say_only_what_it_was_taught(road: Road) -> None:
    """In training no other logit is looked at: whatever they are, they must not be drawn for a frame's."""
    tokenizer = _tokenizer(road.checkpoint)
    model = VoilaModel.load(road.checkpoint)
    taught = text_choices(tokenizer)
    logits = model.text_logits(torch.randn(50, SHAPE.hidden, generator=torch.Generator().manual_seed(3)))
    others = [token for token in range(logits.shape[1]) if token not in taught]
    assert torch.equal(logits[:, others], logits[:, taught[-1:]].expand(-1, len(others)))
    tied = torch.nn.functional.linear(torch.eye(SHAPE.hidden), model.embeddings[taught]).T
    assert torch.equal(model.text_head.rows(0, model.config.vocab_size)(torch.eye(SHAPE.hidden)).T[taught], tied)


@pytest.mark.parametrize("duplex", [False, True])
@pytest.mark.parametrize("audio_dim", [48, 64])
def test_the_network_that_is_trained_and_the_one_that_runs_are_the_same(
    tmp_path: Path, duplex: bool, audio_dim: int
) -> None:
    torch.manual_seed(2)
    books, size = 4, 32
    write_tokenizer(tmp_path, books, size)
    tokenizer = VoilaTokenizer(tmp_path, books, size)
    shape = replace(SHAPE, vocab=-(-len(tokenizer) // 64) * 64, codebooks=books, codebook_size=size,
                    audio_dim=audio_dim, layers=3, audio_layers=2)  # fmt: skip
    network = VoilaNetwork(shape, duplex).eval()
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()},
              tmp_path / "model.safetensors")  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(shape.config()), encoding="utf-8")
    model = VoilaModel.load(tmp_path)
    generator = torch.Generator().manual_seed(8)
    rows = torch.randint(0, shape.vocab, (40, books * (2 if duplex else 1)), generator=generator)
    speaker, due = (
        torch.randn(SPEAKER_DIM, generator=generator),
        torch.randint(0, size, (40, books), generator=generator),
    )
    with torch.inference_mode():
        trained = network.hidden(rows[None], speaker[None])[0]
        run = model.prefill(model.embed_prompt(rows, speaker), model.backbone.new_cache(1, 64), 0)
        assert torch.allclose(trained, run, atol=1e-4)
        ids = torch.arange(shape.vocab)
        assert torch.allclose(network.text_logits(trained, ids), model.text_logits(run), atol=1e-3, rtol=1e-4)
        logits: list[Tensor] = []
        forced = model.audio_transformer.generate(run, _recording(logits, due))
        assert torch.equal(forced, due)
        wanted = network.audio_transformer(trained, due)
        assert torch.allclose(torch.stack(logits, dim=1), wanted, atol=1e-4)
        if duplex:
            assert torch.allclose(network.voila_predictor(trained), model.speaks(run), atol=1e-4)


def _recording(logits: list[Tensor], due: Tensor) -> Callable[[int, Tensor], Tensor]:
    """Keeps what is offered and chooses the codes that are due."""

    def choose(codebook: int, offered: Tensor) -> Tensor:
        logits.append(offered)
        return due[:, codebook]

    return choose
