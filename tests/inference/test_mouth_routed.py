"""Two mouths as one: who speaks what, true word places, carried styles and voices, slots, fall-back.

`ToneMouth` stands for a mouth: each word is a tone whose pitch tells mouth and voice and whose level tells the style,
so everything is read off the samples.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inference.errors import AtCapacity, InferenceError, InvalidSpec, ModelFault
from inference.mouth.base import Speech, SpokenFrame, SpokenWord
from inference.mouth.phrases import pause_after, split_words
from inference.mouth.routed import RoutedMouth, speaks_english
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
from tests.inference.speech_sound import espeak_mouth, said

ENGLISH = VoiceSpec("mira", pitch_hz=90.0)
OTHER_ENGLISH = VoiceSpec("salt", "en-gb", pitch_hz=150.0)
CHINESE = VoiceSpec("lan", "cmn", pitch_hz=240.0)
QUIET = StyleSpec("quiet", level_db=-12.0)
LOUD = StyleSpec("loud", level_db=6.0)
FIRST_HZ, SECOND_HZ = 300.0, 1500.0
TONE_SAMPLES = FRAME_SAMPLES - 160


Sound = tuple[int, str, VoiceSpec, StyleSpec | None]


@dataclass
class ToneSpeech:
    """A word or Han character is a tone in a frame of its own, known when the next has begun. Punctuation is silence
    before what follows it, and none at the end."""

    mouth: "ToneMouth"
    voice: VoiceSpec
    style: StyleSpec
    parts: list[SpeechPart] = field(default_factory=list)
    ended: bool = False
    closed: bool = False
    taken: int = 0
    sounds: list[Sound] = field(default_factory=list)
    """What is known to be said: character, text, and the delivery it is said in. Empty text: a frame of silence."""

    def __post_init__(self) -> None:
        self._said: list[Sound] = []
        self._char, self._text, self._owed = 0, "", 0
        self._now: tuple[VoiceSpec, StyleSpec | None] = (self.voice, None)

    def add(self, part: SpeechPart) -> None:
        assert not self.ended and not self.closed
        if isinstance(part, Deliver) and part.voice is not None:
            self.mouth.prepare(part.voice)
        self.parts.append(part)
        self._read()

    def end(self) -> None:
        assert not self.ended
        self.ended = True
        self._read()

    def _read(self) -> None:
        self._said, self._char, self._text, self._owed = [], 0, "", 0
        self._now = (self.voice, None)
        for part in self.parts:
            if isinstance(part, Words):
                self._text += part.text
                continue
            self._say(whole=True)
            match part:
                case Pause(seconds):
                    self._silence(round(seconds / 0.04))
                case Song():
                    self._text = part.lyrics
                    self._say(whole=True)
                case Deliver():
                    self._now = (part.voice or self._now[0], part.style or self._now[1])
        self._say(whole=self.ended)
        assert self._said[: len(self.sounds)] == self.sounds, "what was said is never unsaid"
        self.sounds = self._said

    def _say(self, whole: bool) -> None:
        words = split_words(self._text)
        for word in words if whole else words[:-1]:
            self._silence(0)
            self._said.append((self._char + word.start, word.text, *self._now))
            self._owed = round(pause_after(word.text) / 0.04)
        self._char, self._text = self._char + len(self._text), ""

    def _silence(self, frames: int) -> None:
        self._said += [(self._char, "", *self._now)] * (self._owed + frames)
        self._owed = 0

    def set_style(self, style: StyleSpec) -> None:
        self.style = style

    def frame(self) -> SpokenFrame | None:
        assert not self.closed
        self.mouth.frames_asked += 1
        if self.mouth.fails_at == self.taken:
            raise self.mouth.failure
        if self.taken == len(self.sounds):
            return None
        char, text, voice, delivered = self.sounds[self.taken]
        pcm = np.zeros(FRAME_SAMPLES, np.float32)
        words: tuple[SpokenWord, ...] = ()
        if text:
            level = 0.2 * 10 ** ((delivered or self.style).level_db / 20)
            times = np.arange(TONE_SAMPLES) / AUDIO_RATE_HZ
            pcm[:TONE_SAMPLES] = level * np.sin(2 * np.pi * (self.mouth.base_hz + voice.pitch_hz) * times)
            start = self.taken * FRAME_SAMPLES
            words = (SpokenWord(text, start, start + TONE_SAMPLES, char, char + len(text)),)
        self.taken += 1
        return SpokenFrame(pcm, words)

    @property
    def finished(self) -> bool:
        return self.ended and self.taken == len(self.sounds)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.mouth.open -= 1


class ToneMouth:
    def __init__(self, base_hz: float, languages: tuple[str, ...] = ("en", "cmn"), slots: int = 1) -> None:
        self.base_hz = base_hz
        self.languages = languages
        self.slots = slots
        self.open = 0
        self.most_open = 0
        self.frames_asked = 0
        self.begun: list[ToneSpeech] = []
        self.prepared: list[VoiceSpec] = []
        self.fails_at: int | None = None
        self.failure: InferenceError = ModelFault("broken in the middle")
        self.unavailable = False

    def prepare(self, voice: VoiceSpec) -> None:
        if self.unavailable:
            raise ModelFault("this mouth is not installed")
        if not voice.language.startswith(self.languages):
            raise InvalidSpec(f"no voice for {voice.language}")
        self.prepared.append(voice)

    def begin(self, voice: VoiceSpec, style: StyleSpec) -> Speech:
        self.prepare(voice)
        if self.open >= self.slots:
            raise AtCapacity("all slots are taken")
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self.begun.append(ToneSpeech(self, voice, style))
        return self.begun[-1]


class Stage:
    """The two mouths, the routed one, and its speech in the making."""

    def __init__(self, voice: VoiceSpec = ENGLISH, style: StyleSpec | None = None) -> None:
        self.first = ToneMouth(FIRST_HZ, languages=("en",))
        self.second = ToneMouth(SECOND_HZ)
        self.mouth = RoutedMouth(self.first, self.second)
        self.voice, self.style = voice, style or StyleSpec()
        self._speech: Speech | None = None
        self.pcm: NDArray[np.float32] = np.zeros(0, np.float32)
        self.words: list[SpokenWord] = []

    @property
    def speech(self) -> Speech:
        if self._speech is None:
            self._speech = self.mouth.begin(self.voice, self.style)
        return self._speech

    def add(self, *parts: SpeechPart | str) -> "Stage":
        for part in parts:
            self.speech.add(Words(part) if isinstance(part, str) else part)
        return self

    def end(self) -> "Stage":
        self.speech.end()
        return self.take()

    def take(self, most: int = 10_000) -> "Stage":
        """Frames as long as some are ready."""
        for _ in range(most):
            frame = self.speech.frame()
            if frame is None:
                break
            assert frame.pcm.shape == (FRAME_SAMPLES,)
            at = len(self.pcm)
            assert all(at <= word.start_sample < at + FRAME_SAMPLES for word in frame.words)
            self.pcm = np.concatenate([self.pcm, frame.pcm])
            self.words += frame.words
        return self

    def heard(self) -> list[tuple[str, float]]:
        """Every word said, and the frequency that sounds where it is said to sound."""
        return [(word.text, self._hz(word)) for word in self.words]

    def levels_db(self) -> list[int]:
        """Of each word, against a neutral style."""
        peaks = [float(np.abs(self.pcm[word.start_sample : word.end_sample]).max()) for word in self.words]
        return [round(20 * np.log10(peak / 0.2)) for peak in peaks]

    def mouths(self) -> str:
        """Of each word: 1 for the first mouth, 2 for the second."""
        return "".join("1" if hz < SECOND_HZ else "2" for _, hz in self.heard())

    def _hz(self, word: SpokenWord) -> float:
        spectrum = np.abs(np.fft.rfft(self.pcm[word.start_sample : word.end_sample]))
        return float(np.argmax(spectrum) * AUDIO_RATE_HZ / TONE_SAMPLES)


def spoken(*parts: SpeechPart | str, voice: VoiceSpec = ENGLISH) -> Stage:
    stage = Stage(voice).add(*parts).end()
    assert stage.speech.finished
    return stage


def check_places(stage: Stage, whole: str) -> None:
    assert all(whole[word.char_start : word.char_end] == word.text for word in stage.words)
    starts = [(word.start_sample, word.char_start) for word in stage.words]
    assert starts == sorted(starts)


# --- who speaks ---


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        ("", True),
        ("Don't panic — it's 5 o'clock, or 20 °C… naïve café", True),
        ("12:30, $5.00!", True),
        ("5 µm", True),
        ("Tom ʼtis", True),
        ("你", False),
        ("hello 你好", False),
        ("Привет", False),
        ("かな", False),
    ],
)
def test_english_is_what_has_no_letter_of_another_script(text: str, speaks: bool) -> None:
    assert speaks_english(ENGLISH, text) is speaks
    assert speaks_english(CHINESE, text) is False


def test_words_of_two_scripts_are_spoken_by_two_mouths_in_order_at_true_places() -> None:
    whole = "I learnt ‘你好！’ and 再见 today."
    stage = spoken(whole)
    check_places(stage, whole)
    assert stage.heard() == [
        ("I", 390), ("learnt ‘", 390), ("你", 1590), ("好！’", 1590), ("and", 390),
        ("再", 1590), ("见", 1590), ("today.", 390),
    ]  # fmt: skip


def test_digits_and_punctuation_stay_with_who_speaks() -> None:
    assert spoken("He has 3 cats, 4 dogs").mouths() == "111111"
    assert spoken("我有 3 只猫, 4 只狗").mouths() == "2" * 8
    assert spoken("3 cats").mouths() == "11"
    assert spoken("3 只猫").mouths() == "222"


def test_digits_alone_are_said_by_the_mouth_of_the_voice() -> None:
    assert spoken("42").mouths() == "1"
    assert spoken("42", voice=CHINESE).mouths() == "2"
    counting = Stage().add("1, 2, 3, ").take()
    assert counting.words, "a count without a letter does not wait for its end"
    assert counting.add("4").end().mouths() == "1111"


def test_every_script_but_latin_goes_to_the_second_mouth() -> None:
    assert spoken("One, два, τρία, four").mouths() == "1221"


def test_a_voice_of_another_language_is_spoken_by_the_second_mouth_alone() -> None:
    stage = spoken("Hello 你好", voice=CHINESE)
    assert stage.mouths() == "222"
    assert not stage.first.begun and len(stage.second.begun) == 1


@given(
    st.lists(
        st.text(alphabet="ab 你好1.,! \n‘ж", max_size=12)
        | st.sampled_from([Pause(0.04), Pause(0.0), Deliver(style=QUIET), Deliver(voice=OTHER_ENGLISH)])
        | st.sampled_from([Deliver(voice=CHINESE), Deliver(style=LOUD, voice=ENGLISH)]),
        max_size=8,
    )
)
def test_letters_one_by_one_make_the_same_speech_as_the_whole_text(parts: list[str | SpeechPart]) -> None:
    whole = "".join(part for part in parts if isinstance(part, str))
    at_once = spoken(*parts)
    one_by_one = Stage()
    for part in parts:
        for letter in part if isinstance(part, str) else [part]:
            one_by_one.add(letter).take()
    one_by_one.end()
    assert one_by_one.speech.finished
    for stage in (at_once, one_by_one):
        check_places(stage, whole)
        assert stage.first.open == stage.second.open == 0
    assert one_by_one.words == at_once.words
    assert np.array_equal(one_by_one.pcm, at_once.pcm)
    letters = [char for char in whole if char.isalpha()]
    assert letters == [char for word in at_once.words for char in word.text if char.isalpha()]


def test_words_are_not_held_back_once_their_mouth_is_known() -> None:
    stage = Stage().add("Hello there ").take()
    assert [word.text for word in stage.words] == ["Hello"]
    assert [word.text for word in stage.add("你").take().words] == ["Hello", "there"]
    assert not stage.speech.finished


def test_the_silence_after_a_sentence_is_kept_where_the_mouth_changes() -> None:
    def gap_frames(text: str) -> int:
        before, after = spoken(text).words
        return (after.start_sample - before.start_sample) // FRAME_SAMPLES - 1

    assert gap_frames("Good. 好") == 9
    assert gap_frames("Good, 好") == 4
    assert gap_frames("Good 好") == 0


def test_a_pause_is_heard_once_where_the_mouth_changes() -> None:
    before, after = spoken("Good.", Pause(0.4), "好").words
    assert (after.start_sample - before.start_sample) // FRAME_SAMPLES == 1 + 9 + 10


def test_an_empty_speech_ends_without_a_frame_and_opens_nothing() -> None:
    for parts in ((), ("  \n",), ("…!",), (Deliver(style=QUIET),)):
        stage = spoken(*parts)
        assert len(stage.pcm) == 0
        assert not stage.first.begun and not stage.second.begun


# --- songs ---


def test_a_song_is_sung_whole_by_a_mouth_that_can_speak_its_lyrics() -> None:
    english = Song((Note(0.5, 60, "la-"), Note(0.5, 62, "dy")))
    mixed = Song((Note(0.5, 60, "la"), Note(0.5, 62, "月")))
    hummed = Song((Note(0.5, 60), Note(0.5, 62)))
    stage = spoken("Listen: ", english, "好。", hummed, mixed, "Nice.")
    check_places(stage, "Listen: " + english.lyrics + "好。" + mixed.lyrics + "Nice.")
    assert [text for text, _ in stage.heard()] == ["Listen:", "lady", "好。", "la", "月", "Nice."]
    assert stage.mouths() == "112221"
    assert hummed in stage.second.begun[0].parts


# --- delivery ---


def test_a_delivered_style_goes_on_in_the_segments_after_it() -> None:
    stage = spoken("One ", Deliver(style=QUIET), "two 三 four ", Deliver(style=LOUD), "五 six")
    assert stage.mouths() == "112121"
    assert stage.levels_db() == [0, -12, -12, -12, 6, 6]


def test_a_change_of_the_session_style_reaches_what_is_said_now_and_later() -> None:
    stage = Stage().add("One two 三 four").take(1)
    stage.speech.set_style(QUIET)
    assert stage.end().levels_db() == [0, -12, -12, -12]


def test_a_delivered_style_overrides_the_session_style_until_it_is_the_session_style_again() -> None:
    stage = Stage().add("One ", Deliver(style=LOUD), "二 ")
    stage.speech.set_style(QUIET)
    stage.add("three ", Deliver(style=QUIET), "四五").take()
    stage.speech.set_style(StyleSpec())
    assert stage.add("six").end().levels_db() == [-12, 6, 6, -12, 0, 0]


def test_a_voice_goes_on_in_the_segments_after_it() -> None:
    stage = spoken("One ", Deliver(voice=OTHER_ENGLISH), "two 三 four")
    assert [hz for _, hz in stage.heard()] == [390, 450, 1650, 450]
    assert len(stage.first.begun) == 2, "the same mouth takes the other voice in the same sub-speech"


def test_another_voice_may_change_the_mouth() -> None:
    stage = spoken("One ", Deliver(voice=CHINESE), "two 3 ", Deliver(voice=ENGLISH), "4 five")
    assert [hz for _, hz in stage.heard()] == [390, 1740, 1740, 390, 390]
    assert all(not isinstance(part, Deliver) for speech in stage.first.begun for part in speech.parts)


def test_a_voice_that_nobody_speaks_is_refused_when_it_is_asked_for() -> None:
    stage = Stage().add("One ")
    with pytest.raises(InvalidSpec, match="no voice for kl"):
        stage.add(Deliver(voice=VoiceSpec(language="kl")))
    with pytest.raises(InvalidSpec, match="no voice for kl"):
        stage.mouth.begin(VoiceSpec(language="kl"), StyleSpec())
    with pytest.raises(InvalidSpec, match="no voice for kl"):
        stage.mouth.prepare(VoiceSpec(language="kl"))


# --- slots ---


def test_a_segment_is_opened_when_its_turn_comes_and_closed_with_its_last_frame() -> None:
    stage = Stage().add("One two 三 four")
    assert (stage.first.open, stage.second.open) == (1, 0)
    stage.take(1)
    assert (stage.first.open, stage.second.open) == (1, 0)
    stage.take(1)
    assert (stage.first.open, stage.second.open) == (0, 1)
    stage.take(1)
    assert (stage.first.open, stage.second.open) == (1, 0)
    stage.end()
    assert (stage.first.open, stage.second.open) == (0, 0)
    assert stage.first.most_open == 1


def test_closing_gives_back_every_slot_and_can_be_done_twice() -> None:
    stage = Stage().add("One 二 three").take(1)
    for _ in range(2):
        stage.speech.close()
        assert stage.first.open == stage.second.open == 0
    stage.add("four 五")
    assert stage.speech.frame() is None
    assert stage.first.open == stage.second.open == 0


def test_a_speech_without_words_ready_is_asked_and_waits_for_nothing() -> None:
    stage = Stage().add("Hel")
    asked = stage.first.frames_asked
    assert stage.speech.frame() is None
    assert stage.first.frames_asked == asked + 1


# --- what can go wrong ---


def test_without_a_free_slot_the_second_mouth_speaks_the_whole_speech() -> None:
    stage = Stage()
    held = stage.first.begin(ENGLISH, StyleSpec())
    stage.add("One 二 three")
    held.close()
    assert stage.add(" four 五 six").end().mouths() == "222222"
    check_places(stage, "One 二 three four 五 six")
    assert stage.first.open == stage.second.open == 0


def test_a_mouth_that_fell_in_needs_no_segments() -> None:
    stage = Stage()
    stage.first.begin(ENGLISH, StyleSpec())
    assert stage.add("One").add(" 2 三 four ").add("五 six").end().mouths() == "222222"
    assert len(stage.second.begun) == 1


def test_a_slot_lost_between_two_segments_is_no_end_of_the_speech() -> None:
    stage = Stage().add("One 二 three").take(1)
    held = stage.first.begin(ENGLISH, StyleSpec())
    stage.end()
    check_places(stage, "One 二 three")
    assert stage.mouths() == "122"
    held.close()


def test_a_first_mouth_that_is_not_there_is_replaced() -> None:
    stage = Stage()
    stage.first.unavailable = True
    stage.mouth.prepare(ENGLISH)
    assert stage.add("One 二").end().mouths() == "22"


def test_without_a_second_mouth_english_is_spoken_and_the_rest_fails() -> None:
    stage = Stage()
    stage.second.unavailable = True
    stage.mouth.prepare(ENGLISH)
    stage.add("One 二").take(1)
    assert [word.text for word in stage.words] == ["One"]
    for _ in range(2):
        with pytest.raises(ModelFault, match="not installed"):
            stage.speech.frame()
    assert not stage.speech.finished
    with pytest.raises(ModelFault, match="not installed"):
        stage.mouth.prepare(CHINESE)


@pytest.mark.parametrize("fault", [AtCapacity, ModelFault])
def test_a_failure_that_the_second_mouth_cannot_mend_goes_up_as_it_is(fault: type[InferenceError]) -> None:
    stage = Stage()
    assert stage.speech
    stage.second.languages = ("cmn",)
    if fault is AtCapacity:
        stage.first.begin(ENGLISH, StyleSpec())
    else:
        stage.first.unavailable = True
    with pytest.raises(fault):
        stage.add("One")


def test_a_failure_at_the_end_of_the_text_is_told_by_the_next_frame() -> None:
    stage = Stage().add("42")
    stage.first.unavailable = stage.second.unavailable = True
    stage.speech.end()
    with pytest.raises(ModelFault, match="not installed"):
        stage.speech.frame()


def test_a_fault_in_the_middle_of_a_segment_goes_up() -> None:
    stage = Stage()
    stage.first.fails_at = 1
    stage.add("One two three").take(1)
    with pytest.raises(ModelFault, match="in the middle"):
        stage.speech.frame()
    stage.speech.close()
    assert stage.first.open == 0


@pytest.mark.parametrize("failure", [AtCapacity("no slot came free"), ModelFault("it broke")])
def test_a_mouth_that_fails_before_its_first_frame_is_replaced_and_no_word_is_lost(failure: InferenceError) -> None:
    stage = Stage()
    stage.first.fails_at, stage.first.failure = 0, failure
    whole = "One two, 三 four five."
    stage.add("One", Deliver(style=QUIET), " two,").add(" 三 fo", "ur five.").end()
    assert stage.speech.finished
    check_places(stage, whole)
    assert [text for text, _ in stage.heard()] == ["One", "two,", "三", "four", "five."]
    assert stage.mouths() == "22222" and stage.levels_db() == [0, -12, -12, -12, -12]
    assert stage.first.open == stage.second.open == 0


def test_parts_that_come_while_a_mouth_waits_for_its_slot_are_spoken_by_the_one_that_replaces_it() -> None:
    stage = Stage().add("One ").take()
    stage.first.fails_at = 0
    stage.add("two ", Deliver(voice=OTHER_ENGLISH), "three ").take()
    assert [hz for _, hz in stage.add("four").end().heard()] == [1590, 1590, 1650, 1650]
    check_places(stage, "One two three four")


def test_a_first_mouth_that_fails_between_two_segments_is_replaced_for_what_is_left() -> None:
    stage = Stage().add("One 二 three").take(2)
    stage.first.fails_at = 0
    stage.add(" four").end()
    check_places(stage, "One 二 three four")
    assert stage.mouths() == "1222"


def test_a_failure_before_the_first_frame_goes_up_where_no_other_mouth_can_speak() -> None:
    stage = Stage().add("One two")
    stage.first.fails_at, stage.first.failure = 0, AtCapacity("no slot came free")
    stage.second.unavailable = True
    for _ in range(2):
        with pytest.raises(AtCapacity, match="no slot"):
            stage.speech.frame()
    stage.speech.close()
    assert stage.first.open == stage.second.open == 0


def test_a_speech_is_bounded() -> None:
    with pytest.raises(InvalidSpec, match="at most"):
        Stage().add("a" * 100_001, "你" * 100_000)
    with pytest.raises(InvalidSpec, match="at most"):
        Stage().add("a你" * 20_000)
    with pytest.raises(InvalidSpec, match="at most"):
        Stage().add(*itertools.repeat(Deliver(style=QUIET), 20_001))


# --- with a real mouth ---


def test_a_real_mouth_speaks_both_sides_of_a_change() -> None:
    real = espeak_mouth()
    whole = "Good morning, my friend. 早上好，朋友。And now I sing."
    parts: Iterable[SpeechPart] = [Words(whole[:30]), Words(whole[30:]), Song((Note(0.5, 60, "la"),))]
    pcm, words = said(RoutedMouth(real, real), parts)
    assert "".join(word.text for word in words) == (whole + "la").replace(" ", "")
    assert all((whole + "la")[word.char_start : word.char_end] == word.text for word in words)
    starts = [word.start_sample for word in words]
    assert starts == sorted(starts)
    assert all(float(np.abs(pcm[word.start_sample : word.end_sample]).max()) > 0.02 for word in words)
    for before, after in ((words[3], words[4]), (words[8], words[9])):
        assert 0.25 < (after.start_sample - before.end_sample) / AUDIO_RATE_HZ < 0.6
    alone, _ = said(real, [*parts])
    assert len(pcm) / len(alone) == pytest.approx(1.0, abs=0.1)
