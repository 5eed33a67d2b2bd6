"""The mind that asks a language model, against a real HTTP server, and each way that can fail."""

import asyncio
import json
import logging

import pytest

from characters.mind import base
from characters.mind.base import GoOn, HeardSpeech, Opening, Thought, UserTurn
from characters.mind.breaker import Breaker
from characters.mind.chat_endpoint import ChatEndpoint, EndpointSettings
from characters.mind.chat_mind import ChatMind
from characters.mind.script_mind import ScriptMind
from inference.protocol import Deliver, Words
from tests.characters.chat_server import Handler, answers, chat_server, event, hangs_after, head, streams
from tests.characters.sample_cast import Said, sample_cast, stage_of

FALLBACKS = ("That went over my shade.", "My bulb flickered. Say it another way.", "I only got the light of it.")
OFF_SCRIPT = "why do volcanoes erupt so suddenly"


def mind_at(url: str, **settings: float) -> ChatMind:
    limits = {"first_words_s": 0.4, "between_words_s": 0.3, "total_s": 3.0, **settings}
    endpoint = ChatEndpoint(EndpointSettings(base_url=url, model="test", api_key="secret", **limits))  # type: ignore[arg-type]
    return ChatMind(ScriptMind(stage_of(sample_cast()), seed=1), endpoint)


async def ask(mind: ChatMind, text: str, response_id: str = "r1", **how: object) -> Said:
    thoughts: list[Thought] = [
        part
        async for part in mind.answer(UserTurn(text, **how), response_id)  # type: ignore[arg-type]
    ]
    said = Said(thoughts)
    mind.heard(HeardSpeech(response_id, said.text, said.text, interrupted=False))
    return said


def is_fallback(said: Said) -> bool:
    return any(said.text.startswith(line) for line in FALLBACKS)


async def test_the_models_words_are_spoken_as_they_stream() -> None:
    async with chat_server(streams("Vol", "canoes are ", "impa", "tient. ", "So am I", ".")) as server:
        said = await ask(mind_at(server.url), OFF_SCRIPT)
    assert said.text == "Volcanoes are impatient. So am I."
    assert next(part.text for part in said.thoughts if isinstance(part, Words)) == "Volcanoes are "


async def test_the_first_words_do_not_wait_for_the_last() -> None:
    async with chat_server(hangs_after("Well, let me ")) as server:
        answer = mind_at(server.url).answer(UserTurn(OFF_SCRIPT), "r1")
        first = await asyncio.wait_for(anext(answer), 1)
        await answer.aclose()
    assert first == Words("Well, let me ")


async def test_the_prompt_holds_card_lore_history_and_key() -> None:
    async with chat_server(streams("Anselm, of course.")) as server:
        mind = mind_at(server.url)
        await ask(mind, "tell me which keeper you like best of all people")
        await ask(mind, "and which volcano", instructions="Answer in rhyme.")
    first, second = server.messages(0), server.messages(1)
    assert first[0]["role"] == "system"
    assert "You are Lamp." in first[0]["content"]
    assert "The keeper is called Anselm." in first[0]["content"]
    assert "gulls" not in first[0]["content"]
    assert "Answer in rhyme." in second[0]["content"]
    assert [message["role"] for message in second] == ["system", "user", "assistant", "user"]
    assert "Bearer secret" in server.headers[0]
    assert server.requests[0]["stream"] is True


async def test_markdown_and_actions_are_not_spoken() -> None:
    reply = "Lamp: *flickers softly* **Fire** wants out.\n- It [pushes](http://x.y).\n<think>hm</think>`So` 🙂 there!"
    async with chat_server(streams(*[reply[at : at + 3] for at in range(0, len(reply), 3)])) as server:
        said = await ask(mind_at(server.url), OFF_SCRIPT)
    assert said.text == "Fire wants out. It pushes. So there!"


async def test_a_reply_that_will_not_end_is_ended() -> None:
    async with chat_server(streams(*["On and on it goes, dear. "] * 400)) as server:
        said = await ask(mind_at(server.url), OFF_SCRIPT)
    assert 600 < len(said.text) < 800
    assert said.text.endswith(".")


async def test_an_endpoint_that_does_not_stream_is_understood() -> None:
    body = b'{"choices": [{"message": {"role": "assistant", "content": "They are late."}}]}'
    async with chat_server(answers(body, kind="application/json")) as server:
        said = await ask(mind_at(server.url), OFF_SCRIPT)
    assert said.text == "They are late."


@pytest.mark.parametrize(
    "handler",
    [
        answers(b"no", "401 Unauthorized"),
        answers(b"no", "404 Not Found"),
        answers(b"busy", "429 Too Many Requests"),
        answers(b"oops", "500 Internal Server Error"),
        answers(b"", "302 Found"),
        answers(b"data: {broken\n\n"),
        answers(b"data: [1, 2]\n\n"),
        answers(b'data: {"choices": [{"delta": {"content": 7}}]}\n\n'),
        answers(b'data: {"error": {"message": "model exploded"}}\n\n'),
        answers(b"<html>Hello</html>", kind="text/html"),
        answers(b"\xff\xfe" * 50_000),
        answers(b"not json", kind="application/json"),
        answers(b""),
        streams(),
        streams("   ", "\n"),
        streams("*sighs*"),
        hangs_after(),
        hangs_after("   "),
    ],
)
async def test_whatever_fails_the_script_answers_and_says_nothing_technical(
    handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="characters"):
        async with chat_server(handler) as server:
            said = await ask(mind_at(server.url), OFF_SCRIPT)
    assert is_fallback(said), said.text
    assert "volcano" not in caplog.text
    assert "secret" not in caplog.text


async def test_a_refused_connection_is_answered_by_the_script() -> None:
    async with chat_server(streams("x")) as server:
        url = server.url
    assert is_fallback(await ask(mind_at(url), OFF_SCRIPT))


async def test_a_base_url_that_is_none_is_answered_by_the_script() -> None:
    assert is_fallback(await ask(mind_at("nonsense://"), OFF_SCRIPT))


async def test_an_answer_that_breaks_off_keeps_what_was_said() -> None:
    async with chat_server(hangs_after("Fire wants out. ", "And then it ")) as server:
        said = await ask(mind_at(server.url), OFF_SCRIPT)
    assert said.text.strip() == "Fire wants out. And then it"


async def test_a_slow_reader_does_not_make_the_endpoint_late() -> None:
    async with chat_server(streams("One. ", "Two. ", "Three.")) as server:
        mind = mind_at(server.url, total_s=0.5)
        said = []
        async for part in mind.answer(UserTurn(OFF_SCRIPT), "r1"):
            await asyncio.sleep(0.3)
            said.append(part)
    assert Said(said).text == "One. Two. Three."


async def test_a_dead_endpoint_costs_its_timeout_only_twice() -> None:
    async with chat_server(hangs_after()) as server:
        mind = mind_at(server.url)
        for number in range(6):
            assert is_fallback(await ask(mind, OFF_SCRIPT, f"r{number}"))
    assert server.connections == 2


async def test_a_wrong_key_is_not_tried_again_at_once() -> None:
    async with chat_server(answers(b"", "401 Unauthorized")) as server:
        mind = mind_at(server.url)
        for number in range(3):
            await ask(mind, OFF_SCRIPT, f"r{number}")
    assert len(server.requests) == 1


async def test_an_interrupted_answer_closes_its_request() -> None:
    async def handle(writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        for _ in range(2000):
            writer.write(event("word "))
            await writer.drain()
            await asyncio.sleep(0.005)

    async with chat_server(handle) as server:
        answer = mind_at(server.url).answer(UserTurn(OFF_SCRIPT), "r1")
        await anext(answer)
        await answer.aclose()
        await asyncio.wait_for(server.closed_early.wait(), 5)


async def test_only_what_was_heard_enters_the_history() -> None:
    async with chat_server(streams("The mountain takes a breath. Then it sings.")) as server:
        mind = mind_at(server.url)
        said = Said([part async for part in mind.answer(UserTurn(OFF_SCRIPT), "r1")])
        mind.heard(HeardSpeech("r1", "The mountain takes", said.text, interrupted=True))
        await ask(mind, "why does the ocean not boil", "r2")
    told = server.messages(1)
    assert told[2]["content"] == "The mountain takes [the listener interrupted here]"


@pytest.mark.parametrize(
    "said",
    [
        "tell me a story",
        "sing amazing grace",
        "whisper please",
        "be a pirate",
        "are you a real person",
        "i want to die",
    ],
)
async def test_what_the_script_does_better_is_not_asked_of_the_model(said: str) -> None:
    async with chat_server(streams("I am a model.")) as server:
        answer = await ask(mind_at(server.url), said)
    assert server.requests == []
    assert "model" not in answer.text


async def test_a_lesson_is_not_interrupted_by_the_model() -> None:
    async with chat_server(streams("I am a model.")) as server:
        mind = mind_at(server.url)
        await ask(mind, "start a lesson")
        said = await ask(mind, "i have not eaten since this morning", "r2")
    assert server.requests == []
    assert said.text.startswith("Perfect.")


async def test_the_model_speaks_in_the_voice_of_the_role() -> None:
    async with chat_server(streams("Lava be ", "sea of another sort.")) as server:
        mind = mind_at(server.url)
        await ask(mind, "be a pirate")
        said = await ask(mind, OFF_SCRIPT, "r2")
    assert isinstance(said.thoughts[0], Deliver)
    assert said.thoughts[0].voice is not None
    assert said.thoughts[0].voice.slug == "salt"
    assert len(said.deliveries) == 1
    assert "Captain Bree" in str(server.messages(0))


async def test_the_greeting_does_not_wait_for_a_model() -> None:
    async with chat_server(hangs_after()) as server:
        mind = mind_at(server.url)
        greeting = Said([part async for part in mind.answer(Opening(), "r1")])
    assert greeting.text.strip()
    assert server.requests == []


async def test_a_chat_goes_on_elsewhere_from_its_snapshot() -> None:
    async with chat_server(streams("The mountain takes a breath.")) as server:
        mind = mind_at(server.url)
        await ask(mind, OFF_SCRIPT)
        moved = mind_at(server.url)
        moved.restore(mind.snapshot())
        await ask(moved, "why does the ocean not boil", "r2")
    assert len(server.messages(1)) == 4


async def test_an_answer_that_a_crash_cut_off_is_remembered_as_far_as_it_was_heard() -> None:
    async with chat_server(streams("The mountain takes a breath.", " Then it sings.")) as server:
        mind = mind_at(server.url)
        answer = mind.answer(UserTurn(OFF_SCRIPT), "r1")
        thoughts = [await anext(answer)]
        while not isinstance(thoughts[-1], Words):
            thoughts.append(await anext(answer))
        moved = mind_at(server.url)
        moved.restore(json.loads(json.dumps(mind.snapshot())))
        await answer.aclose()
        moved.heard(HeardSpeech("r1", "The mountain", "The mountain takes a breath.", interrupted=True))
        rest = Said([part async for part in moved.answer(GoOn(" takes a breath."), "r2")])
        moved.heard(HeardSpeech("r2", rest.text, rest.text, interrupted=False))
        await ask(moved, "why does the ocean not boil", "r3")
    assert rest.text.strip() == "takes a breath."
    told = str(server.messages(1))
    assert OFF_SCRIPT in told and "The mountain" in told and "takes a breath." in told


async def test_a_chat_goes_on_from_its_transcript_alone() -> None:
    async with chat_server(streams("It does not.")) as server:
        mind = mind_at(server.url)
        mind.recall([base.Said(False, "Good evening."), base.Said(True, "my cat is called Tide")])
        await ask(mind, OFF_SCRIPT)
    assert "my cat is called Tide" in str(server.messages(0)) and "Good evening." in str(server.messages(0))


async def test_a_damaged_snapshot_of_a_chat_is_refused() -> None:
    mind = mind_at("http://127.0.0.1:9")
    with pytest.raises(ValueError, match="incomplete"):
        mind.restore({"script": mind.snapshot()["script"], "history": [{"nonsense": 1}]})


def test_the_breaker_lets_one_call_try_after_a_rest() -> None:
    now = 0.0
    breaker = Breaker(clock=lambda: now)
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now = 16.0
    assert breaker.allows()
    assert not breaker.allows()
    breaker.failed()
    now = 40.0
    assert not breaker.allows(), "each failed try doubles the rest"
    now = 50.0
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()
    assert breaker.allows()
