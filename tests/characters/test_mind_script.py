"""The script mind in talk: replies, roles, styles, names, honesty, farewell."""

import json
from itertools import pairwise
from typing import Any

import pytest

from characters.mind.base import GoOn, HeardSpeech, Leaving, Opening, Said, StartActivity, UserTurn
from characters.mind.script_mind import ScriptMind
from inference.protocol import Deliver, StyleSpec, VoiceSpec, Words
from tests.characters.sample_cast import Listener, sample_cast, stage_of


@pytest.fixture
def listener() -> Listener:
    return Listener()


def test_a_listener_with_a_name_is_greeted_by_it_and_one_without_is_not() -> None:
    greetings = {Listener(seed=seed).opens(listener_name="Ada").text.strip() for seed in range(12)}
    assert "Good evening, Ada, sit down." in greetings
    nameless = {Listener(seed=seed).opens().text.strip() for seed in range(12)}
    assert "Good evening, sit down." in nameless


def test_someone_who_was_here_before_is_welcomed_back(listener: Listener) -> None:
    assert listener.opens(returning=True, listener_name="Ada").text.strip() == "Back again, Ada."


def test_the_same_variant_is_not_said_twice_in_a_row(listener: Listener) -> None:
    said = [listener.says("how are you").text for _ in range(12)]
    assert all(first != second for first, second in pairwise(said))
    assert len(set(said)) == 3


def test_a_seed_makes_a_conversation_repeatable() -> None:
    turns = ["how are you", "banana", "how are you", "tell me a story"]
    first, second = (Listener(seed=7) for _ in range(2))
    assert [first.says(turn).text for turn in turns] == [second.says(turn).text for turn in turns]


def test_a_follow_up_reply_counts_for_the_next_turn_only(listener: Listener) -> None:
    assert "secret?" in listener.says("who are you").text
    assert "moths" in listener.says("yes please").text
    assert "moths" not in listener.says("tell me").text


def test_a_reply_can_start_a_story_of_its_kind(listener: Listener) -> None:
    said = listener.says("tell me a story")
    assert said.text.startswith("I have one. Listen. Once there stood a lighthouse.")
    assert said.changes == [("lighthouse", "started"), ("lighthouse", "finished")]


def test_what_is_not_understood_is_met_in_changing_words_and_with_an_offer(listener: Listener) -> None:
    said = [listener.says("the price of copper fell again").text for _ in range(4)]
    assert len(set(said)) > 1
    assert any("Just say yes." in text or "Shall I begin" in text for text in said)


def test_yes_to_an_offer_begins_what_was_offered(listener: Listener) -> None:
    listener.says("the price of copper fell again")
    offered = listener.says("my shoes are still wet")
    assert "The Lighthouse That Was Afraid" in offered.text
    assert listener.says("yes").changes[0] == ("lighthouse", "started")


def test_a_voice_without_words_is_asked_to_say_it_again(listener: Listener) -> None:
    assert listener.says("").text.strip() == "The wind ate that."


def test_doubtful_words_that_fit_nothing_count_as_unheard(listener: Listener) -> None:
    assert listener.says("brimstone to", confidence=0.1).text.strip() == "The wind ate that."


def test_say_that_again_repeats_the_last_words(listener: Listener) -> None:
    first = listener.says("how are you").text
    assert listener.says("say that again").text == first


@pytest.mark.parametrize(
    ("wish", "preset"),
    [
        ("whisper please", "whisper"),
        ("can you speak a bit slower", "slower"),
        ("cheer up", "cheerful"),
        ("小声一点", "whisper"),
        ("speak warm", "warm"),
    ],
)
def test_a_wish_for_another_delivery_changes_the_style(listener: Listener, wish: str, preset: str) -> None:
    said = listener.says(wish)
    assert said.styles == [preset]
    assert said.text.strip()


def test_back_to_normal_is_the_characters_own_style(listener: Listener) -> None:
    listener.says("whisper please")
    assert listener.says("your normal voice please").styles == ["warm"]


def test_a_style_the_character_lacks_is_declined_with_what_it_has(listener: Listener) -> None:
    said = listener.says("be angry")
    assert said.styles == []
    assert "warm, whisper, slower and cheerful" in said.text


def test_a_style_mark_returns_to_the_style_the_listener_chose(listener: Listener) -> None:
    listener.says("slower please")
    deliveries = listener.says("the lighthouse").deliveries
    assert [delivery.style.slug for delivery in deliveries if delivery.style] == ["whisper", "slower"]


def test_a_style_set_on_the_page_is_what_marks_return_to(listener: Listener) -> None:
    listener.mind.delivery_changed(StyleSpec(slug="cheerful"), VoiceSpec(slug="hearth"))
    deliveries = listener.says("the lighthouse").deliveries
    assert [delivery.style.slug for delivery in deliveries if delivery.style] == ["whisper", "cheerful"]


def test_a_role_has_its_own_voice_manner_and_replies(listener: Listener) -> None:
    entered = listener.says("be a pirate")
    assert entered.text.strip() == "Arr. Who goes there?"
    assert entered.deliveries == [
        Deliver(style=StyleSpec(slug="gruff", instruction="speak gruff"), voice=VoiceSpec("salt"))
    ]
    played = listener.says("how are you")
    assert played.text.strip() == "Salty."
    assert isinstance(played.thoughts[0], Deliver)
    assert listener.says("the price of copper fell again").text.startswith("Speak up, landlubber.")
    assert listener.waits().text.strip() == "Has the sea got you?"


def test_a_role_is_left_when_asked(listener: Listener) -> None:
    listener.says("be a pirate")
    left = listener.says("be yourself again")
    assert left.deliveries[-1].voice == VoiceSpec("hearth")
    assert listener.says("how are you").deliveries == []


def test_a_style_the_listener_asks_for_wins_over_the_roles(listener: Listener) -> None:
    listener.says("be a pirate")
    listener.says("whisper please")
    delivery = listener.says("where is the treasure").deliveries[0]
    assert delivery.style is not None
    assert delivery.style.slug == "whisper"
    assert delivery.voice == VoiceSpec("salt")


@pytest.mark.parametrize(
    ("said", "name"),
    [("my name is ada", "Ada"), ("Call me O'Neil please", "O'Neil"), ("我叫小明", "小明")],
)
def test_a_name_is_remembered(listener: Listener, said: str, name: str) -> None:
    assert name in listener.says(said).text
    assert listener.mind.listener_name == name


@pytest.mark.parametrize("said", ["call me later", "call me a taxi", "my name is not important", "they call me again"])
def test_what_is_no_name_is_not_taken_for_one(listener: Listener, said: str) -> None:
    listener.says(said)
    assert listener.mind.listener_name == ""


def test_asked_sincerely_it_says_that_it_is_an_ai(listener: Listener) -> None:
    said = listener.says("are you a real person").text
    assert "AI character" in said
    assert "AI character" in listener.says("am i talking to a machine").text
    listener.says("be a pirate")
    assert "AI character" in listener.says("are you human").text


def test_the_scripts_own_answer_follows_the_honest_one(listener: Listener) -> None:
    said = listener.says("are you a computer").text
    assert "AI character" in said
    assert said.strip().endswith("I am brass and longing.")


def test_goodbye_ends_the_call(listener: Listener) -> None:
    said = listener.says("goodbye")
    assert said.hangs_up
    assert said.text.strip() == "Good night. Mind the step."


def test_leaving_is_answered_with_a_farewell(listener: Listener) -> None:
    assert listener.meets(Leaving()).text.strip() == "Good night. Mind the step."


def test_silence_prompts_come_in_order_and_the_last_one_stays(listener: Listener) -> None:
    said = [listener.waits(count).text.strip() for count in (1, 2, 3)]
    assert said == ["Still there?", "I will glow on.", "I will glow on."]


def test_what_it_can_do_is_told_from_what_it_has(listener: Listener) -> None:
    said = listener.says("what can you do").text
    for part in ("The Lighthouse That Was Afraid", "Captain Bree", "whisper"):
        assert part in said
    assert "Amazing Grace" in listener.says("what songs do you know").text


def test_chinese_can_be_typed(listener: Listener) -> None:
    assert listener.says("讲讲你自己吧", typed=True).text.strip() == "I am a lamp, in any language."
    assert listener.says("怕黑的灯塔", typed=True).changes[0] == ("lighthouse", "started")


def test_an_activity_chosen_on_the_page_begins_and_an_unknown_one_is_declined(listener: Listener) -> None:
    assert listener.meets(StartActivity("grace")).changes[0] == ("grace", "started")
    declined = listener.meets(StartActivity("gone"))
    assert declined.changes == []
    assert declined.text.strip()


async def test_an_answer_is_a_stream_whose_first_part_does_not_wait_for_the_rest() -> None:
    mind = ScriptMind(stage_of(sample_cast()))
    answer = mind.answer(UserTurn("the lighthouse"), "r1")
    words = [part async for part in _first_words(answer, 1)]
    assert words == ["Listen."]
    await answer.aclose()


async def _first_words(answer, count):  # type: ignore[no-untyped-def]
    async for part in answer:
        if isinstance(part, Words):
            yield part.text
            count -= 1
            if not count:
                return


def test_a_session_goes_on_elsewhere_from_its_snapshot() -> None:
    listener = Listener(seed=5)
    listener.says("my name is ada")
    listener.says("be a pirate")
    listener.says("the lighthouse", hears_until="afraid of the dark.")
    snapshot = json.loads(json.dumps(listener.mind.snapshot()))
    moved = ScriptMind(stage_of(sample_cast()))
    moved.restore(snapshot)
    again = Listener(moved)
    told = again.says("go on").text
    expected = listener.says("go on").text
    assert told == expected
    assert "Nobody knew." in told
    assert "Once there stood" not in told
    assert moved.listener_name == "Ada"


@pytest.mark.parametrize("thought_to_the_end", [False, True])
def test_a_story_that_a_crash_cut_off_goes_on_with_the_sentence_that_was_cut(thought_to_the_end: bool) -> None:
    mind = ScriptMind(stage_of(sample_cast()), seed=5)
    thoughts, said, snapshot = mind.thoughts(StartActivity("lighthouse"), "r1"), "", {}
    for thought in thoughts:
        said += thought.text if isinstance(thought, Words) else ""
        if "afraid of the dark." in said and not thought_to_the_end:
            break
    snapshot = json.loads(json.dumps(mind.snapshot()))
    moved = ScriptMind(stage_of(sample_cast()))
    moved.restore(snapshot)
    heard = said[: said.index("afraid of the dark.") + len("afraid of the dark.")]
    moved.heard(HeardSpeech("r1", heard, said, interrupted=True))
    told = Listener(moved).meets(GoOn(said[len(heard) :])).text
    assert "Nobody knew." in told
    assert "Once there stood" not in told


def test_a_reply_that_a_crash_cut_off_is_said_to_its_end(listener: Listener) -> None:
    assert listener.meets(GoOn(" and the rest of it.")).text.strip() == "and the rest of it."
    assert listener.meets(GoOn("  ")).text == ""


def test_without_a_snapshot_the_transcript_says_what_was_said_last() -> None:
    moved = ScriptMind(stage_of(sample_cast()))
    moved.recall([Said(False, "The tide is high."), Said(True, "is it")])
    assert "The tide is high." in Listener(moved).says("say that again").text


@pytest.mark.parametrize("broken", [{"talk": {}}, {"programme": None}, {"picker": []}, {"telling": {"text": 1}}])
def test_a_snapshot_that_is_damaged_is_refused(listener: Listener, broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="incomplete"):
        listener.mind.restore({**listener.mind.snapshot(), **broken})


def test_a_snapshot_of_another_version_is_refused(listener: Listener) -> None:
    with pytest.raises(ValueError, match="version 99"):
        listener.mind.restore({**listener.mind.snapshot(), "version": 99})


@pytest.mark.parametrize(
    "text", ["\x00", "{name}", "[pause 3]", "*" * 3000, "yes " * 3000, "?" * 50, "[style x] hello"]
)
def test_nothing_a_listener_says_stops_it(listener: Listener, text: str) -> None:
    listener.opens()
    assert listener.says(text).text.strip()
    assert listener.says("say that again").text.strip()


def test_marks_never_reach_the_listeners_ears(listener: Listener) -> None:
    for occasion in (Opening(), UserTurn("the lighthouse"), UserTurn("the letter"), UserTurn("amazing grace")):
        text = listener.meets(occasion).text
        assert "[" not in text
        assert "{" not in text
