"""Non-causal Encodec-layout codecs as streams: every output waits for the input it looks ahead to, a stated number
of frames.

The convolutions before the encoder's LSTM and after the decoder's are computed anew over a window that covers their
receptive field; the LSTMs are stepped once per frame, so their state is exact. A stream equals the whole file to float
tolerance: from its first frame, because a window never reaches back beyond the stream's beginning, where the whole
file is padded; and the encoder to its last (`encode_rest`), the decoder up to the frames still awaited there.
"""

import math
from dataclasses import dataclass
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

    def encoder_state(self, num_slots: int) -> StreamState:
        return self._codec.encoder_state(num_slots)

    def decoder_state(self, num_slots: int) -> StreamState:
        return self._codec.decoder_state(num_slots)

    def reset(self, state: StreamState, mask: Tensor) -> None:
        state.reset(mask)

    def encode(self, pcm: Tensor, state: StreamState, active: Tensor | None = None) -> Tensor:
        """Codes [B, K, T] of the audio `encoder_delay_frames` ago; a stream's first, of nothing, are to be left out."""
        if pcm.shape[-1] == 0 or pcm.shape[-1] % self.samples_per_frame:
            raise InvalidSpec(f"{pcm.shape[-1]} samples are no whole number of frames of {self.samples_per_frame}")
        return self._encode(pcm[:, None], state, active)

    def encode_rest(self, state: StreamState, active: Tensor | None = None) -> Tensor:
        """Codes [B, K, encoder_delay_frames] of the last frames, beyond which lies what the whole file is padded with.

        Of audio shorter than the delay the first codes are of nothing. Reset before encoding again.
        """
        return self._encode(torch.zeros((state.num_slots, 1, 0), device=state.device), state, active, last=True)

    def _encode(self, x: Tensor, state: StreamState, active: Tensor | None, *, last: bool = False) -> Tensor:
        state.freeze(active)
        front = _Window("front", self._front, self._front_reach, self.samples_per_frame, 1)
        x = front.piece(x, state, active, last=last)
        x = _lstm(self._encoder_lstm, x, state, self._front_reach)
        rest = _Window("last", self._last, self._last_reach, 1, 1, delay=self._front_reach)
        return self._codec.quantizer.encode(rest.piece(x, state, active, last=last))

    def decode(self, codes: Tensor, state: StreamState, active: Tensor | None = None) -> Tensor:
        """Audio [B, T * samples_per_frame] of the codes `decoder_delay_frames` ago; a stream's first, of nothing, is to
        be left out.
        """
        state.freeze(active)
        x = self._codec.quantizer.decode(codes)
        x = _Window("first", self._first, self._first_reach, 1, 1).piece(x, state, active)
        x = _lstm(self._decoder_lstm, x, state, self._first_reach)
        back = _Window("back", self._back, self._back_reach, 1, self.samples_per_frame, delay=self._first_reach)
        return back.piece(x, state, active)[:, 0]


@dataclass(frozen=True, slots=True)
class _Window:
    """Layers over what is new and `reach` frames on both sides of it.

    The kept context has 2 * reach frames: reach to the left of the oldest output, reach that it looked ahead to.
    """

    key: str
    layers: list[Layer]
    reach: int
    step_in: int
    """Positions per frame of the input."""

    step_out: int
    delay: int = 0
    """Frames given before the stream's own first."""

    def piece(self, x: Tensor, state: StreamState, active: Tensor | None, *, last: bool = False) -> Tensor:
        """The outputs [B, C, T] that new input completes; of the `last` piece also those that look ahead to padding."""
        kept = 2 * self.reach * self.step_in
        joined = torch.cat([state.get(self.key, x.shape[1], kept), x], dim=-1)
        awaited = 0 if last else self.reach * self.step_out
        whole = run_whole(self.layers, joined)
        y = whole[..., self.reach * self.step_out : whole.shape[-1] - awaited]
        age = state.get(self.key + ".age", dtype=torch.long)
        young = age - self.delay < 2 * self.reach
        for slot in (young if active is None else young & active).nonzero().flatten().tolist():
            # One at a time: how many begin together must not show in anybody's numbers.
            self._begin(y[slot : slot + 1], joined[slot : slot + 1], 2 * self.reach + self.delay - int(age[slot]))
        if kept:
            state.put(self.key, joined[..., -kept:])
        state.put(self.key + ".age", age + x.shape[-1] // self.step_in)
        return y

    def _begin(self, y: Tensor, joined: Tensor, before: int) -> None:
        """Replaces, in y, what comes of a window whose first `before` frames are not the stream's."""
        skipped = max(before - self.reach, 0)
        count = y.shape[-1] // self.step_out - skipped
        if count <= 0:
            return
        own = run_whole(self.layers, joined[..., before * self.step_in :])
        at = max(self.reach - before, 0)
        y[..., skipped * self.step_out :] = own[..., at * self.step_out : (at + count) * self.step_out]


def _lstm(layer: Layer, x: Tensor, state: StreamState, delay: int) -> Tensor:
    """The LSTM over what is new. What is older than the stream itself must not move its state."""
    assert isinstance(layer, Lstm)
    age = state.get(layer.key + ".age", dtype=torch.long)
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
