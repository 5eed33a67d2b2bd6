"""The process of a conversation dies: another one goes on with it from the rows."""

import asyncio

from sessions.live.registry import live_sessions
from sessions.models import Turn, VoiceSession
from tests.live_server import LiveServer
from tests.sessions.people import Person
from tests.sessions.tier_client import TierClient, tier_socket

LONG = "count slowly"


async def _kill(session_id: str) -> None:
    """As `kill -9` does: nothing is stored, nobody is told. Only the worker notices that its stream is gone."""
    live = live_sessions.get(session_id)
    assert live is not None
    await live._tasks.stop()
    live_sessions.remove(live)
    await live._call.stream.close()


async def _crashed(server: LiveServer, client: TierClient, session_id: str) -> None:
    client.socket.transport.abort()
    await client.closed()
    await asyncio.to_thread(server.call, _kill(session_id))


async def _turns(session_id: str) -> list[Turn]:
    return [turn async for turn in Turn.objects.filter(session__pk=session_id).order_by("index")]


async def test_a_story_goes_on_where_it_was_heard(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    session_id = begun["session_id"]
    async with tier_socket(begun["url"], begun["token"], alice.origin) as before:
        await before.expect("response.done", 60)
        await before.send({"type": "troupe.style.set", "style": "whisper"})
        await before.say_typed(LONG)
        await before.expect("troupe.caption.word", 20, where=lambda event: event["index"] == 22)
        await _crashed(alice.server, before, session_id)
    cut = (await _turns(session_id))[-1]
    assert cut.interrupted and cut.text.startswith("One is the first")
    said = [event["text"] for event in before.of("troupe.caption.word")][2:]
    behind = len(said) - len(cut.text.split())
    assert behind < 10, f"{behind} words of what was said are not in the transcript"
    again = await asyncio.to_thread(alice.resume, session_id)
    async with tier_socket(again["url"], again["token"], alice.origin, after=before.last_sequence) as after:
        ready = await after.expect("troupe.session.ready")
        assert (ready["resumed"], ready["rebuilt"], ready["style"]) == (True, True, "whisper")
        assert ready["sequence"] == before.last_sequence + 1
        shown = await after.expect("troupe.caption.cut")
        assert (shown["item_id"], shown["text"]) == (cut.item_id, cut.text)
        started = await after.expect("troupe.response.started")
        assert started["response"] > before.packets[-1].response and started["epoch"] > before.packets[-1].epoch
        await after.expect("response.done", 30)
        await after.say_typed("who are you")
        await after.expect("response.done", 30)
    turns = await _turns(session_id)
    assert [turn.speaker for turn in turns] == ["character", "user", "character", "character", "user", "character"]
    whole = f"{turns[2].text} {turns[3].text}"
    assert whole.startswith("One is the first number") and whole.endswith("the days that make a week.")
    assert " ".join(whole.split()) == " ".join(turns[2].full_text.split())
    assert turns[5].text == "I am Brief."


async def test_a_question_that_was_not_answered_is_answered(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    session_id = begun["session_id"]
    async with tier_socket(begun["url"], begun["token"], alice.origin) as before:
        await before.expect("response.done", 60)
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "who are you"}]}
        await before.send({"type": "conversation.item.create", "item": item})
        await before.expect("conversation.item.done")
        while len(await _turns(session_id)) < 2:
            await asyncio.sleep(0.05)
        await _crashed(alice.server, before, session_id)
    again = await asyncio.to_thread(alice.resume, session_id)
    async with tier_socket(again["url"], again["token"], alice.origin, after=before.last_sequence) as after:
        await after.expect("response.done", 30)
    assert (await _turns(session_id))[-1].text == "I am Brief."


async def test_without_what_its_mind_kept_a_conversation_goes_on_from_the_transcript(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    session_id = begun["session_id"]
    async with tier_socket(begun["url"], begun["token"], alice.origin) as before:
        await before.expect("response.done", 60)
        while not await _turns(session_id):
            await asyncio.sleep(0.05)
        await _crashed(alice.server, before, session_id)
    await VoiceSession.objects.filter(pk=session_id).aupdate(mind_state={"version": 1, "nonsense": True})
    again = await asyncio.to_thread(alice.resume, session_id)
    async with tier_socket(again["url"], again["token"], alice.origin, after=before.last_sequence) as after:
        await after.expect("troupe.session.ready")
        await after.say_typed("say that again")
        await after.expect("response.done", 30)
    assert (await _turns(session_id))[-1].text == "Hello there."


async def test_two_processes_cannot_both_write(alice: Person) -> None:
    """The first one was only slow: it learns that it has lost the conversation, and writes nothing more."""
    begun = await asyncio.to_thread(alice.begin)
    session_id = begun["session_id"]
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await client.expect("response.done", 60)
        while not await _turns(session_id):
            await asyncio.sleep(0.05)
        await VoiceSession.objects.filter(pk=session_id).aupdate(holder="elsewhere", holder_fence=99)
        await client.say_typed("who are you")
        assert await client.closed(20) == 4409
        assert client.of("troupe.session.closing")[0]["reason"] == "replaced"
    row = await VoiceSession.objects.aget(pk=session_id)
    assert (row.state, row.holder) == ("live", "elsewhere")
    assert [turn.text for turn in await _turns(session_id)] == ["Hello there."]
    await VoiceSession.objects.filter(pk=session_id).aupdate(state="ended")


async def test_after_a_restart_the_conversation_goes_on(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    session_id = begun["session_id"]
    try:
        async with tier_socket(begun["url"], begun["token"], alice.origin) as before:
            await before.expect("response.done", 60)
            await before.say_typed(LONG)
            await before.expect("troupe.caption.word", 20, where=lambda event: event["index"] == 8)
            await asyncio.to_thread(alice.server.call, live_sessions.drain())
            assert await before.closed() == 1012
            assert before.of("troupe.session.closing")[0]["reason"] == "draining"
    finally:
        live_sessions.open_again()
    row = await VoiceSession.objects.aget(pk=session_id)
    assert row.state == "live"
    again = await asyncio.to_thread(alice.resume, session_id)
    async with tier_socket(again["url"], again["token"], alice.origin, after=before.last_sequence) as after:
        assert (await after.expect("troupe.session.ready"))["rebuilt"] is True
        await after.expect("response.done", 30)
    turns = await _turns(session_id)
    whole = " ".join(turn.text for turn in turns if turn.speaker == "character")
    assert whole.endswith("Seven are the days that make a week.")
