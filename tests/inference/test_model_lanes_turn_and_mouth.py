"""An end-to-end checkpoint that answers turn by turn, and the same one as the mouth of the composed lane."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from inference.protocol import (
    FRAME_MS,
    FRAME_SAMPLES,
    AudioOut,
    CancelSpeech,
    CommitInput,
    Deliver,
    EndSpeech,
    Heard,
    Lane,
    LatencyMarks,
    Pause,
    SessionSpec,
    SetStyle,
    SetVoice,
    SpeakPart,
    SpeechFinished,
    SpeechPart,
    SpeechStarted,
    StartSpeech,
    StyleSpec,
    TurnTaking,
    VoiceChanged,
    VoiceRefused,
    VoiceSpec,
    VoiceStarted,
    Words,
    WordSpoken,
)
from inference.worker.composed import ComposedLane
from inference.worker.model_mouth import ModelMouth
from inference.worker.shared_engine import SharedEngine
from inference.worker.turn import TurnLane
from tests.inference.engine_calls import checkpoints
from tests.inference.model_calls import ModelCalls
from tests.inference.scripted_call import LevelDetector, ToneEars

CALM = TurnTaking(silence_prompt_s=0)


def turn_spec(name: str = "call", **changes: object) -> SessionSpec:
    values = {"session_id": name, "character": "chatter@1", "lane": Lane.TURN, "turn_taking": CALM}
    return SessionSpec(**(values | changes))  # type: ignore[arg-type]


def turn_lane(*, eager: bool = False) -> tuple[TurnLane, SharedEngine]:
    """`eager`: a checkpoint that makes sound until its limit, 512 frames."""
    own = checkpoints()
    shared = SharedEngine(own.engine(own.eager if eager else own.chat, codec=True, num_slots=2))
    return TurnLane(shared, ToneEars(), LevelDetector), shared


def test_a_turn_is_answered_in_words_and_sound() -> None:
    calls: list[ModelCalls] = []
    lane = TurnLane(turn_lane()[1], ToneEars(), LevelDetector, clock=lambda: calls[0].now)
    calls.append(call := ModelCalls(lane, turn_spec()))
    call.quiet(0.6)
    call.say("green apples grow here")
    call.quiet(8.0)
    heard, started, finished = call.one(Heard), call.one(SpeechStarted), call.one(SpeechFinished)
    assert heard.text == "green apples grow here"
    assert call.index(heard) < call.index(started) < call.index(finished)
    assert finished.status == "completed"
    sound = call.all(AudioOut)
    assert finished.sent_ms == len(sound) * FRAME_MS and {len(each.pcm) for each in sound} == {2 * FRAME_SAMPLES}
    assert [finished.heard_text[word.char_start : word.char_end] for word in call.all(WordSpoken)] == [
        word.text for word in call.all(WordSpoken)
    ]
    marks = call.one(LatencyMarks)
    assert marks.response_id == started.response_id
    # The model answers in the tick after the turn was decided to be over.
    assert marks.stages["first_audio"] - marks.stages["turn_decided"] <= 2 * FRAME_MS


def test_what_was_said_decides_the_answer() -> None:
    call = ModelCalls(turn_lane()[0], turn_spec("same"), turn_spec("same"))
    call.quiet(0.6)
    one, other = (np.random.default_rng(seed).normal(0, 0.2, 24_000).astype(np.float32) for seed in (1, 2))
    call.speak(one, other)
    call.quiet(4.0)
    assert call.pcm(0) and call.pcm(1) and call.pcm(0) != call.pcm(1)


def test_a_long_answer_keeps_time_and_yields_to_the_user() -> None:
    call = ModelCalls(turn_lane(eager=True)[0], turn_spec())
    call.quiet(0.6)
    call.say("tell me a story")
    call.quiet(3.0)
    times = np.array(call.when(AudioOut))
    assert np.all(np.abs(np.diff(times) - FRAME_MS / 1000) < 1e-6)
    call.say("stop green apples")
    call.quiet(3.0)
    first = call.all(SpeechFinished)[0]
    assert (first.status, first.reason) == ("cancelled", "turn_detected")
    assert 0 < first.heard_ms <= first.sent_ms
    after = [event for _, event in call.logs[0][call.index(first) + 1 :] if isinstance(event, AudioOut)]
    assert after and {event.epoch for event in after} == {1}, "the interruption is answered, in its own epoch"
    assert [heard.text for heard in call.all(Heard)] == ["tell me a story", "stop green apples"]
    assert call.all(Heard)[1].interrupted_response_id == first.response_id


def test_a_cancelled_answer_stays_silent_until_the_next_turn() -> None:
    call = ModelCalls(turn_lane(eager=True)[0], turn_spec())
    call.quiet(0.6)
    call.say("tell me a story")
    call.quiet(2.0)
    call.command(CancelSpeech())
    finished = call.one(SpeechFinished)
    call.quiet(2.0)
    assert not [event for _, event in call.logs[0][call.index(finished) + 1 :] if isinstance(event, AudioOut)]
    call.say("who lives there")
    call.quiet(2.0)
    assert len(call.all(SpeechStarted)) == 2


def test_a_client_that_ends_turns_itself_is_answered_too() -> None:
    call = ModelCalls(turn_lane(eager=True)[0], turn_spec(detects_turns=False))
    call.quiet(0.3)
    call.say("green apples")
    assert not call.all(VoiceStarted)
    call.command(CommitInput())
    call.quiet(1.0)
    assert call.one(Heard).text == "green apples" and call.one(SpeechStarted)


def test_the_voice_of_an_end_to_end_call_changes_where_the_new_one_has_an_embedding() -> None:
    lane, shared = turn_lane()[:2]
    call = ModelCalls(lane, turn_spec())
    call.quiet(0.4)
    (number,) = shared.engine.open_streams
    stream = shared.engine.stream(number)
    before = shared.engine.lockstep.cache.keys[0][stream.slot, :, : stream.prompt_length].clone()
    call.command(SetVoice(VoiceSpec("other")))
    assert call.one(VoiceRefused).voice == "other"
    call.command(SetVoice(VoiceSpec("third", embedding=tuple([2.0] * 256))))
    call.quiet(0.4)
    assert call.one(VoiceRefused) and call.one(VoiceChanged).voice == "third"
    after = shared.engine.lockstep.cache.keys[0][stream.slot, :, : stream.prompt_length]
    assert not torch.equal(before, after)


def test_a_style_is_heard_from_the_next_frame_on() -> None:
    levels = []
    for level_db in (0.0, -20.0):
        call = ModelCalls(turn_lane(eager=True)[0], turn_spec())
        call.quiet(0.6)
        call.say("tell me a story")
        call.quiet(1.0)
        call.command(SetStyle(StyleSpec(level_db=level_db)))
        sent = len(call.pcm())
        call.quiet(2.0)
        samples = np.frombuffer(call.pcm()[sent + 9_600 :], dtype="<i2").astype(float)
        levels.append(20 * np.log10(np.sqrt(np.mean(samples**2))))
    assert abs(levels[0] - levels[1] - 20) < 1.5


# --- mouth ---


def mouth_lane() -> tuple[ComposedLane, SharedEngine, ModelCalls]:
    own = checkpoints()
    shared = SharedEngine(own.engine(own.chat, codec=True, num_slots=2))
    calls: list[ModelCalls] = []
    mouth = ModelMouth(shared, clock=lambda: calls[0].now)
    lane = ComposedLane(ToneEars(), mouth, LevelDetector, pulse=shared, most_streams=shared.slots)
    calls.append(ModelCalls(lane, SessionSpec(session_id="call", character="mira@1", turn_taking=CALM)))
    return lane, shared, calls[0]


def test_given_words_are_spoken_in_order_with_their_places() -> None:
    _lane, shared, call = mouth_lane()
    text = "Once upon a time there was a lighthouse. "
    call.command(StartSpeech("r1"), SpeakPart("r1", Words(text)), SpeakPart("r1", Words("The end.")), EndSpeech("r1"))
    call.quiet(20.0)
    words = call.all(WordSpoken)
    assert [word.text for word in words] == (text + "The end.").split()
    assert [(text + "The end.")[word.char_start : word.char_end] for word in words] == [word.text for word in words]
    assert [word.start_ms for word in words] == sorted(word.start_ms for word in words)
    finished = call.one(SpeechFinished)
    assert finished.status == "completed" and finished.heard_text == text + "The end."
    assert finished.sent_ms == len(call.all(AudioOut)) * FRAME_MS
    assert shared.engine.open_streams == []


def test_pauses_and_other_voices_have_their_place() -> None:
    _lane, shared, call = mouth_lane()
    other = VoiceSpec("other", embedding=(0.1,) * 256)
    parts: list[SpeechPart] = [Words("Hush. "), Pause(1.0), Deliver(voice=other), Words("Boo!")]
    call.command(StartSpeech("r1"), *(SpeakPart("r1", part) for part in parts), EndSpeech("r1"))
    call.quiet(15.0)
    first, second = call.all(WordSpoken)
    assert second.start_ms - first.end_ms >= 1_000
    samples = np.frombuffer(call.pcm(), dtype="<i2")
    quiet = samples[(first.end_ms + 40) * 24 : (first.end_ms + 960) * 24]
    assert not quiet.any()
    assert shared.engine.open_streams == []


def test_a_whisper_in_the_middle_keeps_every_word_in_its_place() -> None:
    _lane, shared, call = mouth_lane()
    whispered = Deliver(style=StyleSpec(whisper=1.0))
    parts: list[SpeechPart] = [Words("Loud and clear. "), whispered, Words("Now quietly. "), Words("And on.")]
    call.command(StartSpeech("r1"), *(SpeakPart("r1", part) for part in parts), EndSpeech("r1"))
    call.quiet(20.0)
    words = call.all(WordSpoken)
    assert [word.text for word in words] == "Loud and clear. Now quietly. And on.".split()
    assert all(one.end_ms <= other.start_ms for one, other in pairwise(words))
    finished = call.one(SpeechFinished)
    assert words[-1].end_ms <= finished.sent_ms == len(call.all(AudioOut)) * FRAME_MS
    assert shared.engine.open_streams == []


@pytest.mark.parametrize("how", ["cancelled", "left"])
def test_a_speech_that_is_cut_gives_its_place_back(how: str) -> None:
    _lane, shared, call = mouth_lane()
    call.command(StartSpeech("r1"), SpeakPart("r1", Words("one two three four five six seven eight nine ten ")))
    call.quiet(1.0)
    if how == "cancelled":
        call.command(CancelSpeech("r1"))
        assert call.one(SpeechFinished).status == "cancelled"
    else:
        call.close()
    assert shared.engine.open_streams == []
