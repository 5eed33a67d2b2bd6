"""Calls spoken by a checkpoint that reads phones, with eSpeak NG beside it: the composed lane on a virtual clock."""

from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.engine.plans import StreamPlan
from inference.mouth.routed import RoutedMouth
from inference.protocol import (
    AUDIO_RATE_HZ,
    FRAME_MS,
    FRAME_SAMPLES,
    AudioOut,
    CancelSpeech,
    Deliver,
    EndSpeech,
    Fault,
    Note,
    Pause,
    SessionSpec,
    SetStyle,
    SetVoice,
    Song,
    SpeakPart,
    SpeechFinished,
    SpeechPart,
    StartSpeech,
    StyleSpec,
    TurnTaking,
    VoiceChanged,
    VoiceRefused,
    VoiceSpec,
    Words,
    WordSpoken,
)
from inference.worker.bundled_voice import open_mouth
from inference.worker.composed import ComposedLane
from inference.worker.phone_mouth import MOST_WAIT_S
from tests.inference.model_calls import ModelCalls
from tests.inference.phone_checkpoints import write_phone_checkpoint
from tests.inference.scripted_call import LevelDetector, ToneEars
from tests.inference.speech_sound import espeak_mouth

Floats = NDArray[np.float32]

CALM = TurnTaking(silence_prompt_s=0)
LOW = VoiceSpec("low", timbre="rms", pitch_hz=100.0, pitch_range=0.0)
HIGH = VoiceSpec("high", timbre="slt:2 girl:1", pitch_hz=200.0, pitch_range=0.0)
CHINESE = VoiceSpec("lan", "cmn", pitch_hz=200.0)
STORY = "Once upon a time there was a lighthouse. It was afraid of the dark, and nobody knew why. "


@cache
def _checkpoint() -> TemporaryDirectory[str]:
    folder = TemporaryDirectory()
    write_phone_checkpoint(Path(folder.name))
    return folder


class Calls(ModelCalls):
    """Callers of one worker whose mouth is the tiny checkpoint with eSpeak NG beside it."""

    def __init__(self, *, callers: int = 1, slots: int = 2, voice: VoiceSpec = LOW) -> None:
        self.now = 1_000.0
        # A mouth of its own: what was drawn for an earlier call must not change this one.
        self.phones = open_mouth(Path(_checkpoint().name), slots=slots)
        self.phones.clock = lambda: self.now
        lane = ComposedLane(ToneEars(), RoutedMouth(self.phones, espeak_mouth()), LevelDetector)
        specs = [SessionSpec(f"call-{at}", "mira@1", voice=voice, turn_taking=CALM) for at in range(callers)]
        super().__init__(lane, *specs)

    def speak_to(self, caller: int, *parts: SpeechPart | str, end: bool = True, rid: str = "r1") -> "Calls":
        given = [Words(part) if isinstance(part, str) else part for part in parts]
        self.command(StartSpeech(rid), *(SpeakPart(rid, part) for part in given), caller=caller)
        if end:
            self.command(EndSpeech(rid), caller=caller)
        return self

    def until_finished(self, caller: int = 0, rid: str = "r1", most_s: float = 60.0) -> SpeechFinished:
        for _ in range(round(most_s)):
            found = [event for event in self.all(SpeechFinished, caller) if event.response_id == rid]
            if found:
                return found[0]
            self.quiet(1.0)
        raise AssertionError(f"{rid} was not finished within {most_s} s")

    @property
    def open_streams(self) -> list[int]:
        return self.phones.shared.engine.open_streams

    def sound(self, rid: str = "r1", caller: int = 0) -> Floats:
        pcm = b"".join(event.pcm for event in self.all(AudioOut, caller) if event.response_id == rid)
        return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32_768)

    def words(self, rid: str = "r1", caller: int = 0) -> list[WordSpoken]:
        return [word for word in self.all(WordSpoken, caller) if word.response_id == rid]


def _pitch_hz(pcm: Floats) -> float:
    """The middle F0 of the voiced part, by autocorrelation."""
    size, found = 2 * FRAME_SAMPLES, []
    for at in range(0, len(pcm) - size, FRAME_SAMPLES):
        piece = pcm[at : at + size] - pcm[at : at + size].mean()
        correlation = np.correlate(piece, piece, "full")[size - 1 :]
        low, high = AUDIO_RATE_HZ // 450, AUDIO_RATE_HZ // 70
        lag = low + int(np.argmax(correlation[low:high]))
        if correlation[0] > 1e-3 and correlation[lag] > 0.6 * correlation[0]:
            found.append(AUDIO_RATE_HZ / lag)
    assert len(found) >= 3, "too little of it is voiced"
    return float(np.median(found))


def _between(pcm: Floats, start_ms: int, end_ms: int) -> Floats:
    return pcm[start_ms * AUDIO_RATE_HZ // 1000 : end_ms * AUDIO_RATE_HZ // 1000]


def _level_db(pcm: Floats) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(pcm**2)) + 1e-9))


def _check_words(call: Calls, whole: str, rid: str = "r1", caller: int = 0) -> None:
    """Every word of the text, at its place in it, at true times in order."""
    words, end_ms = call.words(rid, caller), len(call.sound(rid, caller)) * 1000 // AUDIO_RATE_HZ
    assert [word.text for word in words] == whole.split()
    assert all(whole[word.char_start : word.char_end] == word.text for word in words)
    assert all(one.end_ms <= other.start_ms + 1 for one, other in pairwise(words))
    assert all(word.start_ms <= word.end_ms <= end_ms for word in words)


# --- words ---


def test_english_is_spoken_by_the_model_with_captions_at_true_places() -> None:
    call = Calls().speak_to(0, STORY[:30], STORY[30:])
    finished = call.until_finished()
    assert (finished.status, finished.heard_text) == ("completed", STORY)
    assert finished.sent_ms == len(call.all(AudioOut)) * FRAME_MS
    _check_words(call, STORY)
    assert _pitch_hz(call.sound()) == pytest.approx(100.0, rel=0.03), "the voice's own pitch, which eSpeak does not hit"
    assert call.open_streams == []


def test_words_are_said_as_they_come() -> None:
    call = Calls().speak_to(0, "Once upon a time, there was ", end=False)
    call.quiet(1.0)
    assert call.all(AudioOut), "the first clause does not wait for the second"
    call.command(SpeakPart("r1", Words("a lighthouse.")), EndSpeech("r1"))
    call.until_finished()
    _check_words(call, "Once upon a time, there was a lighthouse.")


def test_a_sentence_in_another_script_is_spoken_by_espeak_in_its_place() -> None:
    whole = "Good morning. 早上好，朋友。 And now we sing."
    call = Calls().speak_to(0, whole)
    assert call.until_finished().status == "completed"
    words, pcm = call.words(), call.sound()
    assert "".join(word.text for word in words) == whole.replace(" ", "")
    assert all(whole[word.char_start : word.char_end] == word.text for word in words)
    assert all(one.start_ms <= other.start_ms for one, other in pairwise(words))
    chinese = [word for word in words if word.char_start in range(14, 21)]
    english = [word for word in words if word not in chinese]
    loud = [_level_db(_between(pcm, word.start_ms, word.end_ms)) for word in chinese]
    # The random codec is much quieter than eSpeak: levels tell who speaks.
    assert (
        min(loud)
        > -35
        > max(_level_db(_between(pcm, w.start_ms, w.end_ms)) for w in english if w.end_ms - w.start_ms > 80)
    )
    assert call.open_streams == []


def test_a_chinese_voice_never_asks_the_model() -> None:
    call = Calls(voice=CHINESE)
    ticks = call.phones.shared.ticks
    call.speak_to(0, "早上好。 Good morning.")
    assert call.until_finished().status == "completed"
    assert call.phones.shared.ticks == ticks and len(call.words()) == 5


def test_pauses_are_silent_and_as_long_as_they_were_asked_for() -> None:
    call = Calls().speak_to(0, "Hush.", Pause(1.0), "Boo!")
    call.until_finished()
    first, second = call.words()
    assert 0.9 <= (second.start_ms - first.end_ms) / 1000 <= 1.4
    assert not _between(call.sound(), second.start_ms - 900, second.start_ms - 100).any()


# --- interruption ---


def test_a_user_who_breaks_in_is_heard_and_the_next_answer_has_the_next_epoch() -> None:
    call = Calls().speak_to(0, STORY * 4)
    call.quiet(2.0)
    call.say("stop green apples")
    call.quiet(1.0)
    cut = call.one(SpeechFinished)
    assert (cut.status, cut.reason) == ("cancelled", "turn_detected")
    assert 0 < cut.heard_ms <= cut.sent_ms
    assert cut.heard_text and (STORY * 4).startswith(cut.heard_text)
    assert call.open_streams == []
    assert not [event for _, event in call.logs[0][call.index(cut) + 1 :] if isinstance(event, AudioOut)]
    call.speak_to(0, "All right.", rid="r2")
    assert call.until_finished(rid="r2").status == "completed"
    assert {event.epoch for event in call.all(AudioOut) if event.response_id == "r2"} == {1}
    _check_words(call, "All right.", "r2")


@pytest.mark.parametrize("how", ["cancelled", "left"])
def test_a_speech_that_is_cut_gives_its_slot_back_at_once(how: str) -> None:
    call = Calls().speak_to(0, STORY.replace(",", "").replace(".", "") * 2)
    call.quiet(0.2)
    assert call.open_streams
    if how == "cancelled":
        call.command(CancelSpeech("r1"))
    else:
        call.close()
    assert call.open_streams == []


# --- voice and style ---


def test_the_voice_changes_with_the_next_words() -> None:
    call = Calls().speak_to(0, "This is how I sound now, low and calm. ", end=False)
    call.quiet(1.0)
    call.command(SetVoice(HIGH), SpeakPart("r1", Words("And this is how I sound after the change.")), EndSpeech("r1"))
    assert call.one(VoiceChanged).voice == "high"
    call.until_finished()
    words, pcm = call.words(), call.sound()
    change = next(word for word in words if word.text == "And")
    assert _pitch_hz(_between(pcm, 0, change.start_ms)) == pytest.approx(100.0, rel=0.03)
    assert _pitch_hz(_between(pcm, change.start_ms + 40, words[-1].end_ms)) == pytest.approx(200.0, rel=0.03)


def test_a_timbre_of_nobody_is_refused_by_name_and_the_call_goes_on() -> None:
    call = Calls()
    call.command(SetVoice(VoiceSpec("odd", timbre="slt:1 nobody:2")))
    assert "nobody" in call.one(VoiceRefused).message
    call.speak_to(0, "Still here.")
    assert call.until_finished().status == "completed"


def test_a_style_is_heard_in_the_middle_of_a_sentence() -> None:
    call = Calls().speak_to(0, STORY * 2)
    call.quiet(1.0)
    call.command(SetStyle(StyleSpec("high", pitch_semitones=6.0, level_db=-12.0)))
    sent = len(call.sound())
    call.quiet(4.0)
    before, after = call.sound()[:sent], call.sound()[sent + AUDIO_RATE_HZ :]
    assert _pitch_hz(after) / _pitch_hz(before) == pytest.approx(2.0**0.5, rel=0.03)
    assert _level_db(after) < _level_db(before) - 8
    call.command(CancelSpeech("r1"))


def test_a_whisper_has_no_voice_in_it() -> None:
    call = Calls().speak_to(0, Deliver(style=StyleSpec("whisper", whisper=1.0)), STORY)
    call.until_finished()
    _check_words(call, STORY)
    with pytest.raises(AssertionError, match="too little of it is voiced"):
        _pitch_hz(call.sound())


def test_a_slower_style_takes_as_much_longer_as_it_says() -> None:
    lengths = []
    for rate in (1.0, 0.9):
        call = Calls().speak_to(0, Deliver(style=StyleSpec("pace", rate=rate)), STORY * 2)
        lengths.append(call.until_finished().sent_ms)
        _check_words(call, STORY * 2)
    assert lengths[0] / lengths[1] == pytest.approx(0.9, rel=0.03)


# --- songs ---


def test_a_song_is_as_long_as_its_score_and_on_its_pitches() -> None:
    notes = (Note(0.6, 57, "la"), Note(0.6, 60, "low"), Note(0.4, None), Note(0.8, 64, "moon"))
    call = Calls().speak_to(0, Song(notes))
    call.until_finished()
    pcm = call.sound()
    assert len(pcm) / AUDIO_RATE_HZ == pytest.approx(2.4, abs=0.15)
    assert [word.text for word in call.words()] == ["la", "low", "moon"]
    for start_s, note in zip((0.0, 0.6, 1.6), (57, 60, 64), strict=True):
        sung = pcm[round((start_s + 0.15) * AUDIO_RATE_HZ) : round((start_s + 0.5) * AUDIO_RATE_HZ)]
        assert 12 * np.log2(_pitch_hz(sung) / 440.0) + 69 == pytest.approx(note, abs=0.6)
    assert call.open_streams == []


def test_a_song_between_words_keeps_its_place() -> None:
    song = Song((Note(0.5, 60, "la-"), Note(0.5, 62, "dy")))
    call = Calls().speak_to(0, "Listen. ", song, " Did you like it?")
    assert call.until_finished().status == "completed"
    assert [word.text for word in call.words()] == ["Listen.", "lady", "Did", "you", "like", "it?"]


# --- many at once ---


def test_eight_callers_are_spoken_to_at_once_and_each_hears_the_own_words() -> None:
    call = Calls(callers=8, slots=8)
    texts = [
        f"Caller number {name} I am so very glad that you came to see me tonight."
        for name in "one two three four five six seven eight".split()
    ]
    for caller, text in enumerate(texts):
        call.speak_to(caller, text)
    most = 0
    for _ in range(25):
        call.quiet(0.02)
        most = max(most, len(call.open_streams))
    assert most == 8
    for caller, text in enumerate(texts):
        assert call.until_finished(caller).status == "completed"
        _check_words(call, text, caller=caller)
        assert _pitch_hz(call.sound(caller=caller)) == pytest.approx(100.0, rel=0.03)
    assert call.open_streams == []


def test_more_callers_than_slots_take_turns() -> None:
    call = Calls(callers=4, slots=2)
    for caller in range(4):
        call.speak_to(caller, "Wait for me, please.")
    for caller in range(4):
        assert call.until_finished(caller).status == "completed"
        _check_words(call, "Wait for me, please.", caller=caller)
        assert _pitch_hz(call.sound(caller=caller)) == pytest.approx(100.0, rel=0.03)
    assert call.open_streams == []


class _Idle:
    """Holds a slot and does nothing."""

    def contribute(self) -> None:
        pass

    def take(self, now: float, output: object) -> None:
        pass


def test_a_speech_that_gets_no_slot_in_time_is_spoken_by_espeak() -> None:
    call = Calls(slots=2)
    held = [call.phones.shared.open(call.now, StreamPlan(mode="mouth"), _Idle()) for _ in range(2)]
    try:
        call.speak_to(0, "Is anybody there? 有人吗？ Hello!")
        call.quiet(MOST_WAIT_S - 0.5)
        assert not call.all(AudioOut)
        finished = call.until_finished()
        assert finished.status == "completed" and not call.all(Fault)
        assert [word.text for word in call.words()] == ["Is", "anybody", "there?", "有", "人", "吗？", "Hello!"]
        assert _level_db(call.sound()) > -35
    finally:
        for number in held:
            call.phones.shared.close(number)
    call.speak_to(0, "Back again.", rid="r2")
    call.until_finished(rid="r2")
    assert _pitch_hz(call.sound("r2")) == pytest.approx(100.0, rel=0.03)
