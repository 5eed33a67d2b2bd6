"""The composed lane on a virtual clock: what is heard, what is said, and what happens when both speak at once."""

import numpy as np
import pytest

from inference.errors import InvalidSpec
from inference.protocol import (
    AUDIO_RATE_HZ,
    FRAME_SAMPLES,
    AudioOut,
    CancelSpeech,
    ClearInput,
    CommitInput,
    Deliver,
    EndSpeech,
    Event,
    Fault,
    Heard,
    InputCleared,
    LatencyMarks,
    OutputGain,
    Overlap,
    PartialHeard,
    Pause,
    SessionSpec,
    SetStyle,
    SetTurnTaking,
    SetVoice,
    SilenceElapsed,
    SpeakPart,
    SpeechFinished,
    SpeechStarted,
    StartSpeech,
    StyleSpec,
    TurnTaking,
    UserActive,
    VoiceChanged,
    VoiceRefused,
    VoiceSpec,
    VoiceStarted,
    VoiceStopped,
    Words,
    WordSpoken,
)
from tests.inference.scripted_call import SPOKEN_LEVEL, SPOKEN_WORD_S, ScriptedCall, ToneEars, tone

LONG = "the keeper sings once upon a time " * 8


def spec(**changes: object) -> SessionSpec:
    return SessionSpec(session_id="call", character="mira@1", **changes)  # type: ignore[arg-type]


# --- hearing ---


def test_a_turn_is_heard_whole_with_its_times() -> None:
    call = ScriptedCall().quiet(1.0).say("green apples grow here").quiet(1.2)
    heard = call.one(Heard)
    assert heard.text == "green apples grow here"
    assert heard.start_ms == pytest.approx(1_000, abs=40) and heard.end_ms == pytest.approx(1_860, abs=60)
    for index, (_, start_ms, end_ms) in enumerate(heard.words):
        assert start_ms == pytest.approx(1_000 + index * 220, abs=30)
        assert end_ms - start_ms == pytest.approx(200, abs=40)


def test_the_events_of_a_turn_come_in_order_and_name_the_same_utterance() -> None:
    call = ScriptedCall().quiet(0.5).say("green apples grow here").quiet(1.2)
    assert [type(event) for _, event in call.log if not isinstance(event, PartialHeard)] == [
        VoiceStarted,
        VoiceStopped,
        Heard,
    ]
    partials = [partial.text for partial in call.all(PartialHeard)]
    assert partials == sorted(set(partials), key=len) and partials[-1] == "green apples grow here"
    ids = {event.utterance_id for event in call.all(VoiceStarted) + call.all(VoiceStopped) + call.all(Heard)}
    assert len(ids) == 1
    assert call.one(VoiceStopped).at_ms == call.one(Heard).end_ms


def test_turns_have_ids_of_their_own() -> None:
    call = ScriptedCall()
    for _ in range(3):
        call.say("green apples").quiet(3.0)
    assert len({heard.utterance_id for heard in call.all(Heard)}) == 3


def test_packets_of_any_length_are_heard_alike() -> None:
    call = ScriptedCall()
    pcm = (np.concatenate([tone(word) for word in ("who", "lives", "there")]) * 32_767).astype("<i2").tobytes()
    pcm += bytes(2 * AUDIO_RATE_HZ * 2)
    sizes = [1, 7, 333, 959, 2_001, 30_000]
    at = index = 0
    while at < len(pcm):
        size = sizes[index % len(sizes)]
        call.now += size / 2 / AUDIO_RATE_HZ
        call.stream.audio(call.now, pcm[at : at + size])
        call._step()
        at, index = at + size, index + 1
    assert call.one(Heard).text == "who lives there"


def test_a_turn_sent_faster_than_real_time_is_heard_the_same() -> None:
    call = ScriptedCall()
    silence = np.zeros(round(1.2 * AUDIO_RATE_HZ), dtype=np.float32)
    for text in ("green apples", "who lives there"):
        samples = np.concatenate([*(tone(word) for word in text.split()), silence])
        call.stream.audio(call.now, (samples * 32_767).astype("<i2").tobytes())
    call.command(UserActive())
    assert [heard.text for heard in call.all(Heard)] == ["green apples", "who lives there"]


def test_speech_resumed_too_soon_is_heard_as_one_turn_that_replaces_the_first() -> None:
    call = ScriptedCall()
    call.reply = lambda event: [StartSpeech(f"r-{event.text}")] if isinstance(event, Heard) else []
    call.say("green apples").quiet(0.8).say("and pears").quiet(2.0)
    first, second = call.all(Heard)
    assert (first.text, second.text) == ("green apples", "green apples and pears")
    assert second.replaces == first.utterance_id != second.utterance_id
    assert second.start_ms == first.start_ms and len(second.words) == 4
    finished = call.one(SpeechFinished)
    assert (finished.response_id, finished.status, finished.heard_ms) == ("r-green apples", "cancelled", 0)


def test_a_voice_without_words_is_heard_as_empty() -> None:
    call = ScriptedCall().noise(0.6).quiet(1.0)
    assert call.one(Heard).text == ""


def test_when_every_recogniser_is_in_use_the_turn_waits_for_one() -> None:
    ears = ToneEars(most=0)
    call = ScriptedCall(ears=ears).say("green apples")
    ears.most = 1
    call.say("grow here").quiet(1.2)
    assert call.one(Heard).text == "green apples grow here"
    assert ears.in_use == 0


def test_without_a_free_recogniser_the_turn_is_heard_without_words() -> None:
    call = ScriptedCall(ears=ToneEars(most=0)).say("green apples").quiet(1.2)
    assert (call.one(Heard).text, call.one(Heard).confidence) == ("", 0.0)


def test_no_recogniser_stays_taken() -> None:
    call = ScriptedCall().say("green").noise(0.1).quiet(3).noise(0.1).quiet(2).say("who lives").command(ClearInput())
    assert call.quiet(1.0).ears.in_use == 0
    call.say("green")
    call.stream.close()
    assert call.ears.in_use == 0


# --- by command ---


def test_without_turn_detection_a_commit_brings_all_that_was_said() -> None:
    call = ScriptedCall(spec(detects_turns=False))
    call.say("green apples").quiet(3.0).say("and pears").quiet(0.2)
    assert call.log == []
    call.command(CommitInput())
    assert call.one(Heard).text == "green apples and pears"
    assert call.log == [(call.now, call.one(Heard))]
    call.command(CommitInput())
    assert call.all(Heard)[1].text == ""


def test_without_turn_detection_a_voice_does_not_stop_the_character() -> None:
    call = ScriptedCall(spec(detects_turns=False)).speak("r1", LONG).say("stop stop who lives there").quiet(1.0)
    assert not call.all(SpeechFinished) and not call.all(Overlap)


def test_cleared_input_is_never_heard() -> None:
    call = ScriptedCall().say("green apples").command(ClearInput()).quiet(2.0)
    assert call.all(InputCleared) and not call.all(Heard)
    call.say("who lives there").quiet(1.2)
    assert call.one(Heard).text == "who lives there"


def test_turn_detection_can_be_switched_off_in_mid_call() -> None:
    call = ScriptedCall().command(SetTurnTaking(TurnTaking(), detects_turns=False)).say("green apples").quiet(5.0)
    assert not call.all(Heard)
    assert call.command(CommitInput()).one(Heard).text == "green apples"


# --- speaking ---


def test_audio_leaves_at_once_and_never_more_than_the_lead_ahead() -> None:
    call = ScriptedCall().speak("r1", LONG)
    assert call.when(AudioOut)[0] == call.now
    start, sent = call.now, 0
    call.wait(10.0)
    for at, event in call.log:
        if isinstance(event, AudioOut):
            assert event.position == sent
            sent += len(event.pcm) // 2
            assert len(event.pcm) // 2 == FRAME_SAMPLES
            assert sent / AUDIO_RATE_HZ - (at - start) < 0.4 + 0.041
    assert sent / AUDIO_RATE_HZ > 10.0


def test_words_are_told_with_the_audio_they_begin_in() -> None:
    call = ScriptedCall().speak("r1", "once upon ", "a time").wait(3.0)
    words = call.all(WordSpoken)
    assert [(word.text, word.char_start, word.char_end) for word in words] == [
        ("once", 0, 4),
        ("upon", 5, 9),
        ("a", 10, 11),
        ("time", 12, 16),
    ]
    assert [word.start_ms for word in words] == [0, 320, 640, 960]
    for index, (_, event) in enumerate(call.log):
        if isinstance(event, WordSpoken):
            before = [e for _, e in call.log[:index] if isinstance(e, AudioOut)]
            assert event.start_ms < 1000 * sum(len(e.pcm) for e in before) / 2 / AUDIO_RATE_HZ


def test_a_response_is_finished_when_it_was_played() -> None:
    call = ScriptedCall().speak("r1", "once upon a time")
    began = call.now
    call.wait(3.0)
    finished = call.one(SpeechFinished)
    assert (finished.status, finished.heard_text, finished.heard_chars) == ("completed", "once upon a time", 16)
    assert call.when(SpeechFinished)[0] - began == pytest.approx(4 * SPOKEN_WORD_S, abs=0.05)
    assert finished.sent_ms == finished.heard_ms == 4 * 320


def test_with_acknowledgements_it_is_finished_when_the_player_says_so() -> None:
    call = ScriptedCall(spec(acknowledges=True)).speak("r1", "once upon a time")
    for tenth in range(1, 14):
        call.wait(0.1).acknowledge("r1", max(0.0, tenth / 10 - 0.3))
    assert not call.all(SpeechFinished)
    call.wait(0.3).acknowledge("r1", 1.28)
    assert call.one(SpeechFinished).heard_text == "once upon a time"


def test_missing_acknowledgements_are_not_waited_for_for_ever() -> None:
    call = ScriptedCall(spec(acknowledges=True)).speak("r1", "once upon a time").acknowledge("r1", 0.4).wait(5.0)
    finished = call.one(SpeechFinished)
    assert call.when(SpeechFinished)[0] - 500.0 == pytest.approx(1.28 + 1.0, abs=0.1)
    assert finished.heard_text == "once upon a"[: finished.heard_chars] and finished.heard_ms <= 400 + 250


def test_an_acknowledgement_cannot_claim_what_was_not_sent() -> None:
    call = ScriptedCall(spec(acknowledges=True)).speak("r1", LONG).wait(0.1).acknowledge("r1", 1e6)
    call.command(CancelSpeech("r1"))
    assert call.one(SpeechFinished).heard_ms <= call.one(SpeechFinished).sent_ms


def test_unpaced_audio_leaves_as_fast_as_it_is_made() -> None:
    call = ScriptedCall(spec(paced=False)).speak("r1", LONG).wait(1.0)
    finished = call.one(SpeechFinished)
    assert finished.status == "completed" and finished.heard_ms == finished.sent_ms > 15_000
    assert finished.heard_text == LONG


def test_words_may_arrive_late_and_the_response_goes_on() -> None:
    call = ScriptedCall().speak("r1", "once upon ", end=False).wait(2.0)
    call.command(SpeakPart("r1", Words("a time")), EndSpeech("r1")).wait(2.0)
    assert call.one(SpeechFinished).heard_text == "once upon a time"
    assert call.stream.late_frames == 0


def test_a_response_without_words_finishes_silently() -> None:
    call = ScriptedCall().speak("r1").wait(0.1)
    assert call.one(SpeechFinished).status == "completed" and not call.all(SpeechStarted)


def test_a_new_response_cancels_the_one_before() -> None:
    call = ScriptedCall().speak("r1", LONG).wait(1.0).speak("r2", "once upon a time").wait(3.0)
    assert [(f.response_id, f.status) for f in call.all(SpeechFinished)] == [("r1", "cancelled"), ("r2", "completed")]


def test_commands_for_a_response_that_is_over_are_ignored() -> None:
    call = ScriptedCall().speak("r1", LONG).wait(0.5).command(CancelSpeech("r1"))
    call.command(SpeakPart("r1", Words("once")), EndSpeech("r1"), CancelSpeech("r1")).wait(1.0)
    assert len(call.all(SpeechFinished)) == 1
    call.speak("r2", "once").command(CancelSpeech("r1")).wait(1.0)
    assert call.all(SpeechFinished)[-1].status == "completed"


def test_nothing_of_an_old_epoch_leaves_after_its_end() -> None:
    call = ScriptedCall()
    for number in range(5):
        call.speak(f"r{number}", LONG).wait(0.7).say("who lives there").quiet(1.0 + 0.1 * number)
    call.wait(20.0)
    over: set[str] = set()
    epochs: list[int] = []
    for _, event in call.log:
        if isinstance(event, AudioOut | WordSpoken | SpeechStarted):
            assert event.response_id not in over
            epochs.append(event.epoch)
        elif isinstance(event, SpeechFinished):
            over.add(event.response_id)
    assert epochs == sorted(epochs) and len(set(epochs)) == 5


def test_a_voice_the_mouth_cannot_speak_fails_the_response_not_the_call() -> None:
    call = ScriptedCall().speak("r1", "once", Deliver(voice=VoiceSpec(slug="kazoo")), "upon").wait(1.0)
    assert (call.one(SpeechFinished).status, call.one(SpeechFinished).reason) == ("failed", "invalid_spec")
    assert not call.one(Fault).fatal
    call.speak("r2", "once upon").wait(2.0)
    assert call.all(SpeechFinished)[-1].status == "completed"
    with pytest.raises(InvalidSpec):
        ScriptedCall(spec(voice=VoiceSpec(slug="kazoo")))


def test_a_session_voice_that_cannot_be_spoken_is_refused_and_the_one_before_speaks_on() -> None:
    call = ScriptedCall().command(SetVoice(VoiceSpec(slug="salt"))).speak("r1", "once upon", end=False).wait(0.2)
    call.command(SetVoice(VoiceSpec(slug="kazoo")), EndSpeech("r1")).wait(2.0)
    assert call.one(VoiceChanged).voice == "salt" and call.one(VoiceRefused).voice == "kazoo"
    assert call.one(SpeechFinished).status == "completed"
    assert call.mouth.speeches[-1].voices == []


def test_a_step_that_comes_too_late_is_counted_in_frames_and_the_delay_does_not_grow() -> None:
    call = ScriptedCall().speak("r1", LONG).wait(1.0)
    call.now += 1.0
    call.wait(2.0)
    assert call.stream.late_frames == pytest.approx((1.0 - 0.4) / 0.04, abs=1)
    sent_s = len(call.audio_of("r1")) / AUDIO_RATE_HZ
    assert sent_s == pytest.approx(4.0 - 0.6 + 0.4, abs=0.1)


def test_style_and_voice_change_in_mid_speech_and_stay() -> None:
    call = ScriptedCall().speak("r1", LONG, end=False).wait(0.5)
    whisper = StyleSpec(slug="whisper", whisper=1.0)
    call.command(SetStyle(whisper), SetVoice(VoiceSpec(slug="salt")))
    assert (call.mouth.speeches[-1].style, call.mouth.speeches[-1].voices) == (whisper, ["salt"])
    call.speak("r2", "once")
    assert call.mouth.speeches[-1].style == whisper


# --- both at once ---


def test_an_interruption_cuts_the_answer_to_what_was_heard_and_is_heard_itself() -> None:
    call = ScriptedCall().speak("r1", LONG).quiet(2.0).say("who lives there").quiet(1.2)
    finished, heard = call.one(SpeechFinished), call.one(Heard)
    assert (finished.status, finished.reason) == ("cancelled", "turn_detected")
    assert heard.text == "who lives there" and heard.interrupted_response_id == "r1"
    begun = finished.heard_ms // 320 + 1
    assert finished.heard_text == " ".join(LONG.split()[:begun]) and finished.heard_chars == len(finished.heard_text)
    assert 2_000 < finished.heard_ms < finished.sent_ms <= finished.heard_ms + 450
    assert [overlap.decision for overlap in call.all(Overlap)] == ["duck", "cancel"]


def test_a_cough_lowers_the_voice_and_it_comes_back() -> None:
    call = ScriptedCall().speak("r1", LONG).quiet(2.0).noise(0.3).quiet(3.0)
    assert [overlap.decision for overlap in call.all(Overlap)] == ["duck", "resume"]
    assert not call.all(SpeechFinished) and not call.all(Heard) and not call.all(OutputGain)
    audio = call.audio_of("r1")
    lowest = float(np.abs(audio).min())
    assert lowest == pytest.approx(SPOKEN_LEVEL * 10 ** (-15 / 20), abs=0.02)
    assert audio[-1] == pytest.approx(SPOKEN_LEVEL, abs=0.01)
    assert np.abs(np.diff(audio)).max() < 0.01, "the gain moves without a click"


def test_a_player_that_ducks_itself_is_told_to() -> None:
    call = ScriptedCall(spec(client_ducks=True)).speak("r1", LONG).quiet(2.0).noise(0.3).quiet(1.5)
    assert [gain.gain_db for gain in call.all(OutputGain)] == [-15.0, 0.0]
    assert np.ptp(call.audio_of("r1")) < 1e-3


def test_a_ducked_player_is_brought_back_when_the_answer_is_cancelled() -> None:
    call = ScriptedCall(spec(client_ducks=True)).speak("r1", LONG).quiet(2.0).say("who lives there").quiet(1.0)
    assert [gain.gain_db for gain in call.all(OutputGain)] == [-15.0, 0.0]


def test_mhm_over_the_story_is_neither_an_interruption_nor_a_turn() -> None:
    call = ScriptedCall().speak("r1", LONG).quiet(2.0).say("mhm").quiet(2.0)
    assert [overlap.decision for overlap in call.all(Overlap)] == ["duck", "backchannel"]
    assert not call.all(Heard) and not call.all(VoiceStarted)


def test_the_characters_own_sound_in_the_microphone_does_not_interrupt() -> None:
    """The speech's level curve comes back 150 ms later at a tenth of its level, and no word of it is recognised."""
    call = ScriptedCall().quiet(1.0)
    parts = [part for n in range(30) for part in ("keeper " * (1 + n * n % 3), Pause(0.1 + n * 7 % 5 / 12))]
    call.speak("r1", *parts)
    rng = np.random.default_rng(1)
    silence = np.zeros(round(0.15 * AUDIO_RATE_HZ), dtype=np.float32)
    for at in range(0, 10 * AUDIO_RATE_HZ, 480):
        echo = np.concatenate([silence, call.audio_of("r1")])[at : at + 480]
        echo = np.pad(echo, (0, 480 - len(echo)))
        call.hear_pcm((echo * rng.normal(0, 0.3, 480)).astype(np.float32))
    assert not call.all(SpeechFinished)


def test_a_turn_that_begins_in_the_middle_of_echo_is_heard_without_the_echo() -> None:
    call = ScriptedCall().speak("r1", LONG).quiet(2.0)
    call.say("keeper sings once upon").say("who lives there green apples grow here").quiet(1.5)
    assert call.one(SpeechFinished).reason == "turn_detected"
    assert call.one(Heard).text.endswith("there green apples grow here") and "keeper" not in call.one(Heard).text


def test_an_answer_waits_while_the_user_goes_on_speaking() -> None:
    call = ScriptedCall().say("green apples").command(StartSpeech("r1"), SpeakPart("r1", Words(LONG)))
    call.say("grow here")
    assert not call.all(AudioOut)
    call.quiet(1.5)
    assert call.one(SpeechFinished).status == "cancelled" and call.one(Heard).text == "green apples grow here"


# --- silence ---


def test_silence_prompts_wait_for_the_end_of_playing_and_end_in_farewell() -> None:
    call = ScriptedCall()

    def answer(event: Event) -> list:
        if not isinstance(event, SilenceElapsed):
            return []
        name = f"{event.kind}{event.count}"
        return [StartSpeech(name), SpeakPart(name, Words("who lives there")), EndSpeech(name)]

    call.reply = answer
    call.speak("r1", LONG).quiet(120.0)
    assert [(event.kind, event.count) for event in call.all(SilenceElapsed)] == [
        ("prompt", 1),
        ("prompt", 2),
        ("farewell", 3),
    ]
    times, ends = call.when(SilenceElapsed), call.when(SpeechFinished)
    for waited, at, end in zip((12.0, 12.0, 25.0), times, ends, strict=False):
        assert at - end == pytest.approx(waited, abs=0.1)


def test_silence_is_noticed_without_any_input() -> None:
    call = ScriptedCall().wait(12.5)
    assert call.one(SilenceElapsed).kind == "prompt"


# --- latency ---


def test_an_answer_says_where_its_time_went() -> None:
    call = ScriptedCall().say("green apples").quiet(1.2).command(StartSpeech("r1")).wait(0.1)
    call.command(SpeakPart("r1", Words("once upon a time"))).wait(0.2)
    marks = call.one(LatencyMarks)
    stages = list(marks.stages.values())
    assert marks.response_id == "r1"
    assert list(marks.stages) == ["turn_decided", "transcript_ready", "first_words", "first_audio"]
    assert stages == sorted(stages) and marks.stages["turn_decided"] == pytest.approx(550, abs=80)


def test_a_prompt_is_no_answer_and_has_no_latency() -> None:
    call = ScriptedCall().say("green apples").quiet(1.2).speak("r1", "once").wait(2.0).speak("r2", "once").wait(2.0)
    assert [marks.response_id for marks in call.all(LatencyMarks)] == ["r1"]
