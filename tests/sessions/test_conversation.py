"""Items and responses as plain objects."""

import pytest

from sessions.realtime.client_events import GA_EVENTS, CreateItem, parse
from sessions.realtime.conversation import Conversation, Item, Spoken, item_from
from sessions.realtime.errors import ClientError
from sessions.realtime.responses import Ending, Response, ResponsePlan, num_words
from tests.sessions import ga_checker


def _user(item_id: str) -> Item:
    return Item(id=item_id, role="user", parts=[{"type": "input_text", "text": item_id}])


def test_items_form_one_chain_wherever_they_are_put() -> None:
    conversation = Conversation()
    assert conversation.insert(_user("b"), after=None, event_id=None) is None
    assert conversation.insert(_user("d"), after=None, event_id=None) == "b"
    assert conversation.insert(_user("a"), after="root", event_id=None) is None
    assert conversation.insert(_user("c"), after="b", event_id=None) == "b"
    assert [item.id for item in conversation.items] == ["a", "b", "c", "d"]
    assert conversation.delete("b") and not conversation.delete("b")
    assert conversation.previous_of("c") == "a"


@pytest.mark.parametrize(("item_id", "after"), [("a", None), ("z", "nobody")])
def test_an_item_that_fits_nowhere_is_refused_and_changes_nothing(item_id: str, after: str | None) -> None:
    conversation = Conversation()
    conversation.append(_user("a"))
    with pytest.raises(ClientError) as caught:
        conversation.insert(_user(item_id), after=after, event_id="e")
    assert caught.value.event_id == "e"
    assert [item.id for item in conversation.items] == ["a"]


def test_a_truncated_item_keeps_the_words_begun_before_the_cut() -> None:
    conversation = Conversation()
    words = [Spoken("Once", 0), Spoken(" upon", 400), Spoken(" a", 800)]
    part = {"type": "output_audio", "transcript": "Once upon a"}
    conversation.append(Item(id="x", role="assistant", parts=[part], words=words))
    cut = conversation.truncate("x", content_index=0, audio_end_ms=500, event_id=None)
    assert cut == "Once upon"
    assert conversation.truncate("x", content_index=0, audio_end_ms=9_000, event_id=None) == "Once upon"
    for item_id, index in (("x", 1), ("y", 0)):
        with pytest.raises(ClientError):
            conversation.truncate(item_id, content_index=index, audio_end_ms=0, event_id=None)


def test_history_that_a_client_replays_is_understood() -> None:
    texts = {
        "user": [{"type": "input_text", "text": "hi\\u0000"}],
        "assistant": [{"type": "output_text", "text": "hello"}],
        "system": [{"type": "input_text", "text": "be kind"}],
    }
    for role, content in texts.items():
        raw = str({"type": "conversation.item.create", "item": {"type": "message", "role": role, "content": content}})
        event = parse(raw.replace("'", '"').replace("\\\\", "\\"), GA_EVENTS)
        assert isinstance(event, CreateItem)
        item = item_from(event.item, item_id="i", event_id=None)
        assert item.role == role and "\x00" not in item.text and item.text


def _response(**plan: object) -> Response:
    return Response("resp_1", "item_1", "conv_1", ResponsePlan(**plan), Conversation())  # type: ignore[arg-type]


def _session() -> dict[str, object]:
    return {"type": "session.created", "session": {"type": "realtime", "object": "x", "id": "s", "audio": {}}}


def _numbered(events: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{"event_id": f"e{number}", **event} for number, event in enumerate(events)]


def test_a_spoken_response_goes_through_every_stage_in_order() -> None:
    response = _response(voice="hearth", metadata={"a": "b"}, input_words=2, input_audio_ms=400)
    pcm = bytes(48 * 500)
    events = [_session(), *response.created(), *response.begin(), *response.begin()]
    response.count_audio(len(pcm))
    events += [*response.audio(pcm), *response.word("Hello", 0), *response.word(" there.", 300)]
    events += response.done(Ending("completed"))
    ga_checker.check(_numbered(events))
    usage = events[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (2 + 10, 2 + 12)


@pytest.mark.parametrize(
    "ending",
    [
        Ending("cancelled", "turn_detected"),
        Ending("failed", "mind_failed"),
        Ending("incomplete", "max_output_tokens"),
    ],
)
@pytest.mark.parametrize("speaks", [True, False])
def test_a_response_may_end_at_any_stage(ending: Ending, speaks: bool) -> None:
    before = _response(speaks=speaks)
    ga_checker.check(_numbered([_session(), *before.created(), *before.done(ending)]))
    within = _response(speaks=speaks)
    events = [_session(), *within.created(), *within.begin()]
    events += within.word("One", 0) if speaks else within.written("One")
    ga_checker.check(_numbered([*events, *within.done(ending)]))


def test_the_checker_finds_what_strict_clients_stumble_over() -> None:
    response = _response()
    whole = [_session(), *response.created(), *response.begin(), *response.done(Ending("completed"))]
    good = _numbered(whole)
    ga_checker.check(good)
    for damaged in (
        good[1:],
        [*good[:2], *good[3:]],
        [*good[:-1], {**good[-1], "type": "conversation.item.created"}],
        [*good[:-1], {**good[-1], "event_id": "e0"}],
        [*good[:-1], {**good[-1], "response": {**good[-1]["response"], "usage": None}}],  # type: ignore[dict-item]
        [good[0], *good[2:], good[1]],
    ):
        with pytest.raises(AssertionError):
            ga_checker.check(damaged)


def test_words_are_counted_in_both_languages() -> None:
    assert [num_words(text) for text in ("", "one two", "你好吗", "say 你好 now")] == [0, 2, 3, 4]
