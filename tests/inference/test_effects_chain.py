"""The effect chain on real speech: what each effect does, and what it leaves alone."""

from functools import cache

import numpy as np
import pytest

from inference.effects.chain import LATENCY_SAMPLES, Chain
from inference.effects.f0 import median_f0, voiced_share
from inference.effects.settings import EffectSettings, MadeProsody
from inference.protocol import AUDIO_RATE_HZ, StyleSpec, VoiceSpec
from tests.inference.speech_sound import (
    Floats,
    espeak_mouth,
    formant_centre_hz,
    movement_semitones,
    rms_db,
    semitones_between,
    sharpest_bend,
    spoken_sentence,
    through,
)


@cache
def _speech() -> Floats:
    return spoken_sentence(espeak_mouth())


@cache
def _median_hz() -> float:
    return median_f0(_speech(), AUDIO_RATE_HZ) or 0.0


def _changed(settings: EffectSettings) -> Floats:
    return through(Chain(settings), _speech())


def test_neutral_settings_pass_every_bit_without_delay() -> None:
    chain = Chain(EffectSettings())
    for first in range(0, 9600, 960):
        piece = _speech()[first : first + 960]
        assert np.array_equal(chain.process(piece), piece)
    assert len(chain.flush()) == 0


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.25, 2.0])
def test_rate_changes_length_within_five_percent_and_keeps_pitch(rate: float) -> None:
    changed = _changed(EffectSettings(rate=rate))
    assert len(changed) * rate / len(_speech()) == pytest.approx(1.0, abs=0.05)
    assert abs(semitones_between(_speech(), changed)) < 0.5


@pytest.mark.parametrize("semitones", [-5.0, 4.0, 9.0])
def test_pitch_moves_while_length_and_formants_stay(semitones: float) -> None:
    changed = _changed(EffectSettings(pitch_ratio=2.0 ** (semitones / 12)))
    assert len(changed) == pytest.approx(len(_speech()), rel=0.01)
    assert semitones_between(_speech(), changed) == pytest.approx(semitones, abs=0.4)
    assert formant_centre_hz(changed) == pytest.approx(formant_centre_hz(_speech()), rel=0.08)


def test_formants_move_while_pitch_stays() -> None:
    changed = _changed(EffectSettings(formant_ratio=1.2))
    assert formant_centre_hz(changed) / formant_centre_hz(_speech()) > 1.1
    assert abs(semitones_between(_speech(), changed)) < 0.4


def test_pitch_range_flattens_and_widens_around_the_median() -> None:
    natural = movement_semitones(_speech())
    flat = _changed(EffectSettings(pitch_range=0.0, median_hz=_median_hz()))
    wide = _changed(EffectSettings(pitch_range=2.0, median_hz=_median_hz()))
    assert movement_semitones(flat) < 0.25 * natural
    assert 1.6 * natural < movement_semitones(wide) < 2.6 * natural
    assert abs(semitones_between(_speech(), wide)) < 1.0


def test_a_whisper_has_no_voice_and_is_softer() -> None:
    whispered = _changed(EffectSettings(whisper=1.0))
    assert voiced_share(_speech(), AUDIO_RATE_HZ) > 0.5
    assert voiced_share(whispered, AUDIO_RATE_HZ) < 0.05
    assert rms_db(whispered) < rms_db(_speech()) - 6
    assert len(whispered) == len(_speech())


def test_a_whisper_keeps_the_rhythm_of_the_words() -> None:
    hop = AUDIO_RATE_HZ // 50
    loudness = [
        np.sqrt(np.mean(pcm[: len(pcm) // hop * hop].reshape(-1, hop) ** 2, axis=1))
        for pcm in (_speech(), _changed(EffectSettings(whisper=1.0)))
    ]
    assert np.corrcoef(loudness[0], loudness[1])[0, 1] > 0.9


@pytest.mark.parametrize("level_db", [-20.0, -6.0, 6.0])
def test_level_moves_by_what_was_asked(level_db: float) -> None:
    quiet = 0.3 * _speech()
    assert rms_db(through(Chain(EffectSettings(level_db=level_db)), quiet)) == pytest.approx(
        rms_db(quiet) + level_db, abs=0.5
    )


def test_even_the_loudest_level_never_clips() -> None:
    shouted = through(Chain(EffectSettings(level_db=9.0)), _speech() / np.abs(_speech()).max())
    assert np.abs(shouted).max() < 1.0
    assert rms_db(shouted) > rms_db(_speech())


@pytest.mark.parametrize(
    "settings",
    [
        EffectSettings(rate=0.75),
        EffectSettings(rate=1.6, pitch_ratio=1.3, pitch_range=1.5, formant_ratio=0.9),
        EffectSettings(whisper=0.7, level_db=6.0),
        EffectSettings(rate=1.2, whisper=1.0, level_db=-10.0),
    ],
)
def test_streamed_equals_whole(settings: EffectSettings) -> None:
    whole = through(Chain(settings), _speech(), len(_speech()))
    for piece in (960, 333):
        streamed = through(Chain(settings), _speech(), piece)
        assert len(streamed) == len(whole)
        assert np.abs(streamed - whole).max() < 1e-5


def test_streams_share_nothing() -> None:
    settings = EffectSettings(rate=1.3, whisper=0.5, level_db=5.0)
    alone = through(Chain(settings), _speech())
    mine, other = Chain(settings), Chain(EffectSettings(pitch_ratio=0.7, whisper=1.0))
    out = []
    for first in range(0, len(_speech()), 960):
        out.append(mine.process(_speech()[first : first + 960]))
        other.process(_speech()[::-1][first : first + 960])
    assert np.array_equal(np.concatenate([*out, mine.flush()]), alone)


def test_a_reset_stream_is_a_fresh_one() -> None:
    settings = EffectSettings(rate=0.9, pitch_ratio=1.2, whisper=0.6, level_db=3.0)
    chain = Chain(settings)
    first = through(chain, _speech())
    chain.reset()
    assert np.array_equal(through(chain, _speech()), first)


@pytest.mark.parametrize(
    "settings",
    [
        EffectSettings(rate=0.7),
        EffectSettings(pitch_ratio=1.4),
        EffectSettings(pitch_ratio=0.3),
        EffectSettings(whisper=1.0),
        EffectSettings(level_db=-25.0),
    ],
)
def test_switching_back_and_forth_never_clicks_and_ends_as_plain_sound(settings: EffectSettings) -> None:
    time = np.arange(4 * AUDIO_RATE_HZ) / AUDIO_RATE_HZ
    partials = [0.2 / k * np.sin(2 * np.pi * 110.0 * k * time) for k in range(1, 6)]
    hum = np.sum(partials, axis=0).astype(np.float32)
    chain = Chain(EffectSettings())
    out = []
    for number, first in enumerate(range(0, len(hum), 960)):
        chain.set(settings if number % 20 in range(10, 20) and number < 90 else EffectSettings())
        out.append(chain.process(hum[first : first + 960]))
    switched = np.concatenate([*out, chain.flush()])
    noise_allowed = 0.3 if settings.whisper else 0.0
    assert sharpest_bend(switched) < 2.0 * sharpest_bend(hum) + noise_allowed
    assert np.array_equal(switched[-2400:], hum[-2400:])


def test_a_change_taken_back_at_once_leaves_no_trace() -> None:
    for settings in (EffectSettings(whisper=0.3), EffectSettings(rate=0.8)):
        chain = Chain(EffectSettings())
        out = [chain.process(_speech()[:9600])]
        chain.set(settings)
        out.append(chain.process(_speech()[9600:9700]))
        chain.set(EffectSettings())
        out += [chain.process(_speech()[9700:]), chain.flush()]
        assert np.abs(np.concatenate(out) - _speech()).max() < 1e-6


def test_positions_are_mapped_through_a_change_of_rate() -> None:
    """A burst in silence comes out where the map says."""
    at = 30_000
    pcm = np.zeros(60_000, np.float32)
    pcm[at : at + 1200] = 0.5 * np.sin(2 * np.pi * 200 * np.arange(1200) / AUDIO_RATE_HZ)
    chain = Chain(EffectSettings())
    out, expected = [], None
    for first in range(0, len(pcm), 960):
        chain.set(EffectSettings(rate=0.6) if first > 9600 else EffectSettings())
        out.append(chain.process(pcm[first : first + 960]))
        if expected is None:
            expected = chain.output_sample(at)
    sound = np.concatenate([*out, chain.flush()])
    heard = int(np.flatnonzero(np.abs(sound) > 0.05)[0])
    assert expected is not None
    assert expected == pytest.approx(9600 + 960 + (at - 9600 - 960) / 0.6, abs=AUDIO_RATE_HZ * 0.02)
    assert abs(heard - expected) < AUDIO_RATE_HZ * 0.02


def test_never_more_is_held_back_than_stated() -> None:
    chain = Chain(EffectSettings(pitch_ratio=1.1, whisper=1.0, level_db=3.0))
    fed = given = 0
    for first in range(0, len(_speech()), 960):
        piece = _speech()[first : first + 960]
        fed += len(piece)
        given += len(chain.process(piece))
        assert fed - given <= LATENCY_SAMPLES


def test_settings_cover_only_what_the_sound_does_not_have_yet() -> None:
    voice = VoiceSpec(pitch_hz=150.0)
    wanted = StyleSpec(rate=1.5, pitch_semitones=12.0, pitch_range=2.0, whisper=0.4, level_db=-3.0)
    made = MadeProsody(rate=1.5, median_hz=300.0, pitch_range=2.0)
    assert EffectSettings.between(made, wanted, voice) == EffectSettings(whisper=0.4, level_db=-3.0, median_hz=300.0)
    plain = EffectSettings.between(MadeProsody(1.0, 150.0, 1.0), wanted, voice)
    assert (plain.rate, plain.pitch_ratio, plain.pitch_range) == (1.5, 2.0, 2.0)
