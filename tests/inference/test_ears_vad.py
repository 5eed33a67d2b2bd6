"""Voice activity: the energy gate and the network behind it."""

import shutil

import numpy as np
import pytest
import silero_vad
import torch

from inference.ears.base import EARS_RATE_HZ
from inference.ears.silero import SileroNetwork, SileroState
from inference.ears.vad import VoiceDetector
from scripts.spoken import spoken


class CountingNetwork(SileroNetwork):
    """The real network, counting how often it is asked."""

    def __init__(self) -> None:
        super().__init__(_weights_of_the_release())
        self.steps = 0

    def step(self, pcm: np.ndarray, state: SileroState) -> float:
        self.steps += 1
        return super().step(pcm, state)


def _weights_of_the_release() -> dict[str, np.ndarray]:
    """The weights in the wheel's TorchScript file, under the names of its safetensors file."""
    names = {
        "stft.forward_basis_buffer": "stft_conv.weight",
        "decoder.decoder.2": "final_conv",
        "decoder.rnn": "lstm_cell",
    } | {f"encoder.{layer}.reparam_conv": f"conv{layer + 1}" for layer in range(4)}
    found = {}
    for name, value in silero_vad.load_silero_vad()._model.state_dict().items():
        old = next(prefix for prefix in names if name.startswith(prefix))
        found[names[old] + name[len(old) :]] = value.numpy()
    return found


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    if shutil.which("flite") is None:
        pytest.skip("the flite program is not installed")
    return spoken("hello there, how are you today", voice="slt", rate_hz=EARS_RATE_HZ)


def probabilities(detector: VoiceDetector, pcm: np.ndarray) -> list[float]:
    return [detector.detect(pcm[start : start + 512]) for start in range(0, pcm.size - 511, 512)]


def test_the_network_agrees_with_silero_itself(speech: np.ndarray) -> None:
    theirs, ours, state = silero_vad.load_silero_vad(), CountingNetwork(), SileroState()
    for start in range(0, speech.size - 511, 512):
        chunk = speech[start : start + 512]
        assert ours.step(chunk, state) == pytest.approx(theirs(torch.from_numpy(chunk.copy()), 16_000).item(), abs=1e-4)


def test_speech_is_voice_and_what_surrounds_it_is_not(speech: np.ndarray) -> None:
    quiet = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.001
    heard = probabilities(VoiceDetector(), np.concatenate([quiet, speech, quiet]))
    during = heard[31 : 31 + speech.size // 512]
    assert np.mean(np.array(during) > 0.5) > 0.7
    assert max(heard[:28]) < 0.2
    assert max(heard[-20:]) < 0.2


def test_speech_is_noticed_above_a_running_fan(speech: np.ndarray) -> None:
    noise = np.random.default_rng(0).standard_normal(3 * 16_000 + speech.size).astype(np.float32) * 0.01
    noise[3 * 16_000 :] += speech
    heard = probabilities(VoiceDetector(), noise)
    assert max(heard[:90]) < 0.3
    assert max(heard[94:]) > 0.8


def test_silence_and_steady_noise_do_not_reach_the_network() -> None:
    network = CountingNetwork()
    detector = VoiceDetector(network)
    probabilities(detector, np.zeros(16_000, np.float32))
    assert network.steps == 0
    noise = np.random.default_rng(0).standard_normal(10 * 16_000).astype(np.float32) * 0.02
    probabilities(detector, noise[: 5 * 16_000])
    before = network.steps
    probabilities(detector, noise[5 * 16_000 :])
    assert network.steps - before < 10


def test_a_reset_detector_has_forgotten_the_stream(speech: np.ndarray) -> None:
    detector = VoiceDetector()
    first = probabilities(detector, speech)
    detector.reset()
    assert probabilities(detector, speech) == first


def test_chunks_of_another_length_are_refused_and_junk_does_no_harm(speech: np.ndarray) -> None:
    detector = VoiceDetector()
    with pytest.raises(ValueError, match="512"):
        detector.detect(np.zeros(511, np.float32))
    assert 0 <= detector.detect(np.full(512, np.nan, np.float32)) <= 1
    assert 0 <= detector.detect(np.full(512, np.inf, np.float32)) <= 1
    assert max(probabilities(detector, speech)) > 0.8
