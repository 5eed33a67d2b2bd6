"""A person's own conversations: read, exported, deleted - and nobody else's."""

import json

import httpx
import pytest
from django.utils import timezone

from characters.models import Character
from sessions.models import Turn, VoiceSession
from tests.sessions.people import Person


@pytest.fixture
def conversation(alice: Person) -> VoiceSession:
    character = Character.objects.get(slug="brief")
    assert character.current is not None
    session = VoiceSession.objects.create(
        character=character,
        version=character.current,
        user=alice.user,
        state=VoiceSession.State.ENDED,
        started_at=timezone.now(),
        ended_at=timezone.now(),
        ended_reason="ended",
    )
    said = [
        ("character", "Hello there.", False, 0),
        ("user", "你好 <b>", False, 61_000),
        ("character", "One is", True, 62_500),
    ]
    for index, (speaker, text, interrupted, at_ms) in enumerate(said, 1):
        Turn.objects.create(
            session=session,
            index=index,
            item_id=f"item_{index}",
            speaker=speaker,
            text=text,
            full_text=text,
            interrupted=interrupted,
            started_ms=at_ms,
            ended_ms=at_ms + 900,
            words=[["One", at_ms, at_ms + 300]] if interrupted else [],
        )
    return session


def _pages(session: VoiceSession) -> list[str]:
    place = f"/history/{session.pk}/"
    return [place, f"{place}transcript.txt", f"{place}transcript.json"]


def test_the_transcript_is_exported_as_text(alice: Person, conversation: VoiceSession) -> None:
    response = alice.http.get(f"/history/{conversation.pk}/transcript.txt")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "attachment" in response.headers["Content-Disposition"]
    lines = response.text.splitlines()
    assert lines[3:] == [
        "[00:00] Brief: Hello there.",
        "[01:01] You: 你好 <b>",
        "[01:02] Brief: One is [interrupted]",
    ]


def test_the_transcript_is_exported_as_json(alice: Person, conversation: VoiceSession) -> None:
    exported = json.loads(alice.http.get(f"/history/{conversation.pk}/transcript.json").content)
    assert exported["session_id"] == str(conversation.pk)
    assert exported["character"]["slug"] == "brief"
    assert [turn["text"] for turn in exported["turns"]] == ["Hello there.", "你好 <b>", "One is"]
    assert exported["turns"][2]["words"] == [{"text": "One", "start_ms": 62_500, "end_ms": 62_800}]


def test_bob_and_a_guest_see_nothing_of_it(
    alice: Person, bob: Person, guest: Person, conversation: VoiceSession
) -> None:
    for stranger in (bob, guest):
        for page in _pages(conversation):
            assert stranger.http.get(page).status_code == 404
        assert stranger.http.post(f"/history/{conversation.pk}/delete/").status_code == 404
    assert VoiceSession.objects.filter(pk=conversation.pk).exists()


def test_one_guest_sees_nothing_of_anothers(house: object, guest: Person, conversation: VoiceSession) -> None:
    begun = guest.begin()
    other = Person(guest.server)
    VoiceSession.objects.filter(pk=begun["session_id"]).update(state=VoiceSession.State.ENDED)
    assert guest.http.get(f"/history/{begun['session_id']}/transcript.json").status_code == 200
    assert other.http.get(f"/history/{begun['session_id']}/transcript.json").status_code == 404


def test_the_owner_deletes_it_with_everything_said(alice: Person, conversation: VoiceSession) -> None:
    response = alice.http.post(f"/history/{conversation.pk}/delete/")
    assert response.status_code == 302
    assert not VoiceSession.objects.filter(pk=conversation.pk).exists()
    assert not Turn.objects.filter(session_id=conversation.pk).exists()


def test_a_live_conversation_is_ended_before_it_is_deleted(alice: Person, conversation: VoiceSession) -> None:
    VoiceSession.objects.filter(pk=conversation.pk).update(state=VoiceSession.State.LIVE)
    alice.http.post(f"/history/{conversation.pk}/delete/")
    assert Turn.objects.filter(session_id=conversation.pk).count() == 3


def test_an_export_needs_no_guessing_of_methods(alice: Person, conversation: VoiceSession) -> None:
    answers: list[httpx.Response] = [alice.http.post(page) for page in _pages(conversation)]
    answers.append(alice.http.get(f"/history/{conversation.pk}/delete/"))
    assert {answer.status_code for answer in answers} == {405}
