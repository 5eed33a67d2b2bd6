"""The eSpeak mouth, really speaking: audio, words, styles, languages."""

import importlib.util
from functools import cache
from threading import Thread

import numpy as np
import pytest

from inference.effects.f0 import median_f0, voiced_share
from inference.errors import InvalidSpec, ModelFault
from inference.mouth.base import Mouth, SpokenWord
from inference.mouth.espeak_library import _installed_paths
from inference.protocol import (
    AUDIO_RATE_HZ,
    FRAME_SAMPLES,
    Deliver,
    Note,
    Pause,
    Song,
    SpeechPart,
    StyleSpec,
    VoiceSpec,
    Words,
)
from tests.inference.speech_sound import SENTENCE, espeak_mouth, movement_semitones, rms_db, said, semitones_between

FEMALE = VoiceSpec(slug="female", variant="f2", pitch_hz=190.0)


@cache
def _mouth() -> Mouth:
    return espeak_mouth()


def _check_words(words: list[SpokenWord], whole: str) -> None:
    assert all(whole[word.char_start : word.char_end] == word.text for word in words)
    assert all(word.start_sample <= word.end_sample for word in words)
    starts = [word.start_sample for word in words]
    assert starts == sorted(starts)


def _loud(pcm: np.ndarray, first: int, last: int) -> float:
    return float(np.sqrt(np.mean(pcm[first:last] ** 2)))


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """The same length and loudness over time; eSpeak draws noise and flutter anew each time."""
    if len(one) != len(other):
        return False
    envelopes = [np.sqrt(np.mean(pcm.reshape(-1, FRAME_SAMPLES) ** 2, axis=1)) for pcm in (one, other)]
    return float(np.corrcoef(*envelopes)[0, 1]) > 0.97


def test_every_word_is_reported_once_with_its_place_and_time() -> None:
    whole = 'Hello, Dr. Smith! I have 42 apples — and "3.5" pears… Don\'t you?\n\nNext.'
    pcm, words = said(_mouth(), [Words(whole)])
    _check_words(words, whole)
    assert [word.text for word in words] == [
        "Hello,", "Dr.", "Smith!", "I", "have", "42", "apples —", "and", '"3.5"', "pears…", "Don't", "you?", "Next.",
    ]  # fmt: skip
    assert all(_loud(pcm, word.start_sample, word.end_sample) > 0.01 for word in words)
    assert all(word.end_sample - word.start_sample > 0.05 * AUDIO_RATE_HZ for word in words)


def test_frames_are_whole_and_their_words_begin_in_them() -> None:
    speech = _mouth().begin(VoiceSpec(), StyleSpec())
    speech.add(Words(SENTENCE))
    speech.end()
    at = 0
    while not speech.finished:
        frame = speech.frame()
        assert frame is not None
        assert frame.pcm.shape == (FRAME_SAMPLES,) and frame.pcm.dtype == np.float32
        assert np.abs(frame.pcm).max() <= 1.0
        assert all(at <= word.start_sample < at + FRAME_SAMPLES for word in frame.words)
        at += FRAME_SAMPLES
    assert speech.frame() is None


def test_a_speech_cut_into_any_parts_says_the_same_words_at_the_same_places() -> None:
    whole = "Once upon a time, there was a lamp. It burned all night."
    at_once = said(_mouth(), [Words(whole)])[1]
    in_parts = said(_mouth(), [Words(part + " ") for part in whole.split(" ")[:-1]] + [Words("night.")])[1]
    assert [(w.text, w.char_start) for w in in_parts] == [(w.text, w.char_start) for w in at_once]


def test_the_first_words_are_spoken_before_their_sentence_is_known() -> None:
    speech = _mouth().begin(VoiceSpec(), StyleSpec())
    assert speech.frame() is None
    speech.add(Words("I think that the old lighthouse "))
    frames = [speech.frame() for _ in range(3)]
    assert any(frame is not None for frame in frames)
    assert not speech.finished


def test_an_empty_speech_ends_without_a_frame() -> None:
    for parts in ([], [Words("  \n ")], [Words("🎉 — …")]):
        pcm, words = said(_mouth(), parts)
        assert (len(pcm), words) == (0, [])


def test_a_pause_is_as_long_as_asked_and_scales() -> None:
    silent = [said(_mouth(), [Words("One."), Pause(seconds), Words("Two.")])[0] for seconds in (0.5, 2.5)]
    assert (len(silent[1]) - len(silent[0])) / AUDIO_RATE_HZ == pytest.approx(2.0, abs=0.05)
    scaled = said(_mouth(), [Words("One."), Pause(2.5), Words("Two.")], style=StyleSpec(pause_scale=0.4))[0]
    assert (len(silent[1]) - len(scaled)) / AUDIO_RATE_HZ == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize(
    ("pitch_hz", "variant"), [(75.0, ""), (120.0, "m3"), (190.0, "f2"), (300.0, "f5"), (240.0, "m1")]
)
def test_a_voice_has_the_pitch_it_is_said_to_have(pitch_hz: float, variant: str) -> None:
    pcm, _ = said(_mouth(), [Words(SENTENCE)], VoiceSpec(variant=variant, pitch_hz=pitch_hz))
    measured = median_f0(pcm, AUDIO_RATE_HZ)
    assert measured is not None
    assert abs(12 * np.log2(measured / pitch_hz)) < 1.2


@pytest.mark.parametrize("rate", [0.6, 1.4, 2.0])
def test_a_style_changes_the_speaking_rate(rate: float) -> None:
    plain, _ = said(_mouth(), [Words(SENTENCE)])
    changed, _ = said(_mouth(), [Words(SENTENCE)], style=StyleSpec(rate=rate))
    assert len(changed) * rate / len(plain) == pytest.approx(1.0, abs=0.05)


def test_a_style_changes_pitch_and_movement() -> None:
    plain, _ = said(_mouth(), [Words(SENTENCE)])
    higher, _ = said(_mouth(), [Words(SENTENCE)], style=StyleSpec(pitch_semitones=5.0))
    wider, _ = said(_mouth(), [Words(SENTENCE)], style=StyleSpec(pitch_range=2.0))
    flatter, _ = said(_mouth(), [Words(SENTENCE)], style=StyleSpec(pitch_range=0.3))
    assert semitones_between(plain, higher) == pytest.approx(5.0, abs=0.5)
    assert movement_semitones(wider) > 1.5 * movement_semitones(plain)
    assert movement_semitones(flatter) < 0.6 * movement_semitones(plain)


def test_a_change_of_style_is_heard_within_the_word_and_times_stay_true() -> None:
    whole = "Wonderful internationalisation everywhere tonight my friend " * 2
    speech = _mouth().begin(VoiceSpec(), StyleSpec())
    speech.add(Words(whole))
    speech.end()
    frames: list[np.ndarray] = []
    words: list[SpokenWord] = []
    while not speech.finished:
        if len(frames) == 10:
            speech.set_style(StyleSpec(whisper=1.0, rate=0.7))
        frame = speech.frame()
        assert frame is not None
        frames.append(frame.pcm)
        words += frame.words
    pcm = np.concatenate(frames)
    switch = 10 * FRAME_SAMPLES
    assert voiced_share(pcm[:switch], AUDIO_RATE_HZ) > 0.4
    assert voiced_share(pcm[switch + 4 * FRAME_SAMPLES :], AUDIO_RATE_HZ) < 0.05
    _check_words(words, whole)
    plain = said(_mouth(), [Words(whole)])[1]
    slowed = [
        (w.end_sample - w.start_sample) / (p.end_sample - p.start_sample) for w, p in zip(words, plain, strict=True)
    ]
    assert np.median(slowed[2:]) == pytest.approx(1 / 0.7, rel=0.05)


def test_delivery_inside_a_speech_outranks_the_session_until_it_returns_to_it() -> None:
    session, whisper = StyleSpec(), StyleSpec(slug="whisper", whisper=1.0)
    first, second = "This is aloud, my good old friend.", "And this is only breath, you know."
    parts: list[SpeechPart] = [
        Words(first),
        Deliver(style=whisper),
        Words(second),
        Deliver(style=session),
        Words(first),
    ]
    pcm, words = said(_mouth(), parts, style=session)
    _check_words(words, first + second + first)
    begin, end = (next(w for w in words if w.char_start >= at).start_sample for at in (len(first), len(first + second)))
    assert voiced_share(pcm[:begin], AUDIO_RATE_HZ) > 0.4
    assert voiced_share(pcm[begin : end - 1200], AUDIO_RATE_HZ) < 0.05
    assert voiced_share(pcm[end:], AUDIO_RATE_HZ) > 0.4


def test_another_voice_speaks_from_where_it_is_delivered() -> None:
    parts: list[SpeechPart] = [Words("I am the old man here."), Deliver(voice=FEMALE), Words("And I am not, my dear.")]
    pcm, words = said(_mouth(), parts, VoiceSpec(pitch_hz=90.0))
    turn = next(word for word in words if word.text == "And").start_sample
    assert semitones_between(pcm[:turn], pcm[turn:]) == pytest.approx(12 * np.log2(190 / 90), abs=2.5)


def test_chinese_is_spoken_with_every_character_timed() -> None:
    whole = "你好，我叫米拉。今天天气很好，我们去 Paris 玩吧！"
    pcm, words = said(_mouth(), [Words(whole)], VoiceSpec(language="cmn", variant="f2", pitch_hz=200.0))
    _check_words(words, whole)
    assert [word.text for word in words[:4]] == ["你", "好，", "我", "叫"]
    assert "Paris" in [word.text for word in words]
    assert all(_loud(pcm, word.start_sample, word.end_sample) > 0.005 for word in words)
    # Read syllable by syllable (about 0.25 s); spelled out as "Chinese letter" it would take four times as long.
    assert 4.0 < len(pcm) / AUDIO_RATE_HZ < 9.0


def test_a_chinese_name_in_english_is_read_in_chinese() -> None:
    _, words = said(_mouth(), [Words("My name is 米拉, hello.")])
    name = [word for word in words if word.text in ("米", "拉,")]
    assert len(name) == 2
    assert sum(word.end_sample - word.start_sample for word in name) < 1.0 * AUDIO_RATE_HZ


def test_markup_is_never_obeyed_and_not_read() -> None:
    plain, _ = said(_mouth(), [Words("Hello my friend.")])
    marked, _ = said(
        _mouth(), [Words("<speak><prosody rate='x-slow'>Hello</prosody><break time='20s'/> my [[frEnd]] 🎉.")]
    )
    assert len(marked) < 1.6 * len(plain)


@pytest.mark.parametrize(
    ("voice", "named"),
    [
        (VoiceSpec(language="tlh"), "tlh"),
        (VoiceSpec(language="../../etc"), "language tag"),
        (VoiceSpec(variant="nobody"), "nobody"),
        (VoiceSpec(variant="../en"), "variant"),
        (VoiceSpec(variant="whisper"), "style"),
    ],
)
def test_a_voice_that_cannot_be_spoken_is_refused_by_name(voice: VoiceSpec, named: str) -> None:
    with pytest.raises(InvalidSpec, match=named):
        _mouth().prepare(voice)
    with pytest.raises(InvalidSpec):
        _mouth().begin(voice, StyleSpec())
    speech = _mouth().begin(VoiceSpec(), StyleSpec())
    with pytest.raises(InvalidSpec):
        speech.add(Deliver(voice=voice))


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.mouth.espeak_library.find_spec", lambda name: None)
    with pytest.raises(ModelFault, match="pip install"):
        _installed_paths()
    assert importlib.util.find_spec("inference.mouth.espeak_library") is not None


def test_voices_of_all_timbres_are_about_as_loud() -> None:
    voices = [VoiceSpec(), FEMALE, VoiceSpec(variant="klatt4"), VoiceSpec(variant="m3", pitch_hz=90.0)]
    loudness = [rms_db(said(_mouth(), [Words(SENTENCE)], voice)[0]) for voice in voices]
    assert max(loudness) - min(loudness) < 3.0


def test_two_speeches_spoken_at_once_do_not_mix() -> None:
    def frames(speech_text: str, voice: VoiceSpec) -> np.ndarray:
        return said(_mouth(), [Words(speech_text)], voice)[0]

    alone = frames(SENTENCE, VoiceSpec()), frames("你好，我叫米拉。", VoiceSpec(language="cmn"))
    speeches = [_mouth().begin(VoiceSpec(), StyleSpec()), _mouth().begin(VoiceSpec(language="cmn"), StyleSpec())]
    speeches[0].add(Words(SENTENCE))
    speeches[1].add(Words("你好，我叫米拉。"))
    made: list[list[np.ndarray]] = [[], []]
    for speech in speeches:
        speech.end()
    while not all(speech.finished for speech in speeches):
        for speech, kept in zip(speeches, made, strict=True):
            frame = speech.frame()
            if frame is not None:
                kept.append(frame.pcm)
    for kept, expected in zip(made, alone, strict=True):
        assert _alike(np.concatenate(kept), expected)


def test_voices_are_prepared_in_another_thread_while_one_speaks() -> None:
    mouth = espeak_mouth()
    alone = said(mouth, [Words(SENTENCE)])[0]
    specs = [VoiceSpec(slug=f"v{n}", variant=f"f{n}", pitch_hz=180.0) for n in range(1, 5)]

    def prepare_all() -> None:
        for spec in specs:
            mouth.prepare(spec)

    thread = Thread(target=prepare_all)
    thread.start()
    during = said(mouth, [Words(SENTENCE)])[0]
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert _alike(during, alone)


def test_songs_and_words_share_one_count_of_characters() -> None:
    song = Song((Note(0.5, 57, "La-"), Note(0.5, 59, "la"), Note(0.4, None), Note(0.6, 60, "la.")))
    before, after = "Listen: ", " Did you like it?"
    _, words = said(_mouth(), [Words(before), song, Words(after)])
    _check_words(words, before + song.lyrics + after)
    assert [word.text for word in words] == ["Listen:", "Lala", "la.", "Did", "you", "like", "it?"]
