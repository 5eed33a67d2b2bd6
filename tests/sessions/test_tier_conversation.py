"""A conversation in the troupe tier, on the running server with its real ears and mouth."""

import asyncio

from inference.protocol import AUDIO_RATE_HZ
from sessions.models import Turn, VoiceSession
from tests.sessions import ga_checker
from tests.sessions.people import Person
from tests.sessions.speech import spoken
from tests.sessions.tier_client import TierClient, tier_socket

FIRST_S = 60.0
"""The first call of a fresh checkout makes the ears' language model."""


async def _greeted(client: TierClient) -> None:
    await client.expect("troupe.session.ready")
    await client.expect("response.done", FIRST_S)


async def _turns(session_id: str) -> list[Turn]:
    """The stored turns once the session has ended."""
    for _ in range(100):
        session = await VoiceSession.objects.aget(pk=session_id)
        if session.state == VoiceSession.State.ENDED:
            return [turn async for turn in Turn.objects.filter(session=session).order_by("index")]
        await asyncio.sleep(0.05)
    raise AssertionError("the session did not end")


async def test_the_character_greets_and_answers_what_is_typed(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        ready = await client.expect("troupe.session.ready")
        assert ready["character"] == "brief" and ready["resumed"] is False and ready["remaining_s"] is None
        assert {"slug": "pebble", "title": "The Pebble", "kind": "story"} in ready["activities"]
        greeting = await client.expect("response.done", FIRST_S)
        assert greeting["response"]["output"][0]["content"][0]["transcript"] == "Hello there."
        await client.say_typed("who are you")
        answer = await client.expect("response.done")
        assert answer["response"]["output"][0]["content"][0]["transcript"] == "I am Brief."
        await client.send({"type": "troupe.end"})
        assert await client.closed() == 1000
    ga_checker.check(client.events, tier=True)
    ga_checker.check_all_over(client.events)
    said = [(turn.speaker, turn.text, turn.typed) for turn in await _turns(begun["session_id"])]
    assert said == [
        ("character", "Hello there.", False),
        ("user", "who are you", True),
        ("character", "I am Brief.", False),
    ]


async def test_every_message_is_numbered_without_gaps_and_packets_join_into_the_answer(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await _greeted(client)
    assert [number for number, _message in client.messages] == list(range(1, len(client.messages) + 1))
    position = 0
    for packet in client.packets:
        assert (packet.response, packet.position, packet.epoch) == (1, position, 0)
        assert len(packet.pcm) % (AUDIO_RATE_HZ * 2 * 40 // 1000) == 0, "packets hold whole frames"
        position += len(packet.pcm) // 2
    words = client.of("troupe.caption.word")
    assert [word["text"] for word in words] == ["Hello", "there."]
    assert words[-1]["end_ms"] <= position * 1000 / AUDIO_RATE_HZ
    assert any(any(packet.pcm) for packet in client.packets), "the packets hold sound"


async def test_a_spoken_question_is_heard_answered_and_timed(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await _greeted(client)
        await client.speak(spoken("what is your name"), silence_s=1.5)
        heard = await client.expect("conversation.item.input_audio_transcription.completed")
        latency = await client.expect("troupe.latency")
        await client.expect("response.done")
    ga_checker.check(client.events, tier=True)
    assert heard["transcript"]
    stages = latency["stages"]
    assert set(stages) == {"turn_decided", "transcript_ready", "first_words", "first_audio", "sent"}
    assert 0 < stages["turn_decided"] <= stages["transcript_ready"] <= stages["first_audio"] <= stages["sent"]
    turns = await _turns(begun["session_id"])
    assert [turn.speaker for turn in turns] == ["character", "user", "character"]
    assert turns[1].text == heard["transcript"] and turns[1].words and not turns[1].typed
    assert turns[2].response_ms == round(stages["sent"])


async def test_a_voice_interrupts_and_only_what_was_heard_is_kept(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await _greeted(client)
        await client.say_typed("count slowly")
        await client.expect("troupe.caption.word", where=lambda event: event["index"] == 6)
        await client.speak(spoken("stop please, what is your name"), silence_s=1.2)
        flush = await client.expect("troupe.output.flush")
        cut = await client.expect("response.done")
        caption = await client.expect("troupe.caption.cut")
        await client.expect("input_audio_buffer.speech_started")
        await client.expect("response.done")
    ga_checker.check(client.events, tier=True)
    assert cut["response"]["status"] == "cancelled"
    assert cut["response"]["status_details"]["reason"] == "turn_detected"
    late = [packet for packet in client.packets if packet.response == 2 and packet.epoch >= flush["epoch"]]
    assert not late, "nothing of the cut answer is sent in the new epoch"
    turns = await _turns(begun["session_id"])
    stopped = next(turn for turn in turns if turn.interrupted)
    assert stopped.text == caption["text"]
    assert stopped.full_text.startswith(stopped.text) and len(stopped.full_text) > len(stopped.text)


async def test_a_typed_message_interrupts(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await _greeted(client)
        await client.say_typed("count slowly")
        await client.expect("troupe.caption.word", where=lambda event: event["index"] == 3)
        await client.say_typed("who are you")
        cut = await client.expect("response.done")
        assert cut["response"]["status_details"]["reason"] == "client_cancelled"
        answer = await client.expect("response.done")
        assert answer["response"]["status"] == "completed"
    ga_checker.check(client.events, tier=True)


async def test_style_voice_and_activity_change_in_the_middle(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await _greeted(client)
        await client.send({"type": "troupe.activity.start", "activity": "pebble"})
        activity = await client.expect("troupe.activity")
        assert (activity["activity"], activity["title"], activity["state"]) == ("pebble", "The Pebble", "started")
        await client.expect("troupe.caption.word")
        await client.send({"type": "troupe.style.set", "style": "whisper"})
        assert (await client.expect("troupe.style.updated"))["style"] == "whisper"
        await client.send({"type": "troupe.voice.set", "voice": "ember"})
        assert (await client.expect("troupe.voice.updated"))["voice"] == "ember"
        await client.send({"type": "troupe.ping", "t": 42})
        assert (await client.expect("troupe.pong"))["t"] == 42
        for event, param in (
            ({"type": "troupe.style.set", "style": "nonsense"}, "style"),
            ({"type": "troupe.voice.set", "voice": "nonsense"}, "voice"),
            ({"type": "troupe.activity.start", "activity": "nonsense"}, "activity"),
        ):
            await client.send({**event, "event_id": "mine"})
            error = (await client.expect("error"))["error"]
            assert (error["code"], error["param"], error["event_id"]) == ("invalid_value", param, "mine")


async def test_a_silent_listener_is_spoken_to_and_then_left(alice: Person) -> None:
    begun = await asyncio.to_thread(alice.begin)
    async with tier_socket(begun["url"], begun["token"], alice.origin) as client:
        await _greeted(client)
        prompt = await client.expect("response.done")
        assert prompt["response"]["output"][0]["content"][0]["transcript"] == "Still here?"
        farewell = await client.expect("response.done")
        assert farewell["response"]["output"][0]["content"][0]["transcript"] == "Goodbye."
        assert (await client.expect("troupe.session.closing"))["reason"] == "farewell"
        assert await client.closed() == 1000
    ga_checker.check_all_over(client.events)


async def test_an_answer_is_stored_from_its_first_word_on(guest: Person) -> None:
    begun = await asyncio.to_thread(guest.begin)
    async with tier_socket(begun["url"], begun["token"], guest.origin) as client:
        await _greeted(client)
        await client.say_typed("talk for a long time")
        started = await client.expect("troupe.response.started")
        stored = Turn.objects.filter(session=begun["session_id"], item_id=started["item_id"])
        async with asyncio.timeout(5):
            while not await stored.aexists():
                await asyncio.sleep(0.02)
        turn = await stored.aget()
        assert len(client.of("response.done")) == 1, "it was found while it was being spoken"
        assert turn.interrupted and "One is the first number".startswith(turn.text[:23]) and turn.text
        told_ms = max(event["start_ms"] for event in client.of("troupe.caption.word"))
        assert told_ms < 1_900, "its first words, not what is written down every two seconds"
