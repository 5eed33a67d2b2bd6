"""The instruments of load tests and fault suite: what they must not overlook."""

import numpy as np
import pytest

from scripts.calls import tones
from scripts.calls.playing import Player
from scripts.calls.said import Conversation
from scripts.cluster.records import StoredTurn
from scripts.fault_suite.transcripts import check
from scripts.trend import trend

PACKET_S = 0.02


def _packet(caller: int, number: int) -> bytes:
    pieces = tones.packets(tones.frequency_hz(caller))
    packet = bytearray(pieces[number % len(pieces)])
    tones.write_number(packet, 0, number)
    return bytes(packet)


def test_a_caller_knows_its_own_tone_and_the_packet_s_number() -> None:
    packet = _packet(3, 70_000)
    assert tones.is_own(packet, tones.frequency_hz(3))
    assert tones.number_of(packet) == 70_000 % tones.NUMBERS


@pytest.mark.parametrize("other", [2, 4, 200])
def test_the_tone_of_another_caller_is_recognised_as_theirs(other: int) -> None:
    packet = _packet(other, 12)
    assert not tones.is_own(packet, tones.frequency_hz(3))
    assert tones.tone_in(packet, 300) == other


def test_a_faint_voice_under_one_s_own_tone_is_noticed() -> None:
    own = np.frombuffer(_packet(3, 12), dtype="<i2").astype(np.float64)
    other = np.frombuffer(_packet(90, 12), dtype="<i2").astype(np.float64)
    mixed = np.round(own + 0.2 * other).astype("<i2").tobytes()
    assert not tones.is_own(mixed, tones.frequency_hz(3))


def _play(player: Player, start: float, packets: int, *, at: int = 0, ordinal: int = 1) -> None:
    for number in range(packets):
        player.arrived(start + number * PACKET_S, ordinal, (at + number) * 480, 480)


def test_silence_in_the_middle_of_a_response_is_a_gap_and_silence_after_it_is_none() -> None:
    player = Player()
    _play(player, 10.0, 50)
    _play(player, 11.5, 50, at=50)
    assert [round(gap.ms) for gap in player.gaps] == [500]
    player.complete()
    _play(player, 20.0, 10, ordinal=2)
    assert len(player.gaps) == 1
    assert player.longest_pause_ms(12.0, 20.1) == pytest.approx(7_500, abs=1)


def test_sound_that_is_skipped_or_repeated_is_counted() -> None:
    player = Player()
    _play(player, 10.0, 10)
    _play(player, 10.2, 10, at=60)
    _play(player, 10.4, 10, at=65)
    assert (round(player.lost_s, 2), round(player.repeated_s, 2)) == (1.0, 0.1)


def _told(text: str, cut: str | None = None) -> Conversation:
    conversation = Conversation()
    item = {"id": "item_1", "role": "assistant"}
    conversation.note({"type": "conversation.item.added", "item": item}, 0.0)
    done = {"type": "response.output_audio_transcript.done", "item_id": "item_1", "transcript": text}
    conversation.note(done, 1.0)
    if cut is not None:
        conversation.note({"type": "troupe.caption.cut", "item_id": "item_1", "text": cut}, 2.0)
    return conversation


def _stored(text: str, item_id: str = "item_1") -> StoredTurn:
    return StoredTurn(item_id, "character", text, text, interrupted=False)


def test_a_transcript_that_says_what_the_client_was_told_is_right() -> None:
    assert check(_told("one  two three"), [_stored("one two three")], orderly=True).is_right
    assert check(_told("one two three", cut="one"), [_stored("one")], orderly=True).is_right


@pytest.mark.parametrize(
    ("conversation", "stored", "lost", "wrong"),
    [
        (_told("one two"), [], 1, 0),
        (_told("one two"), [_stored("one")], 0, 1),
        (_told("one two", cut="one"), [_stored("one two")], 0, 1),
        (_told("one two"), [_stored("one two"), _stored("who", "item_2")], 0, 1),
    ],
)
def test_a_lost_a_cut_and_an_invented_turn_are_found(
    conversation: Conversation, stored: list[StoredTurn], lost: int, wrong: int
) -> None:
    found = check(conversation, stored, orderly=True)
    assert (len(found.lost), len(found.wrong)) == (lost, wrong)


def test_a_leak_is_told_from_noise() -> None:
    dice = np.random.default_rng(5)
    at_s = np.arange(0, 1_800, 10.0)
    noise = dice.normal(0, 2, len(at_s))
    assert not trend(at_s.tolist(), (200 + noise).tolist()).grows(12)
    assert trend(at_s.tolist(), (200 + 40 * at_s / 3_600 + noise).tolist()).grows(12)
