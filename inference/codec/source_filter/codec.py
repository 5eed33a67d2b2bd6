"""The source-filter codec: three codebooks for the spectral envelope, the fourth for F0 and voicing.

Because pitch and voicing are explicit, they can be overridden while decoding - another pitch, a whisper, a melody - per
slot and per frame, exactly and for nothing. Shapes: B slots, K codebooks, T frames, S samples.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.checkpoints.errors import BrokenFile
from inference.checkpoints.tensors import TensorFolder, read_json
from inference.codec.source_filter.analysis import FIRST_CENTRE, HALF_WINDOW, SpeechFeatures, analyse
from inference.codec.source_filter.grid import (
    HOP,
    SAMPLE_RATE_HZ,
    SAMPLES_PER_FRAME,
    SILENT_LOG_POWER,
    SUBFRAMES,
)
from inference.codec.source_filter.network import DECODER_DELAY, LATENT, WIDTH, EnvelopeNetwork
from inference.codec.source_filter.prosody import ProsodyBook
from inference.codec.source_filter.steering import Steering
from inference.codec.source_filter.vocoder import LAG_SAMPLES, Vocoder
from inference.codec.state import StreamState
from inference.errors import InvalidSpec

MODEL_TYPE = "source_filter"
_HUSHED_BELOW, _HUSH_WIDTH, _HUSH = -14.65, 0.1, 4.0
"""Mean log power of a subframe under which it counts as silence, and how far it then falls (17 dB)."""
_HEARD = HALF_WINDOW + HALF_WINDOW + 3 * HOP
"""Samples the analysis of a frame's four subframes spans."""


class SourceFilterCodec:
    """Weights only; what belongs to a caller is in the states."""

    sample_rate_hz = SAMPLE_RATE_HZ
    samples_per_frame = SAMPLES_PER_FRAME
    encoder_delay_frames = 1
    """The last subframe's window reaches into the next frame."""

    decoder_delay_frames = DECODER_DELAY
    decoder_lag_samples = LAG_SAMPLES
    """How much later than its code's frame a sound comes out, within the frame."""

    def __init__(self, network: EnvelopeNetwork, codebooks: Tensor, prosody: ProsodyBook) -> None:
        """`codebooks` [K - 1, entries, D], each for what the ones before leave."""
        self.network = network.eval().requires_grad_(False)
        self.codebooks, self.prosody = codebooks, prosody
        self.num_codebooks, self.codebook_size = len(codebooks) + 1, codebooks.shape[1]
        self._squares = codebooks.square().sum(dim=2)
        self._vocoder = Vocoder(codebooks.device)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> "SourceFilterCodec":
        """Raises a `CheckpointError` naming what is wrong."""
        config = read_json(folder / "config.json")
        if config.get("model_type") != MODEL_TYPE:
            raise BrokenFile(f"{folder}/config.json: model_type must be {MODEL_TYPE}")
        network = EnvelopeNetwork(_size(config, "width", WIDTH), _size(config, "latent", LATENT))
        with TensorFolder(folder, dtype=torch.float32, device=device) as tensors:
            wanted = network.state_dict()
            network.load_state_dict({name: tensors.take(name, *value.shape) for name, value in wanted.items()})
            books = tensors.take("codebooks", None, None, network.encoder.leave.out_features)
            table = tensors.take("prosody", books.shape[1], SUBFRAMES)
            tensors.finish()
        try:
            prosody = ProsodyBook(table)
        except ValueError as error:
            raise BrokenFile(f"{folder}: {error}") from error
        return cls(network.to(device), books, prosody)

    # --- the interface ---

    def encoder_state(self, num_slots: int) -> StreamState:
        return StreamState(num_slots, self.codebooks.device)

    def decoder_state(self, num_slots: int) -> StreamState:
        return StreamState(num_slots, self.codebooks.device)

    @torch.inference_mode()
    def reset(self, state: StreamState, mask: Tensor) -> None:
        state.reset(mask)

    @torch.inference_mode()
    def encode(self, pcm: Tensor, state: StreamState, active: Tensor | None = None) -> Tensor:
        """The code of a frame comes with the next frame's audio; the first of a stream is of the silence before it."""
        if pcm.shape[-1] == 0 or pcm.shape[-1] % SAMPLES_PER_FRAME:
            raise InvalidSpec(f"{pcm.shape[-1]} samples are no whole number of frames of {SAMPLES_PER_FRAME}")
        state.freeze(active)
        return torch.cat([self._encode_frame(frame, state) for frame in pcm.split(SAMPLES_PER_FRAME, dim=1)], dim=2)

    @torch.inference_mode()
    def encode_rest(self, state: StreamState, active: Tensor | None = None) -> Tensor:
        """The code [B, K, 1] of the last frame, silence taken to follow it."""
        heard = state.get("heard", HALF_WINDOW + SAMPLES_PER_FRAME)
        return self.encode(torch.zeros_like(heard[:, :SAMPLES_PER_FRAME]), state, active)

    def new_steering(self, num_slots: int) -> Steering:
        return Steering(num_slots, self.codebooks.device)

    @torch.inference_mode()
    def decode(
        self, codes: Tensor, state: StreamState, active: Tensor | None = None, steering: Steering | None = None
    ) -> Tensor:
        """`steering` says, per slot, what of pitch and voicing is not the codes' own."""
        state.freeze(active)
        envelope, own_f0 = self._features(codes, state)
        f0, begun = self._late("late_f0", own_f0, state), self._late("begun", torch.ones_like(own_f0), state)
        # What the network says of the time before the first code was never taught.
        envelope = torch.where(begun[..., None] > 0, self._hushed(envelope), SILENT_LOG_POWER)
        voiced = (f0 > 0).float()
        frames = []
        for at in range(codes.shape[2]):
            features = (envelope[:, at], f0[:, at], voiced[:, at])
            frames.append(self._vocoder.frame(*(steering.steered(*features) if steering else features), state))
        return torch.cat(frames, dim=1)

    # --- inside, and for training ---

    @torch.inference_mode()
    def encode_features(self, envelope: Tensor, f0_hz: Tensor, state: StreamState | None = None) -> Tensor:
        """Codes [B, K, T] of envelopes [B, T, 4, bands] and F0 [B, T, 4] in Hz, 0 where unvoiced."""
        left = self.network.encode(envelope, (f0_hz > 0).float(), state)
        codes = []
        for book, squares in zip(self.codebooks, self._squares, strict=True):
            codes.append((squares - 2 * left @ book.T).argmin(dim=2))
            left = left - book[codes[-1]]
        return torch.stack([*codes, self.prosody.encode(f0_hz)], dim=1)

    @torch.inference_mode()
    def decode_features(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Envelopes [B, T, 4, bands] and F0 [B, T, 4] of whole codes [B, K, T]."""
        followed = torch.cat([codes, codes[:, :, -1:].expand(-1, -1, DECODER_DELAY)], dim=2)
        envelope, _ = self._features(followed, None)
        return self._hushed(envelope[:, DECODER_DELAY:]), self.prosody.decode(codes[:, -1])

    @staticmethod
    def _hushed(envelope: Tensor) -> Tensor:
        """What was taught as silence has a floor that would be heard as hiss: it falls below hearing, smoothly."""
        level = envelope.mean(dim=-1, keepdim=True)
        return envelope - _HUSH * torch.sigmoid((_HUSHED_BELOW - level) / _HUSH_WIDTH)

    def _features(self, codes: Tensor, state: StreamState | None) -> tuple[Tensor, Tensor]:
        """Envelopes `DECODER_DELAY` frames late, and F0 of the codes themselves."""
        latent = torch.stack([book[codes[:, number]] for number, book in enumerate(self.codebooks)]).sum(dim=0)
        f0 = self.prosody.decode(codes[:, -1])
        return self.network.decode(latent, (f0 > 0).float(), state), f0

    def _late(self, key: str, values: Tensor, state: StreamState) -> Tensor:
        """`values` [B, T, 4] as late as the envelopes are, zeros before them."""
        joined = torch.cat([state.get(key, DECODER_DELAY, SUBFRAMES), values], dim=1)
        state.put(key, joined[:, -DECODER_DELAY:])
        return joined[:, : values.shape[1]]

    def vocode(self, envelope: Tensor, f0_hz: Tensor, voiced: Tensor, state: StreamState) -> Tensor:
        """Sound [B, 640] of one frame's features: envelope [B, 4, bands], F0 [B, 4], voicing [B, 4]."""
        return self._vocoder.frame(envelope, f0_hz, voiced, state)

    def _encode_frame(self, pcm: Tensor, state: StreamState) -> Tensor:
        kept = _HEARD + FIRST_CENTRE
        history = state.get("heard", HALF_WINDOW + SAMPLES_PER_FRAME)
        joined = torch.cat([history, pcm], dim=1)
        state.put("heard", joined[:, -history.shape[1] :])
        features = self._analysed(joined[:, FIRST_CENTRE:kept])
        return self.encode_features(*features, state)

    def _analysed(self, heard: Tensor) -> tuple[Tensor, Tensor]:
        windows = heard.unfold(1, 2 * HALF_WINDOW, HOP)[:, :SUBFRAMES]
        found: SpeechFeatures = analyse(windows.reshape(-1, 2 * HALF_WINDOW))
        count = len(heard)
        return found.envelope.view(count, 1, SUBFRAMES, -1), found.f0_hz.view(count, 1, SUBFRAMES)


def _size(config: dict[str, Any], key: str, default: int) -> int:
    value = config.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise BrokenFile(f"config.json: {key} must be a positive whole number, not {value!r}")
    return value
