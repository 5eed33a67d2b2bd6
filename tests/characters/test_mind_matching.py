"""Cues against what a recogniser made of them."""

import json
from pathlib import Path

import pytest

from characters.mind.matching import ACCEPT, CLEAR, CueMatcher, Hearing, answer_score, words_of

RECOGNISED = json.loads((Path(__file__).parent / "data" / "recognised.json").read_text(encoding="utf-8"))
CUES = sorted({row[1] for row in RECOGNISED["cues"]})


@pytest.fixture(scope="module")
def matcher() -> CueMatcher[str]:
    return CueMatcher((cue, cue) for cue in CUES)


def hit_rates(matcher: CueMatcher[str], rows: list[list[str]]) -> tuple[float, float]:
    """Shares of rows matched rightly and wrongly."""
    right = wrong = 0
    for _, said, heard, *others in rows:
        found = matcher.best(Hearing.of(heard, others))
        right += found is not None and found.key == said
        wrong += found is not None and found.key != said
    return right / len(rows), wrong / len(rows)


def test_cues_are_recognised_through_what_a_general_recogniser_makes_of_them(matcher: CueMatcher[str]) -> None:
    rows = [row for row in RECOGNISED["cues"] if not row[0].endswith("+noise")]
    exact = sum(words_of(row[2]) == words_of(row[1]) for row in rows) / len(rows)
    right, wrong = hit_rates(matcher, rows)
    assert exact < 0.80, "the test means nothing if the recogniser made no mistakes"
    assert right >= 0.93
    assert wrong <= 0.01


def test_under_noise_more_is_missed_than_mistaken(matcher: CueMatcher[str]) -> None:
    rows = [row for row in RECOGNISED["cues"] if row[0].endswith("+noise")]
    right, wrong = hit_rates(matcher, rows)
    assert right >= 0.44
    assert wrong <= 0.03


def test_sentences_about_something_else_fit_no_cue(matcher: CueMatcher[str]) -> None:
    rows = RECOGNISED["unrelated"]
    accepted = sum(matcher.best(Hearing.of(heard, others)) is not None for _, _, heard, *others in rows)
    assert accepted / len(rows) <= 0.02


@pytest.mark.parametrize(
    ("heard", "cue"),
    [
        ("Tell me a STORY!", "tell me a story"),
        ("would you maybe tell me a story please", "tell me a story"),
        ("what is your name", "what's your name"),
        ("the clock may cause daughter", "the clockmaker's daughter"),
        ("the clock makers daughter", "the clockmaker's daughter"),
        ("sing amaze in grace", "sing amazing grace"),
        ("i cannot sleep", "i can't sleep"),
    ],
)
def test_other_words_for_the_same_cue_are_understood(matcher: CueMatcher[str], heard: str, cue: str) -> None:
    found = matcher.best(Hearing.of(heard))
    assert found is not None
    assert found.key == cue


def test_a_second_reading_can_save_a_cue(matcher: CueMatcher[str]) -> None:
    assert matcher.best(Hearing.of("jones philly")) is None
    found = matcher.best(Hearing.of("jones philly", ["scarborough fair"]))
    assert found is not None
    assert found.key == "scarborough fair"


def test_a_short_answer_counts_alone_and_not_inside_a_long_sentence() -> None:
    matcher = CueMatcher([(True, "yes"), (False, "no")])
    yes = matcher.best(Hearing.of("yeah"))
    assert yes is not None
    assert yes.key is True
    assert matcher.best(Hearing.of("yes my mother said there was no bread in the house")) is None


def test_what_is_not_wait() -> None:
    assert CueMatcher([("wait", "wait")]).best(Hearing.of("what"), CLEAR) is None


def test_of_two_cues_that_fit_the_longer_one_is_meant() -> None:
    matcher = CueMatcher([("story", "a story"), ("sea", "a story about the sea")])
    assert matcher.ranked(Hearing.of("a story about the sea"))[0].key == "sea"


@pytest.mark.parametrize("heard", ["讲个故事吧", "给我讲个故事", "讲 故事！"])
def test_chinese_cues_are_found_inside_what_was_typed(heard: str) -> None:
    matcher = CueMatcher([("story", "讲故事"), ("song", "唱首歌")])
    found = matcher.best(Hearing.of(heard))
    assert found is not None
    assert found.key == "story"


def test_words_are_made_alike() -> None:
    assert words_of("What's up? I can't, it's 21!") == words_of("what is up i can not it is twenty one")
    assert words_of("ＨＥＬＬＯ") == ("hello",)
    assert words_of("good bye") == words_of("bye bye") == ("goodbye",)
    assert words_of("1905") == ("one", "thousand", "nine", "hundred", "five")


def test_an_expected_answer_is_told_from_its_wrong_twin() -> None:
    said = Hearing.of("i did not eat since morning")
    right = answer_score(said, "i have not eaten since this morning")
    slip = answer_score(said, "i did not eat since morning")
    assert slip > right
    assert answer_score(Hearing.of("I haven't eaten since this morning."), "i have not eaten since this morning") == 1


@pytest.mark.parametrize("text", ["", "   ", "!!!", "\u200b", "🙂" * 50, "a" * 5000, "x y " * 2000, "é" * 20])
def test_anything_can_be_matched_without_an_error(matcher: CueMatcher[str], text: str) -> None:
    found = matcher.best(Hearing.of(text))
    assert found is None or found.score >= ACCEPT
