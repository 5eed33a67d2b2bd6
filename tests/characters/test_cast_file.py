"""Reading a cast file: what is accepted, and what each mistake is answered with."""

from pathlib import Path

import pytest

from characters.cast_file import (
    CastFile,
    CastFileError,
    PauseMark,
    StyleMark,
    parse_cast_text,
    parse_line,
    parse_phrase,
    plain_text,
    read_cast_file,
    review,
)
from tests.characters.sample_cast import CAST_YAML, sample_cast


def problems_of(text: str) -> list[str]:
    with pytest.raises(CastFileError) as caught:
        parse_cast_text(text, "lamp.yaml")
    return [str(problem) for problem in caught.value.problems]


def with_change(old: str, new: str) -> str:
    assert old in CAST_YAML
    return CAST_YAML.replace(old, new)


def test_a_cast_file_goes_to_json_and_back_unchanged() -> None:
    cast = sample_cast()
    assert CastFile.model_validate(cast.model_dump(mode="json")) == cast


def test_text_without_a_chinese_twin_is_english() -> None:
    cast = sample_cast()
    assert cast.tagline.in_language("zh-hans") == "A lamp that talks."
    assert cast.name.in_language("zh-hans") == "小灯"


def test_yes_and_no_stay_words() -> None:
    cast = parse_cast_text(with_change('- cues: ["no", not now]', "- cues: [no, not now, 1984]"))
    assert cast.script.replies[2].follow[1].cues == ("no", "not now", "1984")


def test_the_turn_taking_profile_keeps_the_defaults_it_does_not_name() -> None:
    profile = sample_cast().turn_taking_profile()
    assert (profile.patience_s, profile.silence_prompts, profile.min_interruption_words) == (0.7, 3, 2)
    assert profile.backchannels == ("mhm", "wow", "i see")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("tagline: A", "tagine: A", ["lamp.yaml:4: tagine", "Did you mean `tagline`?"]),
        ("    paragraphs:\n", "    paragrafs:\n", ["activities[0].paragrafs", "Did you mean `paragraphs`?"]),
        ("start: any story", "start: lighthose", ["script.replies[1]", "lighthose", "any story"]),
        ("goto: confession", "goto: confesion", ["confesion", "Beats here: letter, confession"]),
        ("[how are you, how do you feel]", "[how are you, how are you]", ["stands here twice"]),
        ("[tell me a story, a story please]", "[how are you]", ["reply 0 and again in reply 1"]),
        ("[pause 0.6]", "[pause long]", ["no length", "[pause 0.8]"]),
        ("[pause 0.6]", "[laugh]", ["[laugh] is no mark", "Known marks"]),
        ("[/style] Mr.", " Mr.", ["never closed", "[/style]"]),
        ("Hello there.", "Hello {nane}.", ["{nane} means nothing", "{name}"]),
        ("E4 2 | - 1", "H4 2 | - 1", ["'H4' is no pitch", "C4 is middle C"]),
        ("E4 2 | - 1", "E9 2 | - 1", ["outside C1..C7"]),
        ("kind: song", "kind: opera", ["'opera' is no kind", "story, song, lesson, scene, chat"]),
        ("{patience_s: 0.7", "{patience_s: 70", ["TurnTaking.patience_s", "0.15..5.0"]),
        ("{patience_s: 0.7", "{patiense_s: 0.7", ["no field patiense_s"]),
        ("style: warm", "style: loud", ["'loud' is not among `styles`"]),
        ('accent: "#b4552d"', "accent: brown", ["'brown'", "must match"]),
        ("order: 2", "order: two", ["order", "integer"]),
        ("slug: since", "slug: grace", ["Two activities are called 'grace'"]),
        ("        answer: I have lived here for three years.\n", "", ["steps[1].answer", "Add `answer:`"]),
        ("slug: lamp\n", "slug: lamp\nslug: lamp\n", ["lamp.yaml:3: slug", "stands here twice"]),
        ("  unheard: [The wind", "  unheard: *wind", ["alias"]),
        ("say: So you confess.", "say: [pause 1] So you confess.", ["no YAML", "double quotes"]),
    ],
)
def test_a_mistake_is_named_with_place_and_remedy(old: str, new: str, told: list[str]) -> None:
    problems = problems_of(with_change(old, new))
    for words in told:
        assert any(words in problem for problem in problems), problems


def test_all_mistakes_are_reported_at_once() -> None:
    text = with_change("order: 2", "order: two").replace("accent:", "akzent:").replace("[laugh]", "")
    assert len(problems_of(text)) == 3


def test_a_scene_that_would_never_wait_is_refused() -> None:
    text = with_change("say: I forgive you.", "say: I forgive you.\n        otherwise: confession")
    assert any("circle" in problem for problem in problems_of(text))


@pytest.mark.parametrize("text", ["", "just words", "- a\n- list", "a: [", "\x00", "{a: b", "? [x]\n: y"])
def test_what_is_no_cast_file_is_refused_in_words(text: str) -> None:
    assert all("lamp.yaml" in problem for problem in problems_of(text))


def test_a_file_that_is_missing_or_no_utf8_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(CastFileError, match="cannot be read"):
        read_cast_file(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: café".encode("latin-1"))
    with pytest.raises(CastFileError, match="UTF-8"):
        read_cast_file(tmp_path / "latin.yaml")


def test_marks_are_taken_out_of_a_line_without_doubling_its_spaces() -> None:
    pieces = parse_line("You! [pause 0.5] [style whisper]Come here.[/style] Now.")
    assert pieces == ("You! ", PauseMark(0.5), StyleMark("whisper"), "Come here.", StyleMark(None), " Now.")
    assert plain_text("You! [pause 0.5] Come.") == "You! Come."


def test_a_phrase_becomes_notes_in_seconds() -> None:
    song = parse_phrase("A- G3 1 | ma- C4 2 | zing F#4 1/2 | _ Bb4 .5 | - 1", tempo_bpm=120, transpose=-12)
    assert [note.midi for note in song.notes] == [43, 48, 54, 58, None]
    assert [note.seconds for note in song.notes] == [0.5, 1.0, 0.25, 0.25, 0.5]
    assert song.lyrics == "Amazing"


def test_a_review_counts_minutes_and_warns_of_what_cannot_be_heard() -> None:
    cast = parse_cast_text(with_change("Steady.", "Steady (at 40 watts)."))
    found = review(cast)
    assert found.replies == 12
    assert 0.5 < found.minutes < 3
    assert found.voices == {"hearth", "salt"}
    assert "dramatic" in found.styles
    assert any("figure" in warning for warning in found.warnings)
    assert any("cannot be heard" in warning for warning in found.warnings)


def test_a_cue_in_two_places_at_once_is_warned_of() -> None:
    cast = parse_cast_text(with_change("cues: [the letter,", "cues: [be a pirate,"))
    assert any("'be a pirate' stands in roles[0] and activities[3]" in warning for warning in review(cast).warnings)
