"""How text is cut for speaking, and that every character keeps its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import InvalidSpec
from inference.mouth.phrases import (
    COMMA_PAUSE_S,
    ELLIPSIS_PAUSE_S,
    PARAGRAPH_PAUSE_S,
    SENTENCE_PAUSE_S,
    Phrase,
    find_phrase_end,
    pause_after,
    speakable,
    split_runs,
    split_words,
)
from inference.mouth.speech_text import MOST_CHARS, SpeechText
from inference.protocol import Note, Pause, Song, Words


def _phrases(*texts: str) -> list[Phrase]:
    text = SpeechText()
    for part in texts:
        text.add(Words(part))
    text.end()
    taken = []
    while (piece := text.take()) is not None:
        assert isinstance(piece, Phrase)
        taken.append(piece)
    return taken


def test_clauses_end_at_punctuation_and_are_slices_of_the_text() -> None:
    whole = "Well, there it was: a lamp! Was it lit? 今天好，明天也好。"
    phrases = _phrases(whole)
    assert [phrase.text.strip() for phrase in phrases] == [
        "Well,", "there it was:", "a lamp!", "Was it lit?", "今天好，", "明天也好。",
    ]  # fmt: skip
    assert all(whole[p.char_start : p.char_start + len(p.text)] == p.text for p in phrases)


@pytest.mark.parametrize(
    "text", ["Dr. Smith came", "It cost 3.50 dollars", "e.g. this one", "at 10:30 sharp", "J. S. Bach"]
)
def test_points_inside_words_and_numbers_end_nothing(text: str) -> None:
    assert find_phrase_end(text) is None


def test_pauses_follow_the_punctuation() -> None:
    assert pause_after("Hello, ") == COMMA_PAUSE_S
    assert pause_after('"Hello." ') == SENTENCE_PAUSE_S
    assert pause_after("Hello... ") == ELLIPSIS_PAUSE_S
    assert pause_after("Hello.\n\n") == PARAGRAPH_PAUSE_S
    assert pause_after("Hello") == 0.0


def test_an_unfinished_clause_waits_and_is_then_spoken_up_to_its_last_word() -> None:
    text = SpeechText()
    text.add(Words("I was walking along the har"))
    assert text.take() is None
    text.add(Words("bour when"))
    piece = text.take()
    assert isinstance(piece, Phrase)
    assert piece.text == "I was walking along the harbour "
    assert piece.continues
    text.add(Words(" it rained."))
    text.end()
    rest = text.take()
    assert isinstance(rest, Phrase)
    assert (rest.text, rest.continues) == ("when it rained.", False)


def test_two_words_are_not_torn_from_their_clause() -> None:
    text = SpeechText()
    text.add(Words("Once upon"))
    assert [text.take() for _ in range(20)] == [None] * 20


def test_an_endless_clause_is_cut_between_words() -> None:
    phrases = _phrases("and so on " * 200)
    assert len(phrases) > 5
    assert all(len(phrase.text) <= 180 and phrase.text.endswith(" ") for phrase in phrases)


def test_a_pause_of_the_author_replaces_the_one_of_the_punctuation() -> None:
    text = SpeechText()
    text.add(Words("Listen."))
    text.add(Pause(1.0))
    phrase = text.take()
    assert isinstance(phrase, Phrase)
    assert phrase.pause_s == 0.0
    assert text.take() == Pause(1.0)


def test_lyrics_count_in_the_whole_text() -> None:
    text = SpeechText()
    text.add(Words("Now: "))
    text.add(Song((Note(1.0, 60, "A-"), Note(1.0, 62, "men"))))
    text.add(Words("\nThere."))
    text.end()
    text.take()
    placed = text.take()
    last = text.take()
    assert placed is not None and last is not None
    assert (placed.char_start, last.char_start) == (5, 9)  # type: ignore[union-attr]


def test_words_keep_their_punctuation_and_chinese_is_read_by_character() -> None:
    assert [word.text for word in split_words('She said — "no!" 你好，Ann.')] == [
        "She", "said —", '"no!"', "你", "好，", "Ann.",
    ]  # fmt: skip


def test_scripts_are_told_apart() -> None:
    text = "My name is 米拉, and 3 more."
    assert [(text[run.start : run.end], run.is_cjk) for run in split_runs(text)] == [
        ("My name is ", False),
        ("米拉, ", True),
        ("and 3 more.", False),
    ]


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("<speak><break time='9s'/>hi</speak>", "hi"),
        ("a <b>bold</b> *move*", "a bold move"),
        ("good 🎉👍🏽 day\x00\x1b[31m", "good day 31m"),
        ("[[h@loU]] you", "h@loU you"),
        ("5 < 6 & 7 > 3", "5 6 & 7 3"),
        ("“quoted” — and…", '"quoted" , and.'),
    ],
)
def test_what_is_not_for_the_ear_is_blanked_out(written: str, spoken: str) -> None:
    assert " ".join(speakable(written).split()) == spoken


@given(st.text(max_size=400))
def test_any_text_is_cut_into_slices_in_order_and_words_lie_where_they_say(whole: str) -> None:
    position = 0
    for phrase in _phrases(whole):
        assert phrase.char_start >= position
        assert whole[phrase.char_start : phrase.char_start + len(phrase.text)] == phrase.text
        position = phrase.char_start + len(phrase.text)
        plain = speakable(phrase.text)
        assert len(plain) == len(phrase.text)
        assert not set(plain) & set("<>[]{}\x00")
        for word in split_words(phrase.text):
            assert phrase.text[word.start : word.end] == word.text


def test_a_speech_that_never_ends_is_refused_at_the_limit_and_keeps_what_it_has() -> None:
    text = SpeechText()
    text.add(Words("Hello there. "))
    with pytest.raises(InvalidSpec, match="at most"):
        text.add(Words("x" * MOST_CHARS))
    piece = text.take()
    assert isinstance(piece, Phrase) and piece.text == "Hello there."
