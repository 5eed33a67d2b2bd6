"""A checkpoint that hears raw audio, behind the turn lane."""

from pathlib import Path

import numpy as np
import pytest

from inference.checkpoints.errors import CheckpointError
from inference.protocol import FRAME_MS, AudioOut, Heard, Lane, SpeechFinished, SpeechStarted, UserText
from inference.worker.lanes import LaneOpener
from inference.worker.voice_model import VoiceModelFiles, load_engine, model_lanes
from tests.inference.engine_calls import checkpoints
from tests.inference.model_calls import ModelCalls
from tests.inference.scripted_call import LevelDetector, ToneEars
from tests.inference.test_model_lanes_turn_and_mouth import turn_spec
from tests.inference.tiny_checkpoints import write_codec, write_model


def lane_of(folder: Path, choice: str = "auto", *, causal: bool = True) -> LaneOpener:
    checkpoints()
    model, codec = write_model(folder / "model", raw_audio=True, seed=3), write_codec(folder / "codec", causal=causal)
    engine = load_engine(VoiceModelFiles(str(model), str(codec), slots=2))
    (found,) = model_lanes(engine, ToneEars(), LevelDetector, choice).items()  # type: ignore[arg-type]
    assert found[0] is Lane.TURN
    return found[1]


@pytest.mark.parametrize("causal", [True, False])
def test_turns_are_answered_in_words_and_sound(tmp_path: Path, causal: bool) -> None:
    """Through a codec that looks ahead, too."""
    call = ModelCalls(lane_of(tmp_path, causal=causal), turn_spec())
    call.quiet(0.6)
    for said in ("green apples grow here", "who lives there"):
        call.say(said)
        call.quiet(9.0)
    assert [heard.text for heard in call.all(Heard)] == ["green apples grow here", "who lives there"]
    assert len(call.all(SpeechStarted)) == 2
    finished = call.all(SpeechFinished)
    assert [each.status for each in finished] == ["completed", "completed"]
    assert sum(each.sent_ms for each in finished) == len(call.all(AudioOut)) * FRAME_MS


def test_what_was_said_decides_the_answer(tmp_path: Path) -> None:
    call = ModelCalls(lane_of(tmp_path), turn_spec("same"), turn_spec("same"))
    call.quiet(0.6)
    one, other = (np.random.default_rng(seed).normal(0, 0.2, 24_000).astype(np.float32) for seed in (1, 2))
    call.speak(one, other)
    call.quiet(6.0)
    assert call.pcm(0) and call.pcm(1) and call.pcm(0) != call.pcm(1)


def test_words_typed_between_spoken_turns_are_answered_too(tmp_path: Path) -> None:
    call = ModelCalls(lane_of(tmp_path), turn_spec())
    call.quiet(0.6)
    call.say("green apples grow here")
    call.quiet(9.0)
    call.command(UserText("And pears?", "r1", speaks=True))
    call.quiet(9.0)
    call.command(UserText("In words, please.", "r2", speaks=False))
    call.quiet(9.0)
    call.say("who lives there")
    call.quiet(9.0)
    assert [each.status for each in call.all(SpeechFinished)] == ["completed"] * 4


def test_it_is_no_mouth(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="a waveform checkpoint can be turn, not mouth"):
        lane_of(tmp_path, "mouth")
