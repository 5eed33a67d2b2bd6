"""Completeness of what was said so far, and what words mean over the character's speech."""

import pytest

from inference.protocol import TurnTaking
from inference.turns.completeness import Completeness, CompletenessRules
from inference.turns.overlap import Evidence, OverlapRules, echoed_words
from inference.turns.wording import similar, tokens

PHRASES = ["tell me a story", "go on", "a song please", "讲个故事"]


@pytest.mark.parametrize(
    "text",
    [
        "tell me a story",
        "please tell me a story",
        "yes",
        "no thank you",
        "i don't know",
        "what is your name",
        "who are you with",
        "讲个故事",
        "你叫什么名字呢",
        "好的",
    ],
)
def test_finished(text: str) -> None:
    assert CompletenessRules(PHRASES).judge(text) is Completeness.FINISHED


@pytest.mark.parametrize(
    "text",
    [
        "i want to",
        "tell me a story about the",
        "yes and",
        "well um",
        "because",
        "i went there because my",
        "could you",
        "how about",
        "what is the",
        "我觉得因为",
        "我想",
        "那个",
    ],
)
def test_unfinished(text: str) -> None:
    assert CompletenessRules(PHRASES).judge(text) is Completeness.UNFINISHED


@pytest.mark.parametrize("text", ["", "green apples grow here", "she sailed home", "我昨天去了学校"])
def test_no_sign_either_way(text: str) -> None:
    assert CompletenessRules(PHRASES).judge(text) is Completeness.OPEN


def test_tokens_keep_apostrophes_and_split_chinese() -> None:
    assert tokens("Don\N{RIGHT SINGLE QUOTATION MARK}t stop, 等一下! 42") == ("don't", "stop", "等", "一", "下", "42")


@pytest.mark.parametrize(("left", "right"), [("gulls", "gull"), ("lighthouse", "light-house"), ("keeper", "keepers")])
def test_a_recogniser_may_take_one_for_the_other(left: str, right: str) -> None:
    assert similar(left, right)


@pytest.mark.parametrize(("left", "right"), [("no", "on"), ("cat", "hat"), ("stop", "story")])
def test_short_or_different_words_are_not_the_same(left: str, right: str) -> None:
    assert not similar(left, right)


def rules(said: str = "") -> OverlapRules:
    rules = OverlapRules(TurnTaking())
    rules.said(said)
    return rules


def test_backchannels_of_several_words_are_found() -> None:
    assert rules().weigh("uh huh i see, wow") == Evidence(backchannel=True)
    assert rules().weigh("i see the sea") == Evidence(real_words=2)


def test_the_characters_own_stop_is_no_stop_word() -> None:
    assert not rules("stop said the fox stop or I bite").weigh("stop said the fox").stop
    assert rules("once there was a fox").weigh("stop said the fox please").stop


def test_echo_must_be_in_order() -> None:
    said = "there stood a lighthouse on a rock".split()
    assert echoed_words(["lighthouse", "on", "a", "rock"], said) == {0, 1, 2, 3}
    assert echoed_words(["rock", "lighthouse", "there"], said) == set()


def test_echo_tolerates_misheard_and_missing_words() -> None:
    said = "it was afraid of the dark and every evening it hoped".split()
    assert len(echoed_words("it was a freight of the dark and evening it hoped".split(), said)) >= 8


def test_one_shared_word_does_not_make_a_question_an_echo() -> None:
    evidence = rules("the keeper climbed the stairs").weigh("who is that keeper")
    assert not evidence.echo and evidence.real_words == 4


def test_words_of_long_ago_are_no_echo() -> None:
    later = " ".join(f"word{letter}" for letter in "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuv")
    assert not rules("the keeper climbed the stairs " + later).weigh("the keeper climbed the stairs").echo


@pytest.mark.parametrize(("written", "heard"), [("i'm bored", "i am bored"), ("i cannot sleep", "i can't sleep")])
def test_a_short_form_and_its_long_one_are_the_same_phrase(written: str, heard: str) -> None:
    assert CompletenessRules([written]).judge(heard) is Completeness.FINISHED
    assert CompletenessRules([heard]).judge(written) is Completeness.FINISHED
