"""Text to phones, by way of the bundled dictionary."""

from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.pronunciation import Pronouncer
from inference.pronunciation.phones import PHONES, STRESS, VOWELS, is_vowel
from inference.training.letter_units import learn_letter_model
from inference.training.lexicon import edit_distance, entries_of, parse


@lru_cache(maxsize=1)
def pronouncer() -> Pronouncer:
    return Pronouncer.load()


def phones(text: str) -> str:
    return " ".join(phone for word in pronouncer().words(text) for phone in word.phones)


def same(written: str, spoken: str) -> bool:
    return phones(written) == phones(spoken) != ""


def breaks(text: str) -> list[str]:
    return [word.break_after for word in pronouncer().words(text)]


def test_a_word_of_the_dictionary_has_its_phones_and_stress() -> None:
    (word,) = pronouncer().words("Hello!")
    assert word.phones == ("hh", "ax", "l", "ow1")
    assert (word.text, word.char_start, word.char_end, word.break_after) == ("Hello!", 0, 6, "!")


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("1,234,567", "one million two hundred thirty four thousand five hundred sixty seven"),
        ("In 1999, 2026 and 1905", "in nineteen ninety nine, twenty twenty six and nineteen oh five"),
        ("the 1990s and '80s", "the nineteen nineties and eighties"),
        ("1500 km", "one thousand five hundred kilometers"),
        ("21st 3rd 12th 100th", "twenty first third twelfth one hundredth"),
        ("3.14 -5 .5", "three point one four minus five zero point five"),
        ("50% or 7.5 %", "fifty percent or seven point five percent"),
        ("$5.20, £3, $1, $0.99", "five dollars and twenty cents, three pounds, one dollar, ninety nine cents"),
        ("€1.5 million", "one point five million euros"),
        ("7:30 at 10 a.m. or 9:05pm", "seven thirty at ten eh m or nine oh five p m".replace("eh", "A,")),
        ("7:00", "seven o'clock"),
        ("Nov. 22, 2026", "November twenty second, twenty twenty six"),
        ("22/11/2026", "November twenty second twenty twenty six"),
        ("2026-11-22", "November twenty second twenty twenty six"),
        ("3 May 2020", "the third of May twenty twenty"),
        ("555-123-4567", "five five five one two three four five six seven"),
        ("+44 20 7946", "plus four four two zero seven nine four six"),
        ("1/2, 3/4, 2/3", "one half, three quarters, two thirds"),
        ("1 1/2 cups, 2½ cups", "one and a half cups, two and a half cups"),
        ("20°C, 5 km, 1kg", "twenty degrees Celsius, five kilometers, one kilogram"),
        ("10-20 or 1990–1995", "ten to twenty or nineteen ninety to nineteen ninety five"),
        ("2+2=4", "two plus two equals four"),
        ("007", "zero zero seven"),
    ],
)
def test_numbers_are_said_in_words(written: str, spoken: str) -> None:
    assert same(written, spoken)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Mr. Smith vs. Dr. Jones", "mister Smith versus doctor Jones"),
        ("St. John on Main St. here", "saint John on Main street here"),
        ("No. 5 is", "number five is"),
        ("e.g. tea, i.e. leaves", "for example tea, that is leaves"),
        ("Chapter IV", "chapter four"),
        ("Henry VIII", "Henry the eighth"),
        ("World War II", "World War two"),
        ("The GPU and HTML", "the g p u and h t m l"),
        ("H2O and MP3", "h two o and m p three"),
        ("me@example.com", "me at example dot com"),
        ("https://www.example.co.uk/page?x=1", "w w w dot example dot c o dot u k slash page"),
        ("salt & pepper", "salt and pepper"),
        ("#5 #hello", "number five hashtag hello"),
        ("twenty-one well-known", "twenty one well known"),
        ("and/or", "and or"),
        ("R&B", "r and b"),
    ],
)
def test_abbreviations_and_signs_are_said_in_words(written: str, spoken: str) -> None:
    assert same(written, spoken)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("sooo gooood", "so good"),
        ("THIS IS IT, YOU", "this is it, you"),
        ("it’s ‘fine’", "it's 'fine'"),
        ("café Zürich naïve", "cafe Zurich naive"),
        ("**bold** _text_ `code`", "bold text code"),
        ("<b>bold</b> text", "bold text"),
        ("hi 😀 there :) you", "hi there you"),
        ("w-w-what", "what"),
        ("hello 世界", "hello"),
        ("neighbour, colour, apologised", "neighbor, color, apologized"),
    ],
)
def test_what_is_only_for_the_eye_is_not_said(written: str, spoken: str) -> None:
    assert same(written, spoken)


def test_initials_in_the_dictionary_are_said_as_it_says_them() -> None:
    assert phones("NASA") == "n ae1 s ax"
    assert phones("US") == "y uw1 eh1 s"
    assert phones("us") == "ah1 s"
    assert phones("GPUs") == "jh iy1 p iy1 y uw1 z"


def test_the_and_to_are_said_as_their_neighbours_want() -> None:
    assert phones("the pear, the apple") == "dh ax p eh1 r dh iy ae1 p ax l"
    assert phones("to go. Where to?") == "t ax g ow1 w eh1 r t uw1"


def test_the_article_is_weak_and_the_letter_is_not() -> None:
    assert phones("a man") == "ax m ae1 n"
    assert phones("plan A.") == "p l ae1 n ey1"


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [
        ("I will read it", "she has read it", "read"),
        ("they live here", "live music", "live"),
        ("close the door", "stay close", "close"),
        ("you use it", "the use of it", "use"),
        ("to record it", "the record", "record"),
        ("I object", "the object", "object"),
        ("to present it", "the present", "present"),
        ("tear it up", "a tear", "tear"),
        ("the lead singer", "a lead pipe", "lead"),
        ("she lives here", "their lives", "lives"),
    ],
)
def test_words_spelled_alike_are_told_apart_by_their_neighbours(first: str, second: str, word: str) -> None:
    ways = [said.phones for text in (first, second) for said in pronouncer().words(text) if said.text == word]
    assert len(ways) == len(set(ways)) == 2


def test_punctuation_becomes_breaks() -> None:
    assert breaks("Well, yes; no: (maybe) so - then.") == [",", ",", ",", ",", ",", "."]
    assert breaks('"Stop!" he said — why?') == ["!", "", ",", "?"]
    assert breaks("one\n\ntwo") == [".", ""]
    assert breaks("well... no. Oh… The end") == [",", ".", ".", "", ""]


def test_the_dot_of_an_abbreviation_is_no_break_unless_the_sentence_ends() -> None:
    assert breaks("Mr. Smith met J. R. Jones.") == ["", "", "", "", "", "."]
    assert breaks("at 10 a.m. on Nov. 22 we") == [""] * 7
    assert breaks("in the U.S. They left") == ["", "", ".", "", ""]


def test_a_dash_without_spaces_parts_two_words() -> None:
    words = pronouncer().words("open—air")
    assert [(word.text, word.char_start, word.break_after) for word in words] == [("open—", 0, ","), ("air", 5, "")]


def test_inner_words_begin_where_spoken_words_do() -> None:
    (word,) = pronouncer().words("25")
    five = word.inner_words[1]
    assert word.inner_words[0] == 0
    assert word.phones[five:] == ("f", "ay1", "v")


def test_unknown_words_are_said_by_their_parts_and_letters() -> None:
    assert phones("streetlamp") == "s t r iy1 t l ae1 m p"
    assert phones("blorping").startswith("b l")
    assert phones("blorping").endswith("ih ng")
    assert phones("zarted").split()[-2:] == ["ax", "d"] or phones("zarted").split()[-2:] == ["ih", "d"]


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_text_is_too_strange(text: str) -> None:
    check(text)


@given(st.text(alphabet="aA1,.$%-/:'’IVXSt°@#&+()—\n é五😀", max_size=40))
@settings(max_examples=300, deadline=None)
def test_no_mixture_of_signs_is_too_strange(text: str) -> None:
    check(text)


def check(text: str) -> None:
    end = 0
    for word in pronouncer().words(text):
        assert end <= word.char_start < word.char_end <= len(text)
        assert word.text == text[word.char_start : word.char_end]
        end = word.char_end
        assert word.phones
        assert all(phone.removesuffix(STRESS) in PHONES for phone in word.phones)
        assert not any(phone.endswith(STRESS) and not is_vowel(phone) for phone in word.phones)
        assert word.inner_words[0] == 0
        assert sorted(set(word.inner_words)) == list(word.inner_words)
        assert word.inner_words[-1] < len(word.phones)
        assert word.break_after in ("", ",", ".", "?", "!")


def test_a_very_long_token_is_cut_and_does_no_harm() -> None:
    assert phones("x" * 20_000)
    assert phones("9" * 20_000)
    assert phones("ab-" * 5_000)


def test_the_dictionary_says_only_phones_of_the_set() -> None:
    lexicon = pronouncer()._lexicon._entries
    assert len(lexicon) > 100_000
    assert {phone.removesuffix(STRESS) for said in lexicon.values() for phone in said.split()} <= PHONES
    assert "ax" in VOWELS


def test_the_maker_reads_the_form_of_festival() -> None:
    words = parse(
        [
            "MNCL",
            '("use" n (((y uw s) 1)))',
            '("use" v (((y uw z) 1)))',
            '("Ada" nil (((ey) 1) ((d ax) 0)))',
        ]
    )
    assert entries_of(words) == {"use": "y uw1 s", "use/v": "y uw1 z", "ada": "ey1 d ax"}
    with pytest.raises(ValueError, match="no entries"):
        parse(["MNCL"])


def test_letters_are_learned_from_words() -> None:
    lexicon = pronouncer()._lexicon._entries
    words = [(word, tuple(said.split())) for word, said in lexicon.items() if word.isalpha() and word[0] in "bm"][::6]
    unheard, heard = words[::20], [entry for index, entry in enumerate(words) if index % 20]
    model, _ = learn_letter_model(heard)
    wrong = sum(edit_distance(model.phones(word), said) for word, said in unheard)
    assert wrong / sum(len(said) for _, said in unheard) < 0.3


def test_chinese_names_in_pinyin_are_not_said_as_english() -> None:
    assert phones("Zhāng Qīng and Xiǎo Xu") == "jh aa1 ng ch ih1 ng ae1 n d sh y aw1 sh uw1"
