"""What the ears are told to expect."""

from characters.mind.inference_spec import ears_spec
from characters.mind.matching import is_chinese
from tests.characters.sample_cast import sample_cast


def test_everything_a_listener_may_say_is_expected() -> None:
    phrases = ears_spec(sample_cast()).phrases
    for phrase in (
        "how are you",
        "yes please",
        "be a pirate",
        "where is the treasure",
        "the lighthouse that was afraid",
        "i have not eaten since this morning",
        "i did not eat since this morning",
        "i stayed home",
        "very warm",
        "whisper please",
        "go on",
        "i was afraid",
        "lamp",
    ):
        assert phrase in phrases, phrase


def test_phrases_are_said_once_and_in_the_language_of_the_ears() -> None:
    spec = ears_spec(sample_cast())
    assert len(set(spec.phrases)) == len(spec.phrases)
    assert not any(is_chinese(phrase) for phrase in spec.phrases)
    assert spec.language == "en"


def test_what_the_character_says_comes_without_marks_and_songs_with_their_words() -> None:
    script = ears_spec(sample_cast()).script
    assert "Every night he shook. Mr. Anselm heard it. He came up with a lantern." in script
    assert "how sweet the sound" in script
    assert not any("[" in line or "{" in line for line in script)
