"""The codec of envelope, F0 and voicing: exact in a stream, true to pitch and level, steered slot by slot."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from inference.checkpoints.errors import BrokenFile, TensorMissing, TensorShape, TensorUnknown, TensorValues
from inference.codec.source_filter.analysis import analyse, estimate_f0, windows_of
from inference.codec.source_filter.codec import SourceFilterCodec
from inference.codec.source_filter.grid import NUM_BANDS, SILENT_LOG_POWER, SUBFRAMES, bands_to_bins
from inference.codec.source_filter.network import DECODER_DELAY
from inference.codec.source_filter.prosody import ProsodyBook
from inference.codec.source_filter.vocoder import LAG_SAMPLES, Vocoder
from inference.codec.state import StreamState
from inference.errors import InvalidSpec
from inference.training.corpus import features_of, resampled
from inference.training.flite import FliteVoice
from inference.training.teaching import TeacherMissing
from tests.inference.source_filter_codecs import (
    FRAME,
    LEVELS_HZ,
    cents,
    codec_tensors,
    codes_at,
    harmonic_sound,
    noise,
    prosody_table,
    random_codes,
    source_filter,
    vowel,
    write_source_filter,
)

SETTLED = 4
"""Frames after which nothing is left of how a stream began."""


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> SourceFilterCodec:
    torch.set_num_threads(1)
    return source_filter(tmp_path_factory.mktemp("codec"))


def talk(slots: int, frames: int) -> Tensor:
    """Sound [B, S]: tones that differ from slot to slot, noise, silence."""
    third = frames * FRAME // 3
    rows = []
    for slot in range(slots):
        tone = harmonic_sound(110.0 + 37 * slot, third / 16_000, seed=slot)
        rows.append(torch.cat([tone, noise(third, seed=slot), torch.zeros(frames * FRAME - third - len(tone))]))
    return torch.stack(rows)


def f0_of(pcm: Tensor) -> Tensor:
    """F0 [N] of a sound [S] whose first frames are left out."""
    return estimate_f0(windows_of(pcm))[SETTLED * SUBFRAMES : -SUBFRAMES]


# --- in a stream ---


def test_a_stream_is_coded_as_the_whole_recording_is_a_frame_later(codec: SourceFilterCodec) -> None:
    pcm = talk(2, 18)
    state = codec.encoder_state(2)
    pieces = [codec.encode(piece, state) for piece in pcm.split(FRAME, dim=1)]
    streamed = torch.cat([*pieces, codec.encode_rest(state)], dim=2)
    for slot in range(2):
        # The first code of a stream is of the frame of silence before it.
        found = analyse(windows_of(torch.cat([torch.zeros(FRAME), pcm[slot]])))
        whole = codec.encode_features(found.envelope.view(1, -1, SUBFRAMES, NUM_BANDS), found.f0_hz.view(1, -1, 4))
        assert torch.equal(streamed[slot], whole[0])
    assert len(streamed[0].unique(dim=1).T) > 6, "codes should follow the sound"


@pytest.mark.parametrize("piece_frames", [1, 3, 12])
def test_pieces_of_any_length_are_decoded_alike(codec: SourceFilterCodec, piece_frames: int) -> None:
    codes = random_codes(2, 12)
    whole = codec.decode(codes, codec.decoder_state(2))
    state = codec.decoder_state(2)
    pieces = [codec.decode(piece, state) for piece in codes.split(piece_frames, dim=2)]
    assert torch.allclose(torch.cat(pieces, dim=1), whole, atol=1e-5 * float(whole.abs().max()))
    assert float(whole.square().mean()) > 1e-7, "silence would always be equal"


def test_a_stream_sounds_as_the_features_of_the_whole_a_frame_later(codec: SourceFilterCodec) -> None:
    codes = random_codes(1, 12, seed=4)
    streamed = torch.cat([codec.decode(piece, state) for state in [codec.decoder_state(1)]
                          for piece in codes.split(1, dim=2)], dim=1)  # fmt: skip
    envelope, f0 = codec.decode_features(codes)
    state = StreamState(1)
    silent = torch.full((1, SUBFRAMES, NUM_BANDS), SILENT_LOG_POWER)
    frames = [codec.vocode(silent, torch.zeros(1, SUBFRAMES), torch.zeros(1, SUBFRAMES), state)] * DECODER_DELAY
    for at in range(12 - DECODER_DELAY):
        frames.append(codec.vocode(envelope[:, at], f0[:, at], (f0[:, at] > 0).float(), state))
    wanted = torch.cat(frames, dim=1)
    later = slice(SETTLED * FRAME, None)
    assert torch.allclose(streamed[:, later], wanted[:, later], atol=1e-5 * float(wanted.abs().max()))


def test_a_reset_slot_is_a_fresh_one(codec: SourceFilterCodec) -> None:
    pcm, codes = talk(2, 6), random_codes(2, 6)
    heard, spoken = codec.encoder_state(2), codec.decoder_state(2)
    codec.encode(talk(2, 9), heard)
    codec.decode(random_codes(2, 9, seed=1), spoken)
    for state in (heard, spoken):
        codec.reset(state, torch.tensor([True, True]))
    assert torch.equal(codec.encode(pcm, heard), codec.encode(pcm, codec.encoder_state(2)))
    assert torch.equal(codec.decode(codes, spoken), codec.decode(codes, codec.decoder_state(2)))


def test_callers_come_pause_and_go_without_moving_their_neighbour(codec: SourceFilterCodec) -> None:
    mine, other = talk(1, 12), talk(2, 12)[1:]
    my_codes, other_codes = random_codes(1, 12), random_codes(1, 12, seed=9)

    def both(with_other: bool) -> tuple[Tensor, Tensor]:
        heard, spoken = codec.encoder_state(2), codec.decoder_state(2)
        found, sound = [], []
        for at in range(12):
            here = slice(at * FRAME, (at + 1) * FRAME)
            beside = other[:, here] if with_other else torch.zeros(1, FRAME)
            if with_other and at == 7:
                codec.reset(heard, torch.tensor([False, True]))
                codec.reset(spoken, torch.tensor([False, True]))
            active = torch.tensor([True, with_other and at not in (3, 4)])
            found.append(codec.encode(torch.cat([mine[:, here], beside]), heard, active)[0])
            pair = torch.cat([my_codes, other_codes])[:, :, at : at + 1]
            sound.append(codec.decode(pair, spoken, active)[0])
        return torch.cat(found, dim=1), torch.cat(sound)

    alone, crowded = both(False), both(True)
    assert torch.equal(alone[0], crowded[0])
    assert torch.equal(alone[1], crowded[1])


def test_a_slot_that_waits_goes_on_where_it_stood(codec: SourceFilterCodec) -> None:
    pcm, codes = talk(2, 8), random_codes(2, 8)
    wanted_codes = codec.encode(pcm, codec.encoder_state(2))
    wanted_sound = codec.decode(codes, codec.decoder_state(2))
    heard, spoken = codec.encoder_state(2), codec.decoder_state(2)
    only_first, all_ = torch.tensor([True, False]), torch.tensor([True, True])
    first, second = [], []
    for at in range(8):
        here = slice(at * FRAME, (at + 1) * FRAME)
        if at == 5:
            for _ in range(3):
                codec.encode(noise(2 * FRAME).view(2, FRAME), heard, only_first)
                codec.decode(random_codes(2, 1, seed=5), spoken, only_first)
        first.append(codec.encode(pcm[:, here], heard, all_)[1])
        second.append(codec.decode(codes[:, :, at : at + 1], spoken, all_)[1])
    assert torch.equal(torch.cat(first, dim=1), wanted_codes[1])
    assert torch.allclose(torch.cat(second), wanted_sound[1], atol=1e-6)


@pytest.mark.parametrize("samples", [0, 639, 641])
def test_audio_that_is_no_whole_number_of_frames_is_refused(codec: SourceFilterCodec, samples: int) -> None:
    with pytest.raises(InvalidSpec, match="whole number of frames"):
        codec.encode(torch.zeros(1, samples), codec.encoder_state(1))


# --- analysis ---


@pytest.mark.parametrize("f0_hz", [70.0, 83.0, 110.0, 147.3, 196.0, 233.1, 311.0, 377.7, 450.0])
def test_f0_of_a_harmonic_sound_is_found_to_ten_cents(f0_hz: float) -> None:
    found = estimate_f0(windows_of(harmonic_sound(f0_hz)))[SUBFRAMES : -2 * SUBFRAMES]
    assert bool((found > 0).all())
    assert float(cents(found, f0_hz).abs().max()) < 10


def test_silence_and_noise_have_no_pitch() -> None:
    assert not estimate_f0(windows_of(torch.zeros(16_000))).any()
    assert not estimate_f0(windows_of(1e-4 * harmonic_sound(150.0))).any()
    hiss = estimate_f0(windows_of(noise(80_000)))
    assert float((hiss > 0).float().mean()) < 0.01


def test_the_envelope_does_not_show_the_harmonics() -> None:
    """The same vowel at two pitches has one envelope."""
    envelope = vowel().repeat(1, SUBFRAMES, 1)
    found = []
    for hz in (110.0, 205.0):
        pcm = vocoded(envelope, torch.full((1, SUBFRAMES), hz), torch.ones(1, SUBFRAMES), 20)
        found.append(analyse(windows_of(pcm)).envelope[SETTLED * SUBFRAMES : -SUBFRAMES].mean(dim=0))
    audible = slice(3, 40)
    difference_db = (found[0] - found[1])[audible] * (10 / math.log(10))
    assert float(difference_db.abs().mean()) < 1.5
    assert float((found[0] - vowel())[audible].abs().mean()) * (10 / math.log(10)) < 2.0


# --- the vocoder ---


def vocoded(envelope: Tensor, f0_hz: Tensor, voiced: Tensor, frames: int) -> Tensor:
    """Sound [S] of one frame's features over and over."""
    vocoder, state = Vocoder(), StreamState(1)
    return torch.cat([vocoder.frame(envelope, f0_hz, voiced, state) for _ in range(frames)], dim=1)[0]


@pytest.mark.parametrize("hz", [85.0, 150.0, 260.0, 400.0])
def test_a_voiced_sound_has_the_pitch_and_the_level_it_is_asked_for(hz: float) -> None:
    envelope = vowel().repeat(1, SUBFRAMES, 1)
    pcm = vocoded(envelope, torch.full((1, SUBFRAMES), hz), torch.ones(1, SUBFRAMES), 40)
    found = f0_of(pcm)
    assert float((found > 0).float().mean()) > 0.98
    assert abs(float(cents(found[found > 0], hz).median())) < 10
    assert abs(level_db(pcm) - envelope_level_db(vowel())) < 1.0


def test_an_unvoiced_sound_has_the_level_it_is_asked_for_and_no_period() -> None:
    envelope = vowel().repeat(1, SUBFRAMES, 1)
    pcm = vocoded(envelope, torch.full((1, SUBFRAMES), 150.0), torch.zeros(1, SUBFRAMES), 100)
    assert float((f0_of(pcm) > 0).float().mean()) < 0.02
    assert abs(level_db(pcm) - envelope_level_db(vowel())) < 1.0


def level_db(pcm: Tensor) -> float:
    return 10 * math.log10(float(pcm[SETTLED * FRAME :].square().mean()))


def envelope_level_db(envelope: Tensor) -> float:
    """Power of white noise of unit power through this log envelope [NUM_BANDS]."""
    return 10 * math.log10(float((envelope @ bands_to_bins()).exp().mean()))


# --- the prosody codebook ---


def test_every_pattern_of_voicing_is_kept_and_the_nearest_pitch_taken() -> None:
    book = ProsodyBook(prosody_table())
    generator = torch.Generator().manual_seed(2)
    voiced = torch.rand((500, SUBFRAMES), generator=generator) < 0.5
    voiced[:16] = torch.tensor([[bool(pattern >> place & 1) for place in range(4)] for pattern in range(16)])
    f0 = torch.where(voiced, 80 + 200 * torch.rand((500, SUBFRAMES), generator=generator), 0.0)
    found = book.decode(book.encode(f0.view(4, 125, SUBFRAMES))).view(500, SUBFRAMES)
    assert torch.equal(found > 0, voiced)
    levels = torch.tensor(LEVELS_HZ)
    for row, kept in zip(f0, found, strict=True):
        if bool((row > 0).any()):
            away = ((row[row > 0].log2()[:, None] - levels.log2()) ** 2).sum(dim=0)
            assert float(kept.max()) == float(levels[away.argmin()])
    assert torch.equal(book.decode(book.encode(prosody_table())), prosody_table())


def test_a_table_that_lacks_a_pattern_is_refused() -> None:
    table = prosody_table()
    silent_end = (table > 0).sum(dim=1) != 1
    with pytest.raises(ValueError, match="16 patterns"):
        ProsodyBook(table[silent_end])


# --- steering ---


def steered(
    codec: SourceFilterCodec, codes: Tensor, changes: dict[int, dict[str, object]], slots: int = 2, slot: int = 1
) -> Tensor:
    """Sound [B, S] of the same codes in every slot; `changes` by frame are made to one slot."""
    steering, state = codec.new_steering(slots), codec.decoder_state(slots)
    pieces = []
    for at in range(codes.shape[2]):
        for name, value in changes.get(at, {}).items():
            if name == "pitch":
                assert isinstance(value, dict)
                steering.set_pitch(slot, **value)
            elif name == "voicing":
                assert isinstance(value, float)
                steering.set_voicing(slot, value)
            elif name == "melody":
                assert value is None or isinstance(value, Tensor)
                steering.set_melody(slot, value)
            else:
                steering.reset(slot)
        pieces.append(codec.decode(codes[:, :, at : at + 1].expand(slots, -1, -1), state, None, steering))
    return torch.cat(pieces, dim=1)


def test_neutral_steering_changes_nothing(codec: SourceFilterCodec) -> None:
    codes = random_codes(1, 12)
    plain = codec.decode(codes.expand(2, -1, -1), codec.decoder_state(2))
    assert torch.allclose(steered(codec, codes, {}), plain, atol=1e-6)


def test_semitones_move_one_slot_and_its_neighbour_not_a_bit(codec: SourceFilterCodec) -> None:
    codes = codes_at([120.0] * 40)
    plain, moved = steered(codec, codes, {}), steered(codec, codes, {0: {"pitch": {"semitones": 7.0}}})
    assert torch.equal(plain[0], moved[0])
    assert abs(float(cents(f0_of(plain[1]).median(), 120.0))) < 10
    assert abs(float(cents(f0_of(moved[1]).median(), 120.0)) - 700) < 10


def test_the_spread_stretches_movement_around_its_centre(codec: SourceFilterCodec) -> None:
    tones = [120.0 if at // 10 % 2 == 0 else 180.0 for at in range(60)]
    centre = (120.0 * 180.0) ** 0.5
    for spread in (0.0, 0.5, 1.5):
        found = f0_of(steered(codec, codes_at(tones), {0: {"pitch": {"centre_hz": centre, "spread": spread}}})[1])
        low, high = torch.quantile(found[found > 0], torch.tensor([0.1, 0.9]))
        wanted = spread * float(cents(torch.tensor(180.0), 120.0))
        assert abs(float(cents(high, low)) - wanted) < 25
        assert abs(float(cents((low * high).sqrt(), centre))) < 15


def test_a_melody_is_sung_where_it_has_a_tone_and_ends_when_it_is_taken_back(codec: SourceFilterCodec) -> None:
    tone = torch.full((SUBFRAMES,), 233.1)
    changes: dict[int, dict[str, object]] = {15: {"melody": tone}, 30: {"melody": None}}
    pcm = steered(codec, codes_at([120.0] * 45), changes)
    parts = [f0_of(part) for part in pcm[1].split(15 * FRAME)]
    for part, wanted in zip(parts, (120.0, 233.1, 120.0), strict=True):
        assert abs(float(cents(part.median(), wanted))) < 10
    partly = steered(codec, codes_at([120.0] * 30), {0: {"melody": torch.tensor([233.1, 233.1, 0.0, 0.0])}})
    assert not torch.equal(partly[0], partly[1])


def test_a_melody_does_not_voice_what_is_unvoiced(codec: SourceFilterCodec) -> None:
    codes = codes_at([120.0] * 30)
    codes[:, -1] = 0
    pcm = steered(codec, codes, {0: {"melody": torch.full((SUBFRAMES,), 200.0)}})
    assert float((f0_of(pcm[1]) > 0).float().mean()) < 0.05


def test_a_whisper_begins_and_ends_in_the_middle_of_a_stream(codec: SourceFilterCodec) -> None:
    pcm = steered(codec, codes_at([120.0] * 60), {20: {"voicing": 0.0}, 40: {"voicing": 1.0}})
    before, whispered, after = (f0_of(part) for part in pcm[1].split(20 * FRAME))
    assert float((before > 0).float().mean()) > 0.98
    assert float((whispered > 0).float().mean()) < 0.05
    assert float((after > 0).float().mean()) > 0.98
    assert float((f0_of(pcm[0]) > 0).float().mean()) > 0.98


def test_a_slot_that_is_given_on_is_neutral_again(codec: SourceFilterCodec) -> None:
    codes = codes_at([120.0] * 12)
    changes: dict[int, dict[str, object]] = {
        0: {"pitch": {"semitones": 5.0}, "voicing": 0.3, "melody": torch.full((4,), 300.0), "reset": True}
    }
    assert torch.equal(steered(codec, codes, changes), steered(codec, codes, {}))


# --- real speech ---


def test_real_speech_keeps_its_pitch_and_voicing_through_analysis_and_synthesis() -> None:
    try:
        spoken = FliteVoice("rms").speak("The old keeper climbed the stairs, and the wind was howling around him.")
    except TeacherMissing as error:
        pytest.skip(str(error))
    features = features_of(resampled(spoken, level=float(np.sqrt(np.mean(spoken.pcm**2)))))
    frames = len(features.f0_hz) // SUBFRAMES
    envelope, f0 = features.envelope.view(1, frames, SUBFRAMES, -1), features.f0_hz.view(1, frames, SUBFRAMES)
    vocoder, state = Vocoder(), StreamState(1)
    pcm = torch.cat([vocoder.frame(envelope[:, at], f0[:, at], (f0[:, at] > 0).float(), state)
                     for at in range(frames)], dim=1)[0, LAG_SAMPLES:]  # fmt: skip
    again = analyse(windows_of(pcm)).f0_hz[: len(features.f0_hz)]
    truth = features.f0_hz[: len(again)]
    assert float((truth > 0).float().mean()) > 0.3, "a sentence is mostly voiced"
    assert float(((again > 0) != (truth > 0)).float().mean()) < 0.10
    both = (again > 0) & (truth > 0)
    assert float(cents(again[both], truth[both]).abs().median()) < 25


# --- files ---


@pytest.mark.parametrize(
    ("change", "error", "named"),
    [
        (lambda t: t.pop("encoder.blocks.1.norm.weight"), TensorMissing, "encoder.blocks.1.norm.weight"),
        (lambda t: t.update(extra=torch.zeros(2)), TensorUnknown, "extra"),
        (lambda t: t.update(mean=torch.zeros(7)), TensorShape, "mean is 7"),
        (lambda t: t["decoder.leave.bias"].fill_(torch.nan), TensorValues, "decoder.leave.bias"),
        (lambda t: t.update(codebooks=torch.zeros(3, 64, 5)), TensorShape, "codebooks"),
        (lambda t: t.update(prosody=torch.zeros(9, 4)), TensorShape, "prosody"),
        (lambda t: t.update(prosody=torch.full((64, 4), 100.0)), BrokenFile, "16 patterns"),
    ],
)
def test_a_folder_that_cannot_be_used_says_which_tensor(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], error: type[Exception], named: str
) -> None:
    tensors = codec_tensors()
    change(tensors)
    with pytest.raises(error, match=named):
        SourceFilterCodec.load(write_source_filter(tmp_path, tensors))


def test_a_folder_of_another_codec_is_refused(tmp_path: Path) -> None:
    write_source_filter(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "encodec"}', encoding="utf-8")
    with pytest.raises(BrokenFile, match="source_filter"):
        SourceFilterCodec.load(tmp_path)
