"""Singing: the notes are in the sound, at their time, with their words."""

from functools import cache

import numpy as np
import pytest

from inference.effects.f0 import track_f0, voiced_share
from inference.mouth.base import Mouth, SpokenWord
from inference.mouth.lyrics import perform, read_lyrics
from inference.protocol import AUDIO_RATE_HZ, FRAME_SAMPLES, Note, Song, StyleSpec, VoiceSpec, Words
from tests.inference.speech_sound import Floats, espeak_mouth, rms_db, said, sharpest_bend

SINGER = VoiceSpec(slug="singer", variant="f2", pitch_hz=180.0)
GRACE = Song(
    (
        Note(0.6, 55, "A-"), Note(1.2, 60, "ma-"), Note(0.4, 64, "zing"), Note(0.4, 60), Note(1.2, 64, "grace,"),
        Note(0.6, 62, "how"), Note(1.2, 60, "sweet"), Note(0.6, 57, "the"), Note(1.2, 55, "sound"), Note(0.6, None),
    )
)  # fmt: skip
GRACE_SECONDS = 8.0


@cache
def _mouth() -> Mouth:
    return espeak_mouth()


@cache
def _sung() -> tuple[Floats, list[SpokenWord]]:
    return said(_mouth(), [GRACE], SINGER)


def _cents_off(
    pcm: Floats, song: Song, *, begin_s: float = 0.0, rate: float = 1.0, transpose: float = 0.0
) -> list[float]:
    """Median distance from the score, in cents, over the middle of each note."""
    f0 = track_f0(pcm, AUDIO_RATE_HZ, highest_hz=1200.0)
    off, at_s = [], begin_s
    for note in song.notes:
        seconds = note.seconds / rate
        found = f0[round((at_s + 0.2 * seconds) * 100) : round((at_s + 0.7 * seconds) * 100)]
        at_s += seconds
        if note.midi is None:
            continue
        found = found[found > 0]
        assert len(found), f"no pitch in {note}"
        off.append(float(np.median(1200 * np.log2(found / (440 * 2 ** ((note.midi + transpose - 69) / 12))))))
    return off


def test_every_note_is_sung_within_twenty_cents() -> None:
    pcm, _ = _sung()
    assert np.abs(_cents_off(pcm, GRACE)).max() < 20


def test_a_song_takes_the_time_of_its_score() -> None:
    pcm, _ = _sung()
    assert len(pcm) / AUDIO_RATE_HZ == pytest.approx(GRACE_SECONDS, abs=0.06)


def test_words_are_sung_on_their_beats_and_shown_as_written() -> None:
    _, words = _sung()
    assert [word.text for word in words] == ["Amazing", "grace,", "how", "sweet", "the", "sound"]
    assert all(GRACE.lyrics[word.char_start : word.char_end] == word.text for word in words)
    beats = [0.0, 2.6, 3.8, 4.4, 5.6, 6.2]
    for word, beat in zip(words, beats, strict=True):
        # Consonants come before the beat; "grace" has the longest cluster.
        assert -0.33 < word.start_sample / AUDIO_RATE_HZ - beat < 0.02


def test_the_voice_sets_in_on_the_beat_after_an_unvoiced_consonant() -> None:
    """Of `s` and `t` the ear of this test knows where they end: voicing begins with the vowel."""
    song = Song((Note(0.8, 57, "sea"), Note(0.8, 60, "tea"), Note(0.8, 62, "see"), Note(0.8, 55, "fee")))
    pcm, _ = said(_mouth(), [Words("Now. "), song], SINGER)
    first = said(_mouth(), [Words("Now. ")], SINGER)[0]
    sung = pcm[len(first) // FRAME_SAMPLES * FRAME_SAMPLES :]
    voiced = track_f0(sung, AUDIO_RATE_HZ, 0.005) > 0
    onsets = [0.005 * i for i in range(4, len(voiced)) if voiced[i : i + 20].all() and not voiced[i - 4 : i].any()]
    gaps = np.diff(onsets)
    assert len(onsets) == 4
    assert np.abs(gaps - 0.8).max() < 0.08


def test_held_syllables_move_without_a_new_consonant() -> None:
    song = Song((Note(0.7, 55, "Oh"), Note(0.7, 59), Note(0.7, 62)))
    pcm, words = said(_mouth(), [song], SINGER)
    assert np.abs(_cents_off(pcm, song)).max() < 20
    assert [word.text for word in words] == ["Oh"]
    assert voiced_share(pcm[2400:-4800], AUDIO_RATE_HZ) > 0.97


def test_long_notes_tremble_and_short_ones_do_not() -> None:
    def spread(seconds: float) -> float:
        pcm, _ = said(_mouth(), [Song((Note(seconds, 60, "ah"),))], SINGER)
        f0 = track_f0(pcm, AUDIO_RATE_HZ)[round(20 * seconds) : round(70 * seconds)]
        return float(np.ptp(1200 * np.log2(f0[f0 > 0])))

    assert 30 < spread(3.0) < 90
    assert spread(0.4) < 25


def test_rests_are_silent() -> None:
    song = Song((Note(0.6, 60, "la"), Note(0.8, None), Note(0.6, 60, "la")))
    pcm, _ = said(_mouth(), [song], SINGER)
    assert rms_db(pcm[round(0.75 * AUDIO_RATE_HZ) : round(1.1 * AUDIO_RATE_HZ)]) < -60


def test_singing_has_no_clicks() -> None:
    spoken, _ = said(_mouth(), [Words(GRACE.lyrics)], SINGER)
    assert sharpest_bend(_sung()[0]) < 1.5 * sharpest_bend(spoken)


def test_phrases_in_a_row_keep_one_beat() -> None:
    """The mind puts a line break between phrases; the second begins where the last note of the first ended."""
    second = Song((Note(0.8, 60, "Sweet"), Note(0.8, 62, "sleep")))
    pcm, _ = said(_mouth(), [GRACE, Words("\n"), second], SINGER)
    assert len(pcm) / AUDIO_RATE_HZ == pytest.approx(GRACE_SECONDS + 1.6, abs=0.06)
    assert np.abs(_cents_off(pcm, second, begin_s=GRACE_SECONDS)).max() < 20


def test_style_sets_tempo_and_key_of_a_song() -> None:
    pcm, _ = said(_mouth(), [GRACE], SINGER, StyleSpec(rate=1.25, pitch_semitones=-3.0, pitch_range=2.0))
    assert len(pcm) / AUDIO_RATE_HZ == pytest.approx(GRACE_SECONDS / 1.25, abs=0.06)
    assert np.abs(_cents_off(pcm, GRACE, rate=1.25, transpose=-3.0)).max() < 20


def test_a_song_can_be_whispered_halfway() -> None:
    speech = _mouth().begin(SINGER, StyleSpec())
    speech.add(GRACE)
    speech.end()
    frames: list[Floats] = []
    while not speech.finished:
        if len(frames) == 100:
            speech.set_style(StyleSpec(whisper=1.0))
        frame = speech.frame()
        assert frame is not None
        frames.append(frame.pcm)
    pcm = np.concatenate(frames)
    assert voiced_share(pcm[: 99 * FRAME_SAMPLES], AUDIO_RATE_HZ) > 0.8
    assert voiced_share(pcm[103 * FRAME_SAMPLES :], AUDIO_RATE_HZ) < 0.05


@pytest.mark.parametrize("lyric", ["fire", "rhythm", "mmm", "42", "…", "xkcd", "o'er"])
def test_odd_syllables_are_sung_on_their_note(lyric: str) -> None:
    song = Song((Note(0.8, 57, lyric), Note(0.8, 60, "la")))
    pcm, words = said(_mouth(), [song], SINGER)
    assert len(pcm) / AUDIO_RATE_HZ == pytest.approx(1.6, abs=0.4)
    assert words[-1].text == "la"


def test_a_score_without_words_is_hummed_and_one_without_notes_is_silent() -> None:
    hummed, words = said(_mouth(), [Song((Note(0.6, 57), Note(0.6, 60)))], SINGER)
    assert words == [] and voiced_share(hummed, AUDIO_RATE_HZ) > 0.8
    silent, _ = said(_mouth(), [Song((Note(0.6, None),))], SINGER)
    assert len(silent) and not silent.any()
    assert len(said(_mouth(), [Song(())], SINGER)[0]) < AUDIO_RATE_HZ


def test_chinese_is_sung_by_character() -> None:
    song = Song(tuple(Note(0.6, midi, lyric) for midi, lyric in zip((60, 62, 64, 67), "月亮代表", strict=True)))
    pcm, words = said(_mouth(), [song], VoiceSpec(language="cmn", variant="f2", pitch_hz=200.0))
    assert [word.text for word in words] == list("月亮代表")
    assert np.abs(_cents_off(pcm, song)).max() < 20


def test_syllables_join_into_the_words_of_the_lyrics() -> None:
    words = read_lyrics(perform(GRACE, 2.0, 0.0))
    assert [(word.text, len(word.syllables)) for word in words][:2] == [("Amazing", 3), ("grace,", 1)]
    assert words[0].syllables[2].end_s == pytest.approx(1.3)
    assert all(GRACE.lyrics[word.char_start :].startswith(word.text) for word in words)
