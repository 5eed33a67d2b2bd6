"""The silero voice activity network, evaluated with numpy.

The weights come from the silero-vad wheel (MIT). The network is small (300,000 parameters) and is stepped once per
stream every 32 ms, where a framework's call overhead and thread pool cost more than the arithmetic: numpy takes about
0.2 ms a step, needs no import of torch, and leaves the recurrent state with the caller, so that one set of weights
serves every stream.

Layout as in silero-vad 6: 64 samples of context + 512 samples, reflected by 64 at the end; short-time Fourier magnitude
(window 256, hop 128) [4, 129]; four convolutions of width 3 with strides 1, 2, 2, 1 and ReLU, to [1, 128]; one LSTM
cell of width 128; ReLU, linear, sigmoid.
"""

import functools
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Floats = NDArray[np.float32]

CHUNK_SAMPLES = 512
_CONTEXT_SAMPLES = 64
_PAD_SAMPLES = 64
_WINDOW, _HOP, _BINS = 256, 128, 129
_STRIDES = (1, 2, 2, 1)
_WIDTH = 128


@dataclass(slots=True)
class SileroState:
    """What the network remembers of one stream."""

    context: Floats = field(default_factory=lambda: np.zeros(_CONTEXT_SAMPLES, np.float32))
    hidden: Floats = field(default_factory=lambda: np.zeros(_WIDTH, np.float32))
    cell: Floats = field(default_factory=lambda: np.zeros(_WIDTH, np.float32))


class SileroNetwork:
    """Stateless: safe to share between streams and threads."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        """`weights` named as in the wheel's `silero_vad_16k.safetensors`. Raises `KeyError` when one is missing."""
        self._basis = np.ascontiguousarray(weights["stft_conv.weight"][:, 0, :].T)
        self._kernels = [_kernel(weights[f"conv{layer}.weight"]) for layer in (1, 2, 3, 4)]
        self._biases = [weights[f"conv{layer}.bias"] for layer in (1, 2, 3, 4)]
        gates = np.concatenate([weights["lstm_cell.weight_ih"], weights["lstm_cell.weight_hh"]], axis=1)
        self._gates = np.ascontiguousarray(gates.T)
        self._gate_bias = weights["lstm_cell.bias_ih"] + weights["lstm_cell.bias_hh"]
        self._out = weights["final_conv.weight"][0, :, 0]
        self._out_bias = weights["final_conv.bias"][0]

    def step(self, pcm: Floats, state: SileroState) -> float:
        """Voice probability of `pcm` [512] at 16 kHz; `state` is moved on in place."""
        samples = np.concatenate([state.context, pcm])
        state.context = samples[-_CONTEXT_SAMPLES:]
        features = self._magnitudes(np.concatenate([samples, samples[-_PAD_SAMPLES - 1 : -1][::-1]]))
        for kernel, bias, stride in zip(self._kernels, self._biases, _STRIDES, strict=True):
            features = _convolve(features, kernel, bias, stride)
        gates = np.concatenate([features[0], state.hidden]) @ self._gates + self._gate_bias
        enter, forget, candidate, leave = np.split(gates, 4)
        state.cell = _sigmoid(forget) * state.cell + _sigmoid(enter) * np.tanh(candidate)
        state.hidden = _sigmoid(leave) * np.tanh(state.cell)
        return float(_sigmoid(np.maximum(state.hidden, 0.0) @ self._out + self._out_bias))

    def _magnitudes(self, samples: Floats) -> Floats:
        windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
        spectrum = windows @ self._basis
        return np.sqrt(spectrum[:, :_BINS] ** 2 + spectrum[:, _BINS:] ** 2)


@functools.cache
def shared_network() -> SileroNetwork:
    """The wheel's network, loaded once per process. Raises `FileNotFoundError` if the wheel lacks it."""
    package = importlib.util.find_spec("silero_vad")
    if package is None or package.origin is None:
        raise FileNotFoundError("the silero-vad package is not installed")
    path = Path(package.origin).parent / "data" / "silero_vad_16k.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"the silero-vad package holds no {path.name}")
    return SileroNetwork(load_file(path))


def _kernel(weight: Floats) -> Floats:
    """[out, in, width] as a matrix [width * in, out]."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))


def _convolve(features: Floats, kernel: Floats, bias: Floats, stride: int) -> Floats:
    """Width 3, one frame of zeros on either side, ReLU. [T, in] -> [ceil(T / stride), out]."""
    padded = np.zeros((features.shape[0] + 2, features.shape[1]), np.float32)
    padded[1:-1] = features
    patches = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=0)[::stride]
    return np.maximum(patches.transpose(0, 2, 1).reshape(patches.shape[0], -1) @ kernel + bias, 0.0)


def _sigmoid(x: Floats) -> Floats:
    return np.reciprocal(1.0 + np.exp(-np.clip(x, -30.0, 30.0)), dtype=np.float32)
