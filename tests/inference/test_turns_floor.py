"""Turn-taking scenarios on a virtual clock."""

import pytest

from inference.protocol import TurnTaking
from inference.turns.decisions import Interrupt, Overlapped, TurnEnded, TurnStarted
from tests.inference.scripted_talk import ScriptedTalk

STORY = "once on a rock so small that the gulls took turns there stood a lighthouse"


def speaking(profile: TurnTaking | None = None, text: str = STORY, interruptible: bool = True) -> ScriptedTalk:
    """A talk in which the character has been speaking for a second."""
    return ScriptedTalk(profile).answer(text, interruptible).quiet(1.0)


# --- end of a turn ---


def test_a_turn_ends_where_the_voice_ended_and_is_decided_after_the_patience() -> None:
    talk = ScriptedTalk().quiet(1.0).voice(1.0, "green apples grow here").quiet(1.5)
    (started,), (ended,) = talk.all(TurnStarted), talk.all(TurnEnded)
    assert started.start_s == pytest.approx(1.0, abs=0.04)
    assert ended.end_s == pytest.approx(2.0, abs=0.05)
    assert talk.when(TurnEnded)[0] - ended.voice_ended_at == pytest.approx(0.55, abs=0.04)
    assert ended.voice_ended_at == pytest.approx(1_002.0, abs=0.05)


def test_what_the_character_knows_to_answer_ends_sooner() -> None:
    talk = ScriptedTalk(phrases=["tell me a story"]).voice(1.0, "tell me a story").quiet(1.0)
    assert talk.when(TurnEnded)[0] - 1_001.0 == pytest.approx(0.26, abs=0.06)


def test_a_pause_inside_an_utterance_does_not_end_it() -> None:
    talk = ScriptedTalk().voice(0.8, "i would like to hear the").quiet(0.9).voice(0.6, "old lighthouse").quiet(1.0)
    assert talk.turns == "SE"


def test_a_slow_speaker_is_heard_out() -> None:
    talk = ScriptedTalk()
    for word in ("i", "want", "to", "hear", "a"):
        talk.voice(0.25, word).quiet(0.5)
    talk.voice(0.4, "story").quiet(1.2)
    assert talk.turns == "SE"


def test_a_listener_who_is_cut_off_is_given_more_time_afterwards() -> None:
    def patience_after(premature_ends: int) -> float:
        talk = ScriptedTalk()
        for _ in range(premature_ends):
            talk.voice(0.6, "green apples").quiet(0.7).voice(0.4, "grow").quiet(3.0)
        began = talk.voice(0.6, "red pears").now
        return talk.quiet(3.0).when(TurnEnded)[-1] - began

    assert patience_after(3) > 1.2 * patience_after(0)


def test_speech_resumed_too_soon_continues_the_same_turn() -> None:
    talk = ScriptedTalk().voice(1.0, "green apples").quiet(0.8)
    assert talk.turns == "SE"
    talk.voice(0.6, "grow here").quiet(1.5)
    assert talk.turns == "SECE"
    assert not talk.all(Interrupt)


def test_speech_resumed_before_the_answer_is_heard_cancels_that_answer() -> None:
    talk = ScriptedTalk().voice(1.0, "green apples").quiet(0.7)
    talk.floor.answer_started(talk.now)
    talk.quiet(0.1).voice(0.5, "and pears").quiet(3.0)
    assert talk.turns == "SECE" and len(talk.all(Interrupt)) == 1


def test_speech_after_the_patience_for_thinking_is_a_new_turn() -> None:
    talk = ScriptedTalk().voice(1.0, "green apples").quiet(2.5).voice(0.8, "grow here").quiet(1.5)
    assert talk.turns == "SESE"


def test_interrupting_while_the_character_thinks_takes_words() -> None:
    talk = ScriptedTalk().voice(1.0, "green apples").quiet(2.0)
    talk.floor.answer_started(talk.now)
    talk.voice(0.3).quiet(0.5)
    assert talk.turns == "SE" and not talk.all(Interrupt)
    talk.voice(0.6, "never mind them").quiet(1.5)
    assert talk.turns == "SESE" and talk.all(TurnStarted)[-1].interrupts


def test_a_click_or_a_short_noise_is_no_turn() -> None:
    talk = ScriptedTalk()
    for _ in range(5):
        talk.voice(0.1).quiet(1.0)
    assert talk.turns == ""


def test_a_very_short_answer_counts_once_its_word_is_known() -> None:
    talk = ScriptedTalk().voice(0.16, "no").quiet(1.0)
    assert talk.turns == "SE"


def test_a_caller_who_mutes_in_mid_sentence_has_ended_the_turn() -> None:
    talk = ScriptedTalk().voice(1.0, "green apples").no_input(2.0)
    assert talk.turns == "SE"


def test_late_packets_do_not_end_a_turn() -> None:
    talk = ScriptedTalk().voice(0.6, "green apples").no_input(0.5).voice(0.5, "grow here")
    assert talk.turns == "S"


def test_an_endless_voice_is_cut_into_turns() -> None:
    talk = ScriptedTalk().voice(130.0, "television " * 50)
    assert talk.turns.count("E") == 2


# --- while the character speaks ---


def test_a_cough_ducks_and_the_story_goes_on() -> None:
    talk = speaking().voice(0.25).quiet(1.0)
    assert talk.overlaps == ["duck", "resume"]
    assert not talk.all(Interrupt) and talk.turns == ""


def test_words_found_in_a_cough_are_not_believed() -> None:
    talk = speaking().voice(0.2, "the a to of").quiet(1.0)
    assert not talk.all(Interrupt) and talk.turns == ""


def test_mhm_is_tolerated_and_not_answered() -> None:
    talk = speaking().voice(0.4, "mhm").quiet(1.0)
    assert talk.overlaps == ["duck", "backchannel"] and talk.turns == ""


def test_a_long_murmur_of_agreement_does_not_interrupt() -> None:
    talk = speaking().voice(1.1, "mm hmm yeah right okay sure").quiet(1.0)
    assert talk.overlaps == ["duck", "backchannel"] and talk.turns == ""


def test_real_words_interrupt() -> None:
    talk = speaking().voice(0.8, "who lives there").quiet(1.5)
    assert talk.overlaps[:2] == ["duck", "cancel"]
    assert talk.turns == "SE" and talk.all(TurnStarted)[0].interrupts
    assert talk.when(Interrupt)[0] - 1_001.0 < 0.8


def test_real_words_after_a_murmur_interrupt() -> None:
    talk = speaking().voice(0.3, "yeah").quiet(0.2).voice(0.8, "but who lives there").quiet(1.5)
    assert talk.all(Interrupt) and talk.turns == "SE"


def test_a_voice_without_words_interrupts_after_a_while() -> None:
    talk = speaking().voice(1.5)
    assert talk.when(Interrupt)[0] - 1_001.0 == pytest.approx(0.7, abs=0.06)


def test_the_guard_at_the_start_lets_only_words_interrupt() -> None:
    talk = ScriptedTalk(TurnTaking(guard_start_s=2.0)).answer(STORY).voice(1.5)
    assert talk.overlaps == []
    talk = ScriptedTalk(TurnTaking(guard_start_s=2.0)).answer(STORY).voice(1.0, "who lives there")
    assert len(talk.all(Interrupt)) == 1


def test_less_interruptibility_needs_more() -> None:
    patient = TurnTaking(interruptibility=0.5)
    talk = speaking(patient).voice(1.2)
    assert not talk.all(Interrupt)
    talk.voice(0.5)
    assert talk.when(Interrupt)[0] - 1_001.0 == pytest.approx(1.4, abs=0.06)
    assert not speaking(patient).voice(0.9, "who lives").quiet(0.6).all(Interrupt)


def test_a_character_that_never_yields_still_obeys_a_stop_word() -> None:
    stubborn = TurnTaking(interruptibility=0.0)
    talk = speaking(stubborn).voice(2.0, "i have something to say about that").quiet(1.0)
    assert talk.overlaps == [] and not talk.all(Interrupt)
    talk.voice(0.4, "stop").quiet(0.4)
    assert talk.all(Interrupt)


@pytest.mark.parametrize("text", ["hold on", "wait a moment please", "please stop", "等一下"])
def test_stop_words_interrupt_at_once(text: str) -> None:
    talk = speaking(TurnTaking(interruptibility=0.1)).voice(0.5, text).quiet(0.5)
    assert talk.all(Interrupt)


@pytest.mark.parametrize("text", ["don't stop", "i can't wait"])
def test_a_stop_word_that_is_negated_asks_for_nothing(text: str) -> None:
    assert not speaking(TurnTaking(interruptibility=0.1)).voice(0.5, text).quiet(0.5).all(Interrupt)


def test_a_response_that_must_be_said_cannot_be_interrupted() -> None:
    talk = speaking(interruptible=False).voice(2.0, "stop stop stop").quiet(1.0)
    assert talk.log == []


def test_the_characters_own_words_coming_back_do_not_interrupt() -> None:
    talk = speaking().voice(1.2, "the gulls took turned there stood").quiet(1.0)
    assert "echo" in talk.overlaps and not talk.all(Interrupt) and talk.turns == ""


def test_words_over_the_echo_interrupt() -> None:
    talk = speaking().voice(1.6, "gulls took turns please tell me something else").quiet(1.0)
    assert talk.all(Interrupt)


def test_a_voice_that_moves_like_the_output_does_not_duck_or_interrupt() -> None:
    talk = speaking().voice(3.0, echo=True).quiet(1.0)
    assert talk.overlaps == [] and talk.turns == ""


def test_clear_words_are_believed_although_the_voice_moves_like_the_output() -> None:
    talk = speaking().voice(1.4, "please tell me another one now", echo=True).quiet(1.0)
    assert talk.all(Interrupt)


def test_an_answer_given_just_before_the_question_is_over_counts() -> None:
    talk = speaking(text="do you want a story").voice(0.2, "yes").answer_ends().voice(0.2).quiet(1.5)
    assert talk.turns == "SE"


def test_a_murmur_that_ends_before_the_speech_is_not_answered_when_the_speech_ends() -> None:
    talk = speaking().voice(0.3, "mhm").quiet(0.2).answer_ends().quiet(1.5)
    assert talk.turns == ""


def test_a_turn_begun_before_the_answer_holds_it() -> None:
    talk = ScriptedTalk().voice(0.5, "green")
    talk.floor.answer_started(talk.now)
    assert talk.floor.holds_answer
    talk.quiet(2.0)
    assert talk.turns == "SE" and talk.all(Interrupt) and not talk.floor.holds_answer


def test_a_held_answer_goes_out_when_the_noise_was_nothing() -> None:
    talk = ScriptedTalk().quiet(0.5)
    talk.floor.answer_started(talk.now)
    talk.voice(0.15)
    assert talk.floor.holds_answer
    talk.quiet(0.6)
    assert not talk.floor.holds_answer and not talk.all(Interrupt)


# --- silence ---


def test_silence_brings_prompt_prompt_and_farewell_once() -> None:
    talk = ScriptedTalk()
    for kind in ("prompt", "prompt", "farewell"):
        talk.quiet(30.0).answer("are you still there").quiet(2.0).answer_ends()
        assert talk.silences[-1][0] == kind
    talk.quiet(100.0)
    assert talk.silences == [("prompt", 1), ("prompt", 2), ("farewell", 3)]


def test_the_silence_clock_starts_when_the_speech_was_played() -> None:
    talk = ScriptedTalk().answer(STORY).quiet(60.0)
    assert talk.silences == []
    talk.answer_ends().quiet(11.0)
    assert talk.silences == []
    talk.quiet(1.5)
    assert talk.silences == [("prompt", 1)]


def test_no_prompt_while_the_character_thinks_or_the_user_speaks() -> None:
    talk = ScriptedTalk().voice(20.0, "a long tale " * 10).quiet(1.0).quiet(20.0)
    assert talk.turns == "SE" and talk.silences == []


def test_an_answer_that_never_comes_does_not_stop_the_silence_clock_for_ever() -> None:
    talk = ScriptedTalk().voice(1.0, "green apples").quiet(50.0)
    assert talk.silences[:1] == [("prompt", 1)]


def test_typing_starts_the_silence_clock_again() -> None:
    talk = ScriptedTalk()
    for _ in range(5):
        talk.quiet(10.0)
        talk.floor.user_active(talk.now)
    assert talk.silences == []


def test_speaking_starts_the_prompts_from_the_first_again() -> None:
    talk = ScriptedTalk().quiet(13.0).answer("hello").answer_ends()
    talk.voice(1.0, "i am here").quiet(1.0).answer("good").answer_ends().quiet(13.0)
    assert talk.silences == [("prompt", 1), ("prompt", 1)]


def test_a_character_that_never_prompts() -> None:
    assert ScriptedTalk(TurnTaking(silence_prompt_s=0.0)).quiet(200.0).silences == []


def test_a_noisy_room_does_not_keep_the_character_silent() -> None:
    talk = ScriptedTalk()
    for _ in range(20):
        talk.voice(0.1).quiet(0.9)
    assert talk.silences == [("prompt", 1)]


# --- by command ---


def test_without_turn_detection_only_a_commit_ends_the_turn() -> None:
    talk = ScriptedTalk(detects_turns=False).answer(STORY).voice(2.0, "who lives there").quiet(20.0)
    assert talk.log == []
    talk.commit()
    assert talk.turns == "E"


def test_a_commit_ends_the_turn_at_once() -> None:
    talk = ScriptedTalk().voice(1.0, "tell me about the").commit()
    assert talk.turns == "SE"
    assert talk.quiet(3.0).turns == "SE"


def test_a_cleared_turn_is_forgotten() -> None:
    talk = ScriptedTalk().voice(1.0, "green apples")
    talk.floor.clear(talk.now)
    assert talk.quiet(3.0).turns == "S"


def test_a_cleared_overlap_brings_the_output_back() -> None:
    talk = speaking().voice(0.2)
    assert talk.overlaps == ["duck"]
    assert talk.floor.clear(talk.now) == [Overlapped("resume")]
