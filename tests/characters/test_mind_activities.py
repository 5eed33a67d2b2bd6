"""Stories, songs, scenes and chats: begun, interrupted, gone on with, left and taken up."""

import pytest

from inference.protocol import Pause, Song
from tests.characters.sample_cast import Listener


@pytest.fixture
def listener() -> Listener:
    return Listener()


def test_a_story_is_told_to_its_end_with_its_pauses(listener: Listener) -> None:
    said = listener.says("the lighthouse")
    assert said.text.strip().endswith("the dark was only dark. That was the lighthouse.")
    assert Pause(0.6) in said.thoughts
    assert said.changes == [("lighthouse", "started"), ("lighthouse", "finished")]


def test_an_interrupted_story_goes_on_with_the_sentence_that_was_cut(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="He was afraid of")
    said = listener.says("go on")
    assert said.text.startswith("Where were we. He was afraid of the dark. Nobody knew.")
    assert said.changes[0] == ("lighthouse", "resumed")


def test_a_sentence_heard_in_full_is_not_told_again(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="Every night he shook.")
    assert listener.says("go on").text.startswith("Where were we. Mr. Anselm heard it. He came up")


def test_a_sentence_in_a_whisper_is_whispered_when_told_again(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="Every night")
    said = listener.says("go on")
    assert [each.style.slug for each in said.deliveries if each.style] == ["whisper", "warm"]


def test_a_story_cut_before_it_began_begins(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="List")
    assert "Once there stood a lighthouse." in listener.says("go on").text


def test_a_question_in_the_middle_is_answered_and_then_it_offers_to_go_on(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="Nobody knew.")
    asked = listener.says("how are you")
    assert asked.changes == [("lighthouse", "paused")]
    assert asked.text.rstrip().endswith("go on?")
    assert "Every night he shook." in listener.says("yes please").text


def test_a_cough_does_not_end_the_story(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="afraid of the dark.")
    assert "Nobody knew." in listener.says("").text


def test_a_sound_of_listening_does_not_end_the_story(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="afraid of the dark.")
    assert "Nobody knew." in listener.says("wow").text


def test_silence_after_an_interruption_is_met_with_an_offer_to_go_on(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="afraid of the dark.")
    assert listener.waits().text.rstrip().endswith("go on?")
    assert "Nobody knew." in listener.says("okay").text


def test_slower_in_the_middle_changes_the_style_and_goes_on(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="afraid of the dark.")
    said = listener.says("slower please")
    assert said.styles == ["slower"]
    assert "Nobody knew." in said.text


def test_say_that_again_tells_the_paragraph_again(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="He came up")
    assert listener.says("say that again").text.startswith("Every night he shook.")


def test_start_over_begins_the_story_anew(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="He came up")
    said = listener.says("start over")
    assert said.text.startswith("Listen. Once there stood")
    assert said.changes[0] == ("lighthouse", "started")


def test_skip_leaves_out_the_paragraph(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="Once there")
    assert listener.says("skip this").text.startswith("Every night he shook.")


def test_a_stopped_story_can_be_taken_up_later(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="Every night")
    assert listener.says("stop").changes == [("lighthouse", "paused")]
    listener.says("how are you")
    said = listener.says("the lighthouse")
    assert said.changes[0] == ("lighthouse", "resumed")
    assert "Once there stood" not in said.text


def test_stop_at_the_start_is_understood_whatever_the_recogniser_made_of_the_rest(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="Nobody knew.")
    stopped = listener.says("stop by a gentleman please")
    assert stopped.changes == [("lighthouse", "paused")]
    assert "go on?" not in stopped.text


def test_another_activity_sets_the_first_one_aside(listener: Listener) -> None:
    listener.says("the lighthouse", hears_until="Every night")
    sung = listener.says("sing amazing grace")
    assert sung.changes[:2] == [("lighthouse", "paused"), ("grace", "started")]
    assert listener.says("go on").changes[0] == ("lighthouse", "resumed")


def test_the_end_was_not_reached_if_it_was_not_heard(listener: Listener) -> None:
    """The mind is done long before the listener: what counts is what was played."""
    told = listener.says("the lighthouse", hears_until="He came up")
    assert told.changes[-1] == ("lighthouse", "finished")
    assert "Then they were two." in listener.says("go on").text


def test_an_unknown_cue_after_the_end_of_a_story_is_not_about_the_story(listener: Listener) -> None:
    listener.says("the lighthouse")
    assert "go on?" not in listener.says("the price of copper fell again").text


def test_a_song_is_sung_phrase_by_phrase_and_goes_on_with_the_phrase_that_was_cut(listener: Listener) -> None:
    sung = listener.says("sing me a song", hears_until="Amazing grace,\nhow")
    assert [part.lyrics for part in sung.thoughts if isinstance(part, Song)] == [
        "Amazing grace,",
        "how sweet the sound",
    ]
    again = listener.says("go on")
    assert [part.lyrics for part in again.thoughts if isinstance(part, Song)] == ["how sweet the sound"]


def test_a_scene_follows_the_listeners_answers(listener: Listener) -> None:
    assert listener.says("the letter").text.rstrip().endswith("Did you, or did you not?")
    confessed = listener.says("yes i did")
    assert confessed.text.strip() == "So you confess. I forgive you. The curtain falls."
    assert confessed.changes == [("letter", "finished")]


def test_any_other_answer_takes_the_scene_where_it_leads_otherwise(listener: Listener) -> None:
    listener.says("the letter")
    assert listener.says("the price of copper fell again").text.strip() == "You deny it! Why would you?"


def test_a_scene_goes_on_by_itself_after_silence(listener: Listener) -> None:
    listener.says("the letter")
    assert "You deny it!" in listener.waits().text
    assert "I forgive you." in listener.waits(2).text


def test_a_scene_cut_short_still_takes_the_answer(listener: Listener) -> None:
    listener.says("the letter", hears_until="You read my")
    assert "So you confess." in listener.says("yes").text


def test_a_chat_asks_answers_and_asks_on(listener: Listener) -> None:
    assert listener.says("let's talk about the weekend").text.strip() == "What did you do last weekend?"
    assert listener.says("i stayed home").text.strip() == "Home is a good place. Was it warm there?"
    assert listener.says("yes very warm").text.strip() == "Then we have that in common. And next weekend?"
    ended = listener.says("we will paint the fence")
    assert ended.text.strip() == "Good plan. Thanks for telling me."
    assert ended.changes == [("weekend", "finished")]
