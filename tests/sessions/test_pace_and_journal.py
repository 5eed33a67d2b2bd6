"""Back-pressure on the mind, and the transcript written beside the talk."""

import asyncio

import pytest
from django.db import OperationalError

from inference.protocol import Note, Pause, Song, Words
from sessions.live import journal as journals
from sessions.live import pace as paces
from sessions.live.journal import Journal, TurnRecord
from sessions.live.pace import Pace, seconds_of


async def _is_held(pace: Pace) -> bool:
    try:
        await asyncio.wait_for(pace.room(), 0.02)
    except TimeoutError:
        return True
    return False


async def test_the_mind_waits_until_enough_was_spoken() -> None:
    pace = Pace(max_ahead_s=10.0)
    part = Words("word " * 30)
    pace.handed(part)
    assert pace.ahead_s == seconds_of(part) == 12.0
    assert await _is_held(pace)
    pace.spoken(50)
    assert pace.ahead_s == pytest.approx(8.0)
    assert not await _is_held(pace)


async def test_pauses_and_songs_count_by_their_length() -> None:
    pace = Pace(max_ahead_s=10.0)
    song = Song((Note(4.0, 60, "la"), Note(5.0, None)))
    for part in (Words("one "), Pause(3.0), song):
        pace.handed(part)
    assert pace.ahead_s == pytest.approx(0.4 + 3.0 + 9.0)
    pace.spoken(len("one "))
    assert pace.ahead_s == pytest.approx(9.0)
    pace.spoken(len("one la"))
    assert pace.ahead_s == 0.0


async def test_wordless_humming_holds_the_mind_up_for_its_length_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "GRACE_S", 0.01)
    pace = Pace(max_ahead_s=0.01)
    pace.handed(Song((Note(0.05, 60),)))
    await asyncio.wait_for(pace.room(), 2)
    assert pace.ahead_s == 0.0


async def test_a_mind_that_waits_goes_on_as_soon_as_words_are_spoken() -> None:
    pace = Pace(max_ahead_s=1.0)
    pace.handed(Words("word " * 10))
    waiting = asyncio.create_task(pace.room())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    pace.spoken(50)
    await asyncio.wait_for(waiting, 1)


def _turn(index: int, text: str = "x") -> TurnRecord:
    return TurnRecord(index, f"item_{index}", "user", text, 0, 1)


class Database:
    """Refuses the first `failures` writes."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.rows: dict[int, str] = {}

    async def write(self, turn: TurnRecord) -> None:
        await asyncio.sleep(0.001)
        if self.failures:
            self.failures -= 1
            raise OperationalError("the database is locked")
        self.rows[turn.index] = turn.text


async def _kept(database: Database, *turns: TurnRecord) -> dict[int, str]:
    journal = Journal(database.write)
    task = asyncio.create_task(journal.run())
    for turn in turns:
        journal.record(turn)
        await asyncio.sleep(0)
    await journal.flush()
    task.cancel()
    return database.rows


async def test_an_amended_turn_stands_for_the_earlier_one() -> None:
    rows = await _kept(Database(), _turn(1, "I want"), _turn(2, "yes"), _turn(1, "I want a story"))
    assert rows == {1: "I want a story", 2: "yes"}


async def test_a_locked_database_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "FIRST_WAIT_S", 0.001)
    assert await _kept(Database(failures=3), _turn(1), _turn(2)) == {1: "x", 2: "x"}


async def test_a_turn_that_cannot_be_stored_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "FIRST_WAIT_S", 0.001)
    assert await _kept(Database(failures=4), _turn(1), _turn(2)) == {2: "x"}
