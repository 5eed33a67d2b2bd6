"""A lesson: tolerant of what the recogniser hears, strict about what is taught."""

import pytest

from tests.characters.sample_cast import Listener


@pytest.fixture
def lesson() -> Listener:
    listener = Listener()
    started = listener.says("start a lesson")
    assert started.changes == [("since", "started")]
    assert started.text.strip() == "Here we go. Say that you have not eaten since this morning."
    return listener


@pytest.mark.parametrize(
    "answer",
    [
        "i have not eaten since this morning",
        "I haven't eaten since this morning.",
        "i have not eaten sense this morning",
        "i have not eat in since this morning",
    ],
)
def test_a_right_answer_is_praised_though_misheard(lesson: Listener, answer: str) -> None:
    assert lesson.says(answer).text.strip() == "Perfect. Say that you have lived here for three years."


def test_a_known_mistake_is_corrected_with_its_reason(lesson: Listener) -> None:
    said = lesson.says("i did not eat since this morning")
    assert said.text.startswith("With since we use have not eaten.")
    assert lesson.says("i have not eaten since this morning").text.startswith("Perfect.")


def test_a_miss_brings_the_hint_and_a_second_one_the_answer(lesson: Listener) -> None:
    assert lesson.says("banana").text.rstrip().endswith("Try, I have not eaten.")
    second = lesson.says("banana bread").text
    assert "I have not eaten since this morning." in second
    assert second.rstrip().endswith("Say that you have lived here for three years.")


def test_not_knowing_is_a_miss(lesson: Listener) -> None:
    assert lesson.says("i don't know").text.rstrip().endswith("Try, I have not eaten.")


def test_the_recap_counts_and_repeats_what_was_missed(lesson: Listener) -> None:
    lesson.says("i have not eaten since this morning")
    lesson.says("banana")
    ended = lesson.says("banana")
    assert "1 of 2 right." in ended.text
    assert ended.text.rstrip().endswith("I have lived here for three years.")
    assert ended.changes == [("since", "finished")]


def test_silence_brings_the_prompt_again_and_then_the_hint(lesson: Listener) -> None:
    assert "Say that you have not eaten since this morning." in lesson.waits(1).text
    assert lesson.waits(2).text.strip() == "Try, I have not eaten."


def test_again_repeats_the_prompt(lesson: Listener) -> None:
    assert lesson.says("can you repeat that").text.strip() == "Say that you have not eaten since this morning."


def test_a_plain_question_is_answered_and_the_lesson_offers_to_go_on(lesson: Listener) -> None:
    asked = lesson.says("who are you").text
    assert asked.startswith("I am Lamp.")
    assert "Say that you have not eaten" in lesson.says("go on").text


def test_what_was_said_before_the_prompt_was_heard_is_no_miss(lesson: Listener) -> None:
    lesson.says("i have not eaten since this morning", hears_until="Perf")
    assert lesson.says("ah great").text.strip() == "Say that you have lived here for three years."
    assert lesson.says("i have lived here for three years").text.count("2 of 2 right.") == 1


def test_stop_leaves_the_lesson_and_it_can_be_taken_up_again(lesson: Listener) -> None:
    lesson.says("i have not eaten since this morning")
    assert lesson.says("stop").changes == [("since", "paused")]
    again = lesson.says("start a lesson")
    assert again.changes == [("since", "resumed")]
    assert "lived here" in again.text
