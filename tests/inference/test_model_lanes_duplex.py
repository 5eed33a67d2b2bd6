"""The duplex lane: a full-duplex checkpoint speaks and listens as it likes; the lane keeps time, epochs and record."""

import numpy as np
import pytest

from inference.engine.engine import StepEngine
from inference.errors import InvalidSpec, ModelFault
from inference.protocol import (
    AUDIO_RATE_HZ,
    FRAME_MS,
    FRAME_SAMPLES,
    SAMPLE_BYTES,
    AudioOut,
    CancelSpeech,
    Heard,
    Lane,
    LatencyMarks,
    PlaybackAck,
    SessionSpec,
    SetStyle,
    SetVoice,
    SpeechFinished,
    SpeechStarted,
    StartSpeech,
    StyleSpec,
    UserText,
    VoiceRefused,
    VoiceSpec,
    VoiceStarted,
    VoiceStopped,
    WordSpoken,
)
from inference.worker.duplex import DuplexLane
from inference.worker.shared_engine import SharedEngine
from tests.inference.engine_calls import checkpoints
from tests.inference.model_calls import ModelCalls, reticent_engine
from tests.inference.scripted_call import LevelDetector, ToneEars

FRAME_S = FRAME_MS / 1000


def spec(name: str = "call", **changes: object) -> SessionSpec:
    values = {"session_id": name, "character": "babbler@1", "lane": Lane.DUPLEX, "instructions": "You are Babbler."}
    return SessionSpec(**(values | changes))  # type: ignore[arg-type]


def lane_of(engine: StepEngine) -> tuple[DuplexLane, SharedEngine]:
    shared = SharedEngine(engine)
    return DuplexLane(shared, ToneEars(), LevelDetector), shared


def talkative() -> tuple[DuplexLane, SharedEngine]:
    own = checkpoints()
    return lane_of(own.engine(own.duplex, codec=True, num_slots=2))


def with_prompt_primed(lane: DuplexLane) -> DuplexLane:
    """A call has been there before: the next ones begin in their first tick."""
    call = ModelCalls(lane, spec())
    call.quiet(0.3)
    call.close()
    return lane


def test_the_model_speaks_one_frame_per_frame_of_time() -> None:
    call = ModelCalls(talkative()[0], spec())
    call.quiet(4.0)
    times = np.array(call.when(AudioOut))[1:]
    assert len(times) >= 95
    assert np.all(np.abs(np.diff(times) - FRAME_S) < 1e-6)
    assert {len(event.pcm) for event in call.all(AudioOut)} == {FRAME_SAMPLES * SAMPLE_BYTES}
    assert [event.position for event in call.all(AudioOut)] == [FRAME_SAMPLES * i for i in range(len(times) + 1)]
    assert np.abs(np.frombuffer(call.pcm(), dtype="<i2")).max() > 100


def test_a_response_opens_when_the_model_speaks_and_ends_when_it_listens() -> None:
    call = ModelCalls(lane_of(reticent_engine())[0], spec())
    call.quiet(20.0)
    started, finished = call.all(SpeechStarted), call.all(SpeechFinished)
    assert len(finished) >= 2
    assert [each.response_id for each in finished] == [each.response_id for each in started[: len(finished)]]
    assert {each.status for each in finished} == {"completed"} and {each.epoch for each in finished} == {0}
    for each in finished:
        sound = [event for event in call.all(AudioOut) if event.response_id == each.response_id]
        assert each.sent_ms == each.heard_ms == len(sound) * FRAME_MS
        last = call.index(sound[-1])
        assert call.index(each) > last
    assert len(call.all(AudioOut)) < 0.9 * 20.0 / FRAME_S, "while it listens nothing is sent"


def test_words_have_their_place_in_sound_and_text() -> None:
    call = ModelCalls(lane_of(reticent_engine())[0], spec())
    call.quiet(12.0)
    finished = call.all(SpeechFinished)[0]
    words = [word for word in call.all(WordSpoken) if word.response_id == finished.response_id]
    assert words
    for word in words:
        assert finished.heard_text[word.char_start : word.char_end] == word.text
        assert 0 <= word.start_ms <= word.end_ms <= finished.sent_ms
    assert [word.start_ms for word in words] == sorted(word.start_ms for word in words)


def test_a_cancelled_response_is_over_at_once_and_raises_the_epoch() -> None:
    call = ModelCalls(talkative()[0], spec(acknowledges=True))
    call.quiet(2.0)
    (started,) = call.all(SpeechStarted)
    call.command(PlaybackAck(started.response_id, AUDIO_RATE_HZ))
    call.command(CancelSpeech(started.response_id))
    finished = call.one(SpeechFinished)
    assert (finished.status, finished.reason, finished.epoch) == ("cancelled", "client_cancelled", 0)
    assert finished.heard_ms < finished.sent_ms
    assert abs(finished.heard_ms - 1_000) <= FRAME_MS
    call.quiet(12.0)
    after = [event for _, event in call.logs[0][call.index(finished) + 1 :]]
    sound = [event for event in after if isinstance(event, AudioOut | WordSpoken | SpeechStarted)]
    assert sound, "the model is heard again once it has listened"
    assert {event.epoch for event in sound} == {1}
    assert started.response_id not in {event.response_id for event in sound}


def test_cancelling_what_is_not_being_said_changes_nothing() -> None:
    call = ModelCalls(talkative()[0], spec())
    call.quiet(1.0)
    call.command(CancelSpeech("another"))
    call.quiet(1.0)
    assert not call.all(SpeechFinished)
    assert len(call.all(AudioOut)) >= 45


def test_the_users_turns_are_noted_without_stopping_the_model() -> None:
    call = ModelCalls(talkative()[0], spec())
    call.quiet(1.0)
    call.say("green apples grow here")
    call.quiet(2.0)
    began, ended, heard = call.one(VoiceStarted), call.one(VoiceStopped), call.one(Heard)
    assert began.utterance_id == ended.utterance_id == heard.utterance_id
    assert heard.text == "green apples grow here"
    assert abs(began.at_ms - 1_000) < 70 and abs(ended.at_ms - 1_800) < 70
    assert not call.all(SpeechFinished)


def test_what_the_user_says_reaches_the_model() -> None:
    """Two callers with one seed differ only by what they say."""
    lane = with_prompt_primed(talkative()[0])
    call = ModelCalls(lane, spec("same"), spec("same"))
    call.quiet(1.0)
    before = [len(call.pcm(0)), len(call.pcm(1))]
    assert call.pcm(0) == call.pcm(1)
    voice = np.random.default_rng(3).normal(0, 0.2, 2 * AUDIO_RATE_HZ).astype(np.float32)
    call.speak(voice, np.zeros_like(voice))
    assert call.pcm(0)[before[0] :] != call.pcm(1)[before[1] :]


def test_callers_of_one_engine_do_not_move_each_other() -> None:
    lane, shared = talkative()
    with_prompt_primed(lane)
    alone = ModelCalls(lane, spec("first"))
    alone.quiet(2.0)
    alone.close()
    both = ModelCalls(lane, spec("first"), spec("second"))
    both.quiet(2.0)
    assert both.pcm(0) == alone.pcm(0)
    assert both.pcm(1) != both.pcm(0)
    assert len(shared.engine.open_streams) == 2


def test_late_ticks_are_shed_and_never_made_up_for() -> None:
    lane, shared = talkative()
    call = ModelCalls(lane, spec())
    call.quiet(1.0)
    ticks, sent = shared.ticks, len(call.all(AudioOut))
    call.skip(0.5)
    call.quiet(1.0)
    assert 11 <= shared.shed_ticks <= 12
    assert shared.ticks - ticks <= 1.0 / FRAME_S + 2
    assert len(call.all(AudioOut)) - sent <= 1.0 / FRAME_S + 2
    assert call.streams[0].late_frames >= 10


def test_audio_sent_ahead_of_its_time_becomes_no_delay() -> None:
    """Three seconds at once: what a model cannot hear in time is dropped and counted, and the rest is used up."""
    lane = with_prompt_primed(talkative()[0])
    call = ModelCalls(lane, spec())
    call.quiet(0.2)
    call.streams[0].audio(call.now, bytes(3 * AUDIO_RATE_HZ * SAMPLE_BYTES))
    dropped = call.streams[0].dropped_pieces
    assert 3.0 / FRAME_S - 50 - 3 <= dropped <= 3.0 / FRAME_S - 50
    call.quiet(6.0)
    settled = call.streams[0].dropped_pieces
    assert settled - dropped >= 45, "two seconds of delay were taken back"
    call.quiet(4.0)
    assert call.streams[0].dropped_pieces - settled <= 1


def test_a_closed_stream_gives_its_place_back() -> None:
    lane, shared = talkative()
    for number in range(5):
        call = ModelCalls(lane, spec(f"a{number}"), spec(f"b{number}"))
        call.quiet(0.2)
        call.close()
        call.close()
    assert shared.engine.open_streams == [] and shared.tick(call.now + 1) is None


def test_what_the_lane_cannot_do_is_said() -> None:
    call = ModelCalls(talkative()[0], spec())
    call.command(StartSpeech("resp_1"), SetVoice(VoiceSpec("other")))
    assert (call.one(SpeechFinished).response_id, call.one(SpeechFinished).status) == ("resp_1", "failed")
    assert call.one(VoiceRefused).voice == "other"
    with pytest.raises(InvalidSpec, match="256 numbers"):
        call.lane.prepare(spec(voice=VoiceSpec("odd", embedding=(0.5,) * 8)))


def test_a_stream_that_fails_fails_alone() -> None:
    lane, shared = talkative()
    call = ModelCalls(lane, spec("ill"), spec("well"))
    call.quiet(0.4)
    ill = call.streams[0]
    ill.contribute = None  # type: ignore[attr-defined]
    with pytest.raises(ModelFault, match="the voice model failed"):
        call.quiet(0.1)
    ill.close()
    call.streams, call.logs = call.streams[1:], call.logs[1:]
    sent = len(call.all(AudioOut))
    call.quiet(1.0)
    assert len(call.all(AudioOut)) - sent >= 23
    assert len(shared.engine.open_streams) == 1


def test_a_model_that_fails_fails_its_streams_by_name() -> None:
    lane, shared = talkative()
    call = ModelCalls(lane, spec())
    call.quiet(0.2)
    shared.engine.lockstep.cache.keys[0] = None  # type: ignore[call-overload]
    with pytest.raises(ModelFault, match="voice model has failed"):
        call.quiet(0.2)
    with pytest.raises(ModelFault):
        lane.open(spec("next"), call.now)


def test_a_style_is_heard_from_the_next_frame_on() -> None:
    levels = []
    for level_db in (0.0, -20.0):
        call = ModelCalls(talkative()[0], spec())
        call.quiet(1.0)
        call.command(SetStyle(StyleSpec(level_db=level_db)))
        sent = len(call.pcm())
        call.quiet(2.0)
        samples = np.frombuffer(call.pcm()[sent + 9_600 :], dtype="<i2").astype(float)
        levels.append(20 * np.log10(np.sqrt(np.mean(samples**2))))
    assert abs(levels[0] - levels[1] - 20) < 1.5


def test_typed_words_are_refused_by_name_and_the_call_goes_on() -> None:
    call = ModelCalls(talkative()[0], spec())
    call.command(UserText("resp_1", "hello"))
    finished = call.one(SpeechFinished)
    assert (finished.response_id, finished.status, finished.reason) == ("resp_1", "failed", "unsupported")
    call.quiet(1.0)
    assert len(call.all(AudioOut)) >= 20


def test_an_answers_time_counts_from_the_end_of_the_voice() -> None:
    calls: list[ModelCalls] = []
    shared = SharedEngine(reticent_engine())
    lane = DuplexLane(shared, ToneEars(), LevelDetector, clock=lambda: calls[0].now)
    calls.append(call := ModelCalls(lane, spec()))
    while not call.all(LatencyMarks):
        call.say("green apples")
        call.quiet(1.6)
        assert call.now < 1_060
    marks = call.all(LatencyMarks)[0]
    # The turn was decided to be over when the voice had been quiet for the patience of the profile.
    assert abs(marks.stages["turn_decided"] - 550) < 80


def test_a_call_that_closes_while_its_prompt_is_computed_gives_its_place_back() -> None:
    lane, shared = talkative()
    call = ModelCalls(lane, spec(instructions="You are Babbler. " * 20))
    call.command(SetVoice(VoiceSpec("third", embedding=(2.0,) * 256)))
    call.quiet(0.04)
    call.close()
    call.close()
    assert shared.engine.open_streams == [] and shared.tick(call.now + 1) is None


def test_a_response_cut_before_its_prompt_is_ready_changes_nothing() -> None:
    call = ModelCalls(talkative()[0], spec(instructions="You are Babbler. " * 20))
    call.command(CancelSpeech())
    call.quiet(2.0)
    assert {event.epoch for event in call.all(AudioOut)} == {0} and not call.all(SpeechFinished)
