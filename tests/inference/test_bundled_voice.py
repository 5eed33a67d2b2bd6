"""Loading a checkpoint that reads phones: what can be wrong with its folder, and who speaks without it."""

import json
import logging
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.checkpoints.errors import BrokenFile, CheckpointError, CheckpointMissing, TensorMissing
from inference.errors import InvalidSpec
from inference.mouth.base import Mouth, SpokenWord
from inference.mouth.espeak_mouth import EspeakMouth
from inference.mouth.routed import RoutedMouth
from inference.protocol import Lane, SpeechPart, VoiceSpec, Words
from inference.worker.bundled_voice import open_mouth
from inference.worker.default_mouth import BundledVoice, default_mouth
from inference.worker.voice_model import LaneChoice, VoiceModelFiles, load_engine, model_lanes
from tests.inference.phone_checkpoints import SPEAKERS_HZ, write_phone_checkpoint
from tests.inference.scripted_call import LevelDetector, ToneEars
from tests.inference.speech_sound import Floats, said
from tests.inference.tiny_checkpoints import write_codec, write_tokenizer

ENGLISH, CHINESE = VoiceSpec("mira", pitch_hz=120.0), VoiceSpec("lan", "cmn")
HELLO: list[SpeechPart] = [Words("Hello there.")]


def _said(mouth: Mouth, parts: list[SpeechPart], voice: VoiceSpec = ENGLISH) -> tuple[Floats, list[SpokenWord]]:
    return said(mouth, parts, voice, patience=1_000)


@cache
def _sound() -> Path:
    return write_phone_checkpoint(Path(mkdtemp()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(_sound(), tmp_path / "voice"))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_arguments: object) -> None:
        raise AssertionError("something went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield


def test_a_sound_checkpoint_loads_without_the_network_and_speaks(folder: Path, no_network: None) -> None:
    mouth = open_mouth(folder, slots=3)
    assert (mouth.shared.slots, mouth.voices.names) == (3, sorted(SPEAKERS_HZ))
    pcm, words = _said(mouth, HELLO)
    assert [word.text for word in words] == ["Hello", "there."]
    assert float(abs(pcm).max()) > 0.01


# --- what can be wrong ---


def _changed(file: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        content = json.loads((folder / file).read_text(encoding="utf-8"))
        change(content)
        (folder / file).write_text(json.dumps(content), encoding="utf-8")

    return apply


def _removed(file: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).unlink()


def _cut(file: str) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        whole = (folder / file).read_bytes()
        (folder / file).write_bytes(whole[: len(whole) // 2])

    return apply


def _without_tensor(folder: Path) -> None:
    tensors = load_file(folder / "codec" / "model.safetensors")
    del tensors["prosody"]
    save_file(tensors, folder / "codec" / "model.safetensors")


def _short_speaker(folder: Path) -> None:
    speakers = load_file(folder / "voices.safetensors")
    save_file(speakers | {"slt": torch.zeros(8)}, folder / "voices.safetensors")


def _other_codec(folder: Path) -> None:
    shutil.rmtree(folder / "codec")
    write_codec(folder / "codec")


def _other_tokenizer(folder: Path) -> None:
    write_tokenizer(folder)


def _neutral(**numbers: object) -> Callable[[dict[str, Any]], None]:
    return lambda config: config["speech"]["styles"].update(neutral=numbers)


@pytest.mark.parametrize(
    ("breaking", "fault", "named"),
    [
        (_removed("config.json"), CheckpointMissing, "config.json"),
        (_removed("model.safetensors"), CheckpointMissing, "model.safetensors"),
        (_removed("tokenizer.json"), CheckpointMissing, "tokenizer.json"),
        (_removed("voices.json"), CheckpointMissing, "voices.json"),
        (_removed("voices.safetensors"), BrokenFile, "voices.safetensors"),
        (_removed("codec/model.safetensors"), CheckpointMissing, "codec"),
        (lambda folder: shutil.rmtree(folder / "codec"), CheckpointMissing, "codec"),
        (_cut("model.safetensors"), BrokenFile, "model.safetensors"),
        (_cut("codec/model.safetensors"), BrokenFile, "model.safetensors"),
        (_cut("voices.safetensors"), BrokenFile, "voices.safetensors"),
        (_cut("tokenizer.json"), BrokenFile, "tokenizer.json"),
        (_without_tensor, TensorMissing, "prosody"),
        (_short_speaker, BrokenFile, "slt"),
        (_other_codec, BrokenFile, "source_filter"),
        (_other_tokenizer, CheckpointError, "token"),
        (_changed("config.json", lambda config: config.pop("speech")), BrokenFile, "reads phones"),
        (_changed("config.json", lambda config: config["speech"].pop("styles")), BrokenFile, "neutral"),
        (_changed("config.json", lambda config: config["speech"]["styles"].pop("neutral")), BrokenFile, "neutral"),
        (_changed("config.json", _neutral(rate="quick")), BrokenFile, "styles.neutral: rate"),
        (_changed("config.json", _neutral(rate=0)), BrokenFile, "styles.neutral: rate"),
        (_changed("config.json", _neutral(tempo=1.0)), BrokenFile, "styles.neutral"),
        (
            _changed("config.json", lambda config: config["speech"]["styles"].update(bored={})),
            BrokenFile,
            "bored is no token",
        ),
        (_changed("voices.json", lambda voices: voices.update(nobody=100.0)), BrokenFile, "voices.json"),
        (_changed("codec/config.json", lambda config: config.update(model_type="vinyl")), BrokenFile, "vinyl"),
    ],
)
def test_what_is_wrong_with_a_folder_is_named(
    folder: Path, breaking: Callable[[Path], None], fault: type[CheckpointError], named: str
) -> None:
    breaking(folder)
    with pytest.raises(fault, match=named):
        open_mouth(folder)


def test_a_folder_that_is_not_there_is_never_looked_for_elsewhere(tmp_path: Path, no_network: None) -> None:
    with pytest.raises(CheckpointMissing, match="is no folder"):
        open_mouth(tmp_path / "nowhere")
    with pytest.raises(CheckpointMissing, match="is no folder"):
        open_mouth(Path("somebody/some-model"))


# --- as a voice model that is named ---


@pytest.mark.parametrize("choice", ["auto", "mouth"])
def test_a_named_checkpoint_that_reads_phones_is_the_mouth_of_composed_calls(folder: Path, choice: LaneChoice) -> None:
    engine = load_engine(VoiceModelFiles(str(folder), "", slots=2))
    lanes = model_lanes(engine, ToneEars(), LevelDetector, choice, folder)
    assert list(lanes) == [Lane.COMPOSED]
    assert lanes[Lane.COMPOSED].pulse is None and lanes[Lane.COMPOSED].most_streams is None


def test_a_checkpoint_that_reads_phones_answers_no_turns(folder: Path) -> None:
    engine = load_engine(VoiceModelFiles(str(folder), str(folder / "codec"), slots=2))
    with pytest.raises(CheckpointError, match="can be mouth, not turn"):
        model_lanes(engine, ToneEars(), LevelDetector, "turn", folder)


# --- the default mouth ---


def test_english_is_spoken_by_the_bundled_voice_and_everything_else_by_espeak(folder: Path) -> None:
    bundled = open_mouth(folder, slots=2)
    mouth = RoutedMouth(bundled, EspeakMouth())
    _pcm, words = _said(mouth, [Words("Good morning. 早上好。")])
    assert [word.text for word in words] == ["Good", "morning.", "早", "上", "好。"]
    assert bundled.shared.ticks > 0
    before = bundled.shared.ticks
    _said(mouth, [Words("早上好。")], CHINESE)
    assert bundled.shared.ticks == before
    assert bundled.shared.engine.open_streams == []


def test_the_default_mouth_loads_the_bundled_voice_with_its_first_voice_and_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        mouth = default_mouth("auto", BundledVoice(folder, slots=1))
        assert not caplog.records
        mouth.prepare(ENGLISH)
        assert [record.message for record in caplog.records] == ["the bundled voice is loaded"]
        pcm, _words = _said(mouth, HELLO)
        assert len(caplog.records) == 1
    # The random codec is much quieter than eSpeak.
    assert 0.01 < float(abs(pcm).max()) < 0.1 < float(abs(_said(mouth, [Words("早上好。")])[0]).max())


@pytest.mark.parametrize("breaking", [shutil.rmtree, _cut("model.safetensors")])
def test_without_the_bundled_voice_espeak_speaks_and_the_log_says_why(
    folder: Path, caplog: pytest.LogCaptureFixture, breaking: Callable[[Path], None]
) -> None:
    breaking(folder)
    mouth = default_mouth("auto", BundledVoice(folder))
    with caplog.at_level(logging.WARNING):
        pcm, words = _said(mouth, HELLO)
        _said(mouth, HELLO)
    assert len(words) == 2 and float(abs(pcm).max()) > 0.05
    (record,) = caplog.records
    assert "bundled voice cannot be used" in record.message
    assert "is no folder" in record.message or "model.safetensors" in record.message


def test_what_is_chosen_by_name_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing, match="is no folder"):
        default_mouth("bundled", BundledVoice(tmp_path / "nowhere"))


def test_the_bundled_voice_alone_refuses_other_languages_by_name(folder: Path) -> None:
    mouth = default_mouth("bundled", BundledVoice(folder, slots=1))
    assert len(_said(mouth, HELLO)[1]) == 2
    with pytest.raises(InvalidSpec, match="lan speaks cmn, but only the bundled voice"):
        mouth.prepare(CHINESE)
    with pytest.raises(InvalidSpec, match="words of another language"):
        _said(mouth, [Words("Hello 你好")])


_WITHOUT_ESPEAK = """
import sys
sys.modules["espeakng_loader"] = None  # as if it were not installed
import logging
logging.basicConfig(format="log: %(message)s", stream=sys.stdout)
from pathlib import Path
from inference.errors import InferenceError
from inference.protocol import VoiceSpec, Words
from inference.worker.default_mouth import BundledVoice, default_mouth
from tests.inference.speech_sound import Floats, said
try:
    mouth = default_mouth("auto", BundledVoice(Path(sys.argv[1])))
    print("words:", *(word.text for word in said(mouth, [Words("Hello there.")], patience=1_000)[1]))
    mouth.prepare(VoiceSpec("lan", "cmn"))
except InferenceError as error:
    print(f"{error.code}: {error}")
"""


def _speak_without_espeak(folder: Path) -> str:
    command = [sys.executable, "-c", _WITHOUT_ESPEAK, str(folder)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_espeak_english_is_spoken_and_other_languages_are_refused_with_the_remedy(folder: Path) -> None:
    told = _speak_without_espeak(folder)
    assert "words: Hello there." in told
    assert "log: only English can be spoken" in told
    assert "invalid_spec: the voice lan speaks cmn, but" in told and "espeakng-loader" in told


def test_with_neither_nothing_starts_and_both_are_named(tmp_path: Path) -> None:
    told = _speak_without_espeak(tmp_path / "nowhere")
    assert "model_fault: nothing can speak" in told
    assert "is no folder" in told and "espeakng-loader" in told


def test_the_default_mouth_loads_nothing_heavy_before_its_first_voice() -> None:
    program = """
import sys
from inference.worker.default_lanes import default_lanes
default_lanes()
print(sorted({"torch", "tokenizers", "safetensors.torch"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True,
                          text=True, timeout=120, check=False)  # fmt: skip
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
