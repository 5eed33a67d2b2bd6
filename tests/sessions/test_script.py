"""Where a response goes on: after the words that were sent, in the delivery that was in force."""

from hypothesis import given
from hypothesis import strategies as st

from inference.protocol import (
    AUDIO_RATE_HZ,
    AudioOut,
    Deliver,
    Note,
    Pause,
    Song,
    SpeechPart,
    StyleSpec,
    VoiceSpec,
    Words,
    WordSpoken,
)
from sessions.live.moving.script import Script, rest_of
from sessions.live.pace import spoken_text

WHISPER, SHOUT = StyleSpec(slug="whisper"), StyleSpec(slug="shout")
EMBER = VoiceSpec(slug="ember")
SONG = Song(
    (
        Note(0.5, 60, "a-"),
        Note(0.5, 62, "ma-"),
        Note(0.5, 64, "zing"),
        Note(0.5, 65),
        Note(0.3, None),
        Note(0.5, 67, "grace"),
        Note(0.5, 69, "how"),
        Note(0.5, 71, "sweet"),
    )
)


def test_words_go_on_in_the_middle_of_a_part() -> None:
    assert rest_of([Words("One two. "), Words("Three four five.")], len("One two. Three"), 0.0) == (
        len("One two. Three "),
        [Words("four five.")],
    )


def test_the_delivery_in_force_comes_first() -> None:
    parts: list[SpeechPart] = [
        Deliver(style=WHISPER),
        Words("One "),
        Deliver(voice=EMBER),
        Words("two "),
        Deliver(style=SHOUT),
    ]
    parts = [*parts, Words("three")]
    assert rest_of(parts, len("One"), 0.0)[1] == [
        Deliver(WHISPER, EMBER),
        Words("two "),
        Deliver(style=SHOUT),
        Words("three"),
    ]
    assert rest_of(parts, len("One two "), 0.0)[1] == [Deliver(SHOUT, EMBER), Words("three")]


def test_a_song_goes_on_with_its_next_word_and_keeps_its_rests() -> None:
    begins, rest = rest_of([SONG], len("amazing"), 0.0)
    assert (begins, rest) == (len("amazing "), [Song(SONG.notes[4:])])
    begins, rest = rest_of([SONG], len("amazing grace"), 0.0)
    assert (begins, rest) == (len("amazing grace "), [Song(SONG.notes[6:])])
    assert rest_of([SONG], len(SONG.lyrics), 0.0) == (len(SONG.lyrics), [])


def test_a_pause_is_kept_as_far_as_it_was_not_heard() -> None:
    parts: list[SpeechPart] = [Words("One. "), Pause(2.0), Words("Two.")]
    assert rest_of(parts, len("One. "), 0.5) == (len("One. "), [Pause(1.5), Words("Two.")])
    assert rest_of(parts, len("One. "), 3.0) == (len("One. "), [Words("Two.")])
    assert rest_of(parts, len("One."), 0.0) == (len("One. "), [Pause(2.0), Words("Two.")])


def test_humming_goes_on_where_it_was() -> None:
    hum = Song(tuple(Note(0.5, 60 + step) for step in range(6)))
    assert rest_of([hum, Words("There.")], 0, 1.6) == (0, [Song(hum.notes[3:]), Words("There.")])


@given(st.lists(st.sampled_from(["one ", "two, ", "three. ", "four "]), min_size=1, max_size=12), st.data())
def test_what_was_sent_and_the_rest_are_the_whole_text(pieces: list[str], data: st.DataObject) -> None:
    parts: list[SpeechPart] = [Words(piece) for piece in pieces]
    text = "".join(pieces)
    ends = [at for at in range(1, len(text) + 1) if not text[at - 1].isspace() and (at == len(text) or text[at] == " ")]
    chars = data.draw(st.sampled_from([0, *ends]))
    begins, rest = rest_of(parts, chars, 0.0)
    spoken = "".join(map(spoken_text, rest))
    assert text[begins:] == spoken
    assert not text[chars:begins].strip()


def test_a_word_that_was_cut_is_said_again() -> None:
    script = Script("resp_1", parts=[Words("One two three")])
    script.sent(AudioOut("resp_1", 0, 0, bytes(2 * AUDIO_RATE_HZ)))
    script.words = [
        WordSpoken("resp_1", 0, "One", 0, 600, 0, 3),
        WordSpoken("resp_1", 0, "two", 700, 1_200, 4, 7),
    ]
    place = script.place()
    assert (place.samples, place.chars) == (AUDIO_RATE_HZ, 3)
    assert script.rest(place) == (4, [Words("two three")])
