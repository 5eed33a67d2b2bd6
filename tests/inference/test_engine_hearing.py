"""What the engine hears of a turn: the codes of the whole, to its last frame, whatever the codec looks ahead."""

import pytest
import torch

from inference.codec.look_ahead import LookAheadCodec
from inference.engine.engine import StepEngine
from inference.engine.plans import StreamPlan
from inference.engine.sound import SlotSound
from tests.inference.engine_calls import GREEDY, LONG_RUNS, checkpoints, run_until_finished, small_settings
from tests.inference.tiny_checkpoints import load_codec, write_codec

FRAME = 640


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> LookAheadCodec:
    checkpoints()
    return LookAheadCodec(load_codec(write_codec(tmp_path_factory.mktemp("codec"), causal=False)))


def _spoken(num_frames: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(num_frames * FRAME, generator=torch.Generator().manual_seed(seed)) * 0.3


def _whole(codec: LookAheadCodec, pcm: torch.Tensor) -> torch.Tensor:
    """Codes [K, T] of the whole file."""
    with torch.inference_mode():
        return codec._codec.encode_whole(pcm[None])[0]


@torch.inference_mode()
@pytest.mark.parametrize("num_frames", [1, 4, 12])
def test_the_codes_heard_are_those_of_the_whole_turn(codec: LookAheadCodec, num_frames: int) -> None:
    """Turn after turn, each a whole of its own; the neighbour in the middle of his does not notice."""
    assert codec.encoder_delay_frames > 1
    sound = SlotSound(codec, 2)
    other = _spoken(2 * num_frames + 8, seed=9)
    neighbour: list[torch.Tensor] = []
    for turn in range(2):
        pcm, heard = _spoken(num_frames, seed=turn), []
        for number, frame in enumerate(pcm.split(FRAME)):
            at = (turn * num_frames + number) * FRAME
            codes = sound.encode({0: frame, 1: other[at : at + FRAME]})
            heard += [codes[0]] if 0 in codes else []
            neighbour += [codes[1]] if 1 in codes else []
        heard += sound.encode_rest(0)
        assert torch.equal(torch.stack(heard, dim=1), _whole(codec, pcm))
    neighbour += sound.encode_rest(1)
    assert torch.equal(torch.stack(neighbour, dim=1), _whole(codec, other[: 2 * num_frames * FRAME]))


@pytest.mark.parametrize("patient", [True, False])
def test_an_answer_is_to_all_that_was_said(codec: LookAheadCodec, patient: bool) -> None:
    """Two turns of speech, given frame by frame or all at once, are answered as their whole codes are."""
    made = checkpoints()
    answers = []
    for by_codes in (False, True):
        engine = StepEngine(made.chat, made.tokenizer, codec, small_settings())
        stream = engine.open(StreamPlan("turn", "Be kind.", text=GREEDY, audio=GREEDY, limits=LONG_RUNS))
        for seed in (4, 5):
            pcm = _spoken(9, seed)
            if by_codes:
                engine.push_codes(stream, _whole(codec, pcm))
            for frame in () if by_codes else pcm.split(FRAME):
                engine.push_pcm(stream, frame)
                if patient:
                    engine.tick()
            engine.begin_answer(stream)
            answers.append((run_until_finished(engine, stream).context, engine.stream(stream).length))
    assert answers[:2] == answers[2:]
