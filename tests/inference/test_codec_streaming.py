"""Streamed codecs against whole files, and against transformers' own codecs of the same weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import EncodecConfig, EncodecModel, MimiConfig, MimiModel

from inference.codec.encodec import EncodecCodec
from inference.codec.look_ahead import LookAheadCodec
from inference.codec.mimi import MimiCodec
from inference.errors import InvalidSpec

FRAME = 640
MIMI_FRAME = 1920


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    torch.manual_seed(7)
    with torch.no_grad():
        yield


def _encodec(folder: Path, *, causal: bool, pad_mode: str) -> tuple[EncodecCodec, Any]:
    config = EncodecConfig(
        sampling_rate=16_000,
        target_bandwidths=[1.1],
        upsampling_ratios=[8, 5, 4, 4],
        num_filters=4,
        hidden_size=16,
        codebook_dim=16,
        codebook_size=2048,
        use_causal_conv=causal,
        pad_mode=pad_mode,
        normalize=False,
    )
    model = EncodecModel(config).eval()
    for name, buffer in model.named_buffers():
        if name.endswith("codebook.embed"):
            buffer.normal_(std=0.3)
    model.save_pretrained(folder)
    return EncodecCodec.load(folder), model


def _mimi(folder: Path) -> tuple[MimiCodec, Any]:
    config = MimiConfig(
        hidden_size=32,
        num_filters=4,
        codebook_size=64,
        codebook_dim=8,
        vector_quantization_hidden_dimension=8,
        num_quantizers=6,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=8,
        intermediate_size=64,
        sliding_window=10,
        upsample_groups=32,
    )
    model = MimiModel(config).eval()
    for name, buffer in model.named_buffers():
        if name.endswith("embed_sum"):
            buffer.normal_()
    for name, parameter in model.named_parameters():
        if "layer_scale" in name:
            parameter.fill_(0.5)
    model.save_pretrained(folder)
    return MimiCodec.load(folder), model


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
def test_whole_files_are_what_transformers_makes_of_them(tmp_path: Path, causal: bool, pad_mode: str) -> None:
    codec, reference = _encodec(tmp_path, causal=causal, pad_mode=pad_mode)
    pcm = torch.randn(2, 9_999) * 0.3
    codes = codec.encode_whole(pcm)
    assert torch.equal(codes, reference.encode(pcm[:, None], bandwidth=1.1).audio_codes[0])
    theirs = reference.decode(codes[None], [None]).audio_values[:, 0]
    assert torch.allclose(codec.decode_whole(codes), theirs, atol=1e-5)


@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
def test_a_causal_codec_streams_what_the_whole_file_gives(tmp_path: Path, pad_mode: str) -> None:
    codec, _ = _encodec(tmp_path, causal=True, pad_mode=pad_mode)
    pcm, first = torch.randn(2, FRAME * 24) * 0.3, codec.first_piece_frames
    whole = codec.encode_whole(pcm)
    state = codec.encoder_state(2)
    pieces = [codec.encode(pcm[:, : first * FRAME], state, first=True)]
    pieces += [codec.encode(pcm[:, at * FRAME : (at + 1) * FRAME], state) for at in range(first, 24)]
    assert torch.equal(torch.cat(pieces, dim=-1), whole)
    state = codec.decoder_state(2)
    sounds = [codec.decode(whole[..., :first], state, first=True)]
    sounds += [codec.decode(whole[..., at : at + 1], state) for at in range(first, 24)]
    assert torch.allclose(torch.cat(sounds, dim=-1), codec.decode_whole(whole), atol=1e-5)


@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
@pytest.mark.parametrize(("num_frames", "piece_frames"), [(20, 1), (21, 5), (3, 1), (9, 9)])
def test_a_codec_that_looks_ahead_streams_what_the_whole_file_gives_a_stated_delay_later(
    tmp_path: Path, pad_mode: str, num_frames: int, piece_frames: int
) -> None:
    whole_codec, _ = _encodec(tmp_path, causal=False, pad_mode=pad_mode)
    codec = LookAheadCodec(whole_codec)
    pcm = torch.randn(1, FRAME * num_frames) * 0.3
    whole = whole_codec.encode_whole(pcm)
    state = codec.encoder_state(1)
    codes = torch.cat([codec.encode(piece, state) for piece in pcm.split(piece_frames * FRAME, dim=1)], dim=-1)
    assert codes.shape[-1] == num_frames
    codes = torch.cat([codes, codec.encode_rest(state)], dim=-1)[..., codec.encoder_delay_frames :]
    assert torch.equal(codes, whole)
    state = codec.decoder_state(1)
    sounds = torch.cat([codec.decode(piece, state) for piece in whole.split(piece_frames, dim=-1)], dim=-1)
    found = sounds[:, codec.decoder_delay_frames * FRAME :]
    assert torch.allclose(found, whole_codec.decode_whole(whole)[:, : found.shape[-1]], atol=1e-5)


def test_mimi_streams_exactly_both_ways_beyond_its_attention_window(tmp_path: Path) -> None:
    codec, reference = _mimi(tmp_path)
    num_frames = 20
    pcm = torch.randn(2, MIMI_FRAME * num_frames) * 0.3
    codes = reference.encode(pcm[:, None]).audio_codes
    state = codec.encoder_state(2)
    pieces = [codec.encode(pcm[:, at * MIMI_FRAME : (at + 1) * MIMI_FRAME], state) for at in range(num_frames)]
    assert torch.equal(torch.cat(pieces, dim=-1), codes)
    assert torch.equal(codec.encode_whole(pcm), codes)
    theirs = reference.decode(codes).audio_values[:, 0]
    state = codec.decoder_state(2)
    sounds = torch.cat([codec.decode(codes[..., at : at + 1], state) for at in range(num_frames)], dim=-1)
    assert torch.allclose(sounds, theirs, atol=1e-5 * float(theirs.abs().max()))


@pytest.mark.parametrize("layout", ["encodec", "mimi"])
def test_a_slot_is_reset_frozen_and_fed_without_moving_its_neighbour(tmp_path: Path, layout: str) -> None:
    codec: EncodecCodec | MimiCodec
    codec = _mimi(tmp_path)[0] if layout == "mimi" else _encodec(tmp_path, causal=True, pad_mode="constant")[0]
    step = codec.samples_per_frame
    mine, other = torch.randn(1, 6 * step), torch.randn(1, 6 * step)

    def frame(pcm: torch.Tensor, at: int) -> torch.Tensor:
        return pcm[:, at * step : (at + 1) * step]

    alone = codec.encoder_state(2)
    quiet = torch.zeros(1, step)
    wanted = [codec.encode(torch.cat([frame(mine, at), quiet]), alone)[0] for at in range(6)]
    state = codec.encoder_state(2)
    for at in range(6):
        codec.reset(state, torch.tensor([False, at == 3]))
        active = torch.tensor([True, at != 1])
        codes = codec.encode(torch.cat([frame(mine, at), frame(other, at)]), state, active)
        assert torch.equal(codes[0], wanted[at])
    fresh = codec.encoder_state(2)
    for at in range(3, 6):
        again = codec.encode(torch.cat([quiet, frame(other, at)]), fresh)
    assert torch.equal(again[1], codes[1]), "a reset slot must not differ from a fresh one"


def test_a_piece_that_is_no_whole_number_of_frames_is_refused(tmp_path: Path) -> None:
    codec, _ = _encodec(tmp_path, causal=True, pad_mode="constant")
    with pytest.raises(InvalidSpec, match="whole number of frames"):
        codec.encode(torch.zeros(1, 641), codec.encoder_state(1))


def test_a_reflected_beginning_asks_for_the_frames_it_reflects(tmp_path: Path) -> None:
    codec, _ = _encodec(tmp_path, causal=True, pad_mode="reflect")
    with pytest.raises(InvalidSpec, match="to reflect"):
        codec.encode(torch.zeros(1, FRAME), codec.encoder_state(1), first=True)
