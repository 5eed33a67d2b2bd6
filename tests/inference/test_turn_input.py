"""What a model that takes whole turns is given of a voice: the codes of the turn, to its last frame."""

import numpy as np
import pytest
import torch

from inference.codec.base import Codec
from inference.codec.look_ahead import LookAheadCodec
from inference.protocol import AUDIO_RATE_HZ, SAMPLE_BYTES
from inference.worker.model_sound import HeardFrames
from inference.worker.turn_input import PREROLL_S, TurnInput
from tests.inference.tiny_checkpoints import load_codec, write_codec

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["causal", "look-ahead"])
def codec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Codec:
    causal = request.param == "causal"
    loaded = load_codec(write_codec(tmp_path_factory.mktemp("codec"), causal=causal))
    return loaded if causal else LookAheadCodec(loaded)


def _voice(seconds: float, seed: int) -> bytes:
    samples = np.random.default_rng(seed).normal(0, 0.2, round(seconds * AUDIO_RATE_HZ))
    return (np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes()


def _whole(codec: Codec, frames: list[torch.Tensor]) -> torch.Tensor:
    """Codes [K, T] of the frames, encoded at once."""
    state = codec.encoder_state(1)
    with torch.inference_mode():
        codes = [codec.encode(torch.cat(frames)[None], state)[0], codec.encode_rest(state)[0]]
    return torch.cat(codes, dim=1)[:, codec.encoder_delay_frames :]


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_turn_is_encoded_as_a_whole_of_its_own_however_it_is_taken(codec: Codec, pieces: int) -> None:
    given = TurnInput(codec, CPU)
    frames_of = HeardFrames(codec)
    for seed in (1, 2):
        pcm = _voice(1.4, seed)
        frames = frames_of.cut(pcm)
        size = len(pcm) // pieces // SAMPLE_BYTES * SAMPLE_BYTES
        for at in range(0, len(pcm), size):
            given.hear(pcm[at : at + size])
            given.take()
        given.take(ends=True)
        codes = given.end_turn()
        assert codes is not None and torch.equal(codes, _whole(codec, frames))


def test_a_turn_begins_shortly_before_its_voice(codec: Codec) -> None:
    given = TurnInput(codec, CPU)
    given.hear(_voice(3.0, 1))
    given.begin_turn(2_000)
    given.take(ends=True)
    codes = given.end_turn()
    assert codes is not None and abs(codes.shape[1] - (1.0 + PREROLL_S) / 0.04) <= 2


def test_what_is_cleared_is_forgotten(codec: Codec) -> None:
    given = TurnInput(codec, CPU)
    given.hear(_voice(1.0, 1))
    given.take()
    given.clear()
    assert given.take(ends=True) is None and given.end_turn() is None
    given.hear(_voice(60.0, 2))
    given.take(ends=True)
    codes = given.end_turn()
    assert codes is not None and codes.shape[1] <= 30 / 0.04 + 1, "what waits is bounded"
