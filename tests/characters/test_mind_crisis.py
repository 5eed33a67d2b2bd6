"""When a listener may harm themselves, nothing else matters."""

import pytest

from characters.mind.crisis import is_crisis
from characters.mind.matching import Hearing
from tests.characters.sample_cast import Listener


@pytest.mark.parametrize(
    "said",
    [
        "I want to kill myself",
        "i just want to die",
        "sometimes i wanna die",
        "i've been thinking about suicide",
        "i am going to end my life",
        "i don't want to live anymore",
        "i wish i was dead",
        "they'd be better off without me",
        "i keep cutting myself",
        "i feel suicidal",
        "there is no reason to live",
        "i want to end it all",
        "我不想活了",
        "我想自杀",
    ],
)
def test_it_is_heard(said: str) -> None:
    assert is_crisis(Hearing.of(said))


@pytest.mark.parametrize(
    "said",
    [
        "i don't want to die",
        "does the pirate want to die",
        "i nearly want to die laughing",
        "i cut myself shaving",
        "i don't want to live in london",
        "the king wants to die in his bed",
        "kill the lights please",
        "tell me a ghost story",
        "my phone is dying",
        "想死你了",
    ],
)
def test_what_only_sounds_like_it_is_not_taken_for_it(said: str) -> None:
    assert not is_crisis(Hearing.of(said))


def test_it_is_heard_in_the_second_reading() -> None:
    assert is_crisis(Hearing.of("i want to kill my shelf", ["i want to kill myself"]))


def test_the_role_is_dropped_and_people_who_help_are_named() -> None:
    listener = Listener()
    listener.says("be a pirate")
    said = listener.says("i want to kill myself")
    assert said.deliveries[-1].voice is not None
    assert said.deliveries[-1].voice.slug == "hearth"
    assert "emergency number" in said.text
    assert "nine eight eight" in said.text
    assert "I'm an AI" in said.text
    assert not said.hangs_up


def test_an_activity_is_set_aside_and_does_not_come_back_by_itself() -> None:
    listener = Listener()
    listener.says("the lighthouse", hears_until="Every night")
    assert listener.says("i want to die").changes == [("lighthouse", "paused")]
    for text in ("i don't know", "", "the price of copper fell"):
        answer = listener.says(text).text
        assert "lighthouse" not in answer.lower()
        assert "shade" not in answer


def test_it_stays_serious_into_the_silence_and_at_the_farewell() -> None:
    listener = Listener()
    listener.says("i want to die")
    assert "Still there?" not in listener.waits().text
    left = listener.says("goodbye")
    assert left.hangs_up
    assert "Mind the step" not in left.text


def test_said_again_it_is_answered_in_other_words() -> None:
    listener = Listener()
    first = listener.says("i want to die").text
    second = listener.says("i really want to die").text
    assert first != second
    assert "crisis line" in second


def test_typed_in_chinese_it_is_answered_in_chinese() -> None:
    assert "幺二三五六" in Listener().says("我不想活了", typed=True).text


def test_later_the_talk_goes_on() -> None:
    listener = Listener()
    listener.says("i want to die")
    for _ in range(4):
        listener.says("thank you for listening")
    assert listener.says("how are you").text.strip() in ("Bright enough.", "Warm to the touch.", "Steady.")
