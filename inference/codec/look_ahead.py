"""Non-causal Encodec-layout codecs as streams: every output waits for the input it looks ahead to, a stated number
of frames.

The convolutions before the encoder's LSTM and after the decoder's are computed anew over a window that covers their
receptive field; the LSTMs are stepped once per frame, so their state is exact. A stream that begins with
`first=True` and a first piece of at least `first_piece_frames` equals the whole file to float tolerance, up to the
frames still awaited at its end; one that begins silently differs at its start only.
"""

import math
from itertools import takewhile

import torch
from torch import Tensor

from inference.codec.convolution import Conv, Lstm, TransposedConv
from inference.codec.encodec import EncodecCodec
from inference.codec.seanet import Layer, Residual, run_whole
from inference.codec.state import StreamState
from inference.errors import InvalidSpec


class LookAheadCodec:
    """A streaming face of a non-causal `EncodecCodec`."""

    def __init__(self, codec: EncodecCodec) -> None:
        self._codec = codec
        self.sample_rate_hz = codec.sample_rate_hz
        self.samples_per_frame = codec.samples_per_frame
        self.num_codebooks, self.codebook_size = codec.num_codebooks, codec.codebook_size
        self._front = list(takewhile(lambda layer: not isinstance(layer, Lstm), codec.encoder))
        self._encoder_lstm = codec.encoder[len(self._front)]
        self._last = codec.encoder[len(self._front) + 1 :]
        self._first, self._decoder_lstm, self._back = codec.decoder[:1], codec.decoder[1], codec.decoder[2:]
        self._front_reach = _reach_frames(self._front, self.samples_per_frame, downwards=True)
        self._last_reach = _reach_frames(self._last, 1, downwards=True)
        self._first_reach = _reach_frames(self._first, 1, downwards=True)
        self._back_reach = _reach_frames(self._back, self.samples_per_frame, downwards=False)
        self.encoder_delay_frames = self._front_reach + self._last_reach
        self.decoder_delay_frames = self._first_reach + self._back_reach

    @property
    def first_piece_frames(self) -> int:
        """Frames of a first piece that make a stream's start that of the whole file."""
        encoder = 2 * (self._front_reach + self._last_reach) + 1
        return max(encoder, 2 * (self._first_reach + self._back_reach) + 1)

    def encoder_state(self, num_slots: int) -> StreamState:
        return self._codec.encoder_state(num_slots)

    def decoder_state(self, num_slots: int) -> StreamState:
        return self._codec.decoder_state(num_slots)

    def reset(self, state: StreamState, mask: Tensor) -> None:
        state.reset(mask)

    def encode(self, pcm: Tensor, state: StreamState, active: Tensor | None = None, *, first: bool = False) -> Tensor:
        """Codes [B, K, T] of the audio `encoder_delay_frames` ago; with `first`, T is smaller by that delay."""
        if pcm.shape[-1] == 0 or pcm.shape[-1] % self.samples_per_frame:
            raise InvalidSpec(f"{pcm.shape[-1]} samples are no whole number of frames of {self.samples_per_frame}")
        state.freeze(active)
        step = self.samples_per_frame
        x = _windowed(self._front, pcm[:, None], state, "front", self._front_reach, (step, 1), first)
        x = _lstm(self._encoder_lstm, x, state, self._front_reach, first)
        x = _windowed(self._last, x, state, "last", self._last_reach, (1, 1), first)
        return self._codec.quantizer.encode(x)

    def decode(self, codes: Tensor, state: StreamState, active: Tensor | None = None, *, first: bool = False) -> Tensor:
        """Audio [B, T * samples_per_frame] of the codes `decoder_delay_frames` ago; with `first`, less by that
        delay.
        """
        state.freeze(active)
        x = self._codec.quantizer.decode(codes)
        x = _windowed(self._first, x, state, "first", self._first_reach, (1, 1), first)
        x = _lstm(self._decoder_lstm, x, state, self._first_reach, first)
        step = self.samples_per_frame
        return _windowed(self._back, x, state, "back", self._back_reach, (1, step), first)[:, 0]


def _windowed(
    layers: list[Layer], x: Tensor, state: StreamState, key: str, reach: int, steps: tuple[int, int], first: bool
) -> Tensor:
    """The layers over what is new and `reach` frames on both sides; `steps` are positions per frame of input and
    output.

    The kept context has 2 * reach frames: reach to the left of the oldest output, reach that it looked ahead to.
    """
    step_in, step_out = steps
    kept = 2 * reach * step_in
    if first:
        if x.shape[-1] <= kept:
            raise InvalidSpec(f"a first piece needs more than {2 * reach} frames here")
        y = run_whole(layers, x)[..., : (x.shape[-1] // step_in - reach) * step_out]
        joined = x
    else:
        joined = torch.cat([state.get(key, x.shape[1], kept), x], dim=-1)
        y = run_whole(layers, joined)
        y = y[..., reach * step_out : y.shape[-1] - reach * step_out]
    if kept:
        state.get(key, x.shape[1], kept)
        state.put(key, joined[..., -kept:])
    return y


def _lstm(layer: Layer, x: Tensor, state: StreamState, delay: int, first: bool) -> Tensor:
    """The LSTM over what is new. What is older than the stream itself must not move its state."""
    assert isinstance(layer, Lstm)
    age = state.get(layer.key + ".age", dtype=torch.long)
    if first:
        state.put(layer.key + ".age", torch.full_like(age, delay))
        return layer.piece(x, state)
    pieces = []
    for frame in x.split(1, dim=-1):
        begun = age >= delay
        pieces.append(layer.piece(frame, state, only=begun) * begun.view(-1, 1, 1))
        state.put(layer.key + ".age", age + 1)
    return torch.cat(pieces, dim=-1)


def _reach_frames(layers: list[Layer], samples_per_frame: int, *, downwards: bool) -> int:
    """Frames to each side that an output frame depends on: the wider of both sides, rounded up."""
    reach, rate = 0.0, 1.0 if downwards else float(samples_per_frame)
    for layer in layers:
        reach += _reach(layer) * rate
        if isinstance(layer, Conv):
            rate *= layer.stride
        elif isinstance(layer, TransposedConv):
            rate /= layer.stride
    return math.ceil(reach / samples_per_frame)


def _reach(layer: Layer) -> float:
    """Input positions to the farther side that one output position depends on."""
    if isinstance(layer, Conv):
        return layer.padding - layer.look_ahead
    if isinstance(layer, TransposedConv):
        return layer.weight.shape[-1] / layer.stride
    if isinstance(layer, Residual):
        return _reach(layer.narrow) + _reach(layer.widen)
    return 0.0
