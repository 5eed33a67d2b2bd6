"""Back-pressure on the mind, and the transcript written beside the talk."""

import asyncio
from typing import Any

import pytest
from django.db import DataError, OperationalError

from inference.protocol import Note, Pause, Song, Words
from sessions.errors import Fenced
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
    """Refuses the first `failures` writes with `error`."""

    def __init__(self, failures: int = 0, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or OperationalError("the database is locked")
        self.rows: dict[int, str] = {}
        self.memory: dict[str, Any] | None = None

    async def write_turn(self, turn: TurnRecord, memory: dict[str, Any] | None = None) -> None:
        await asyncio.sleep(0.001)
        self._reach()
        self.rows[turn.index] = turn.text
        self.memory = memory or self.memory

    async def keep_memory(self, memory: dict[str, Any]) -> None:
        self._reach()
        self.memory = memory

    def _reach(self) -> None:
        if self.failures:
            self.failures -= 1
            raise self.error


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(journals, "MOST_WAIT_S", 0.002)


async def _kept(database: Database, *turns: TurnRecord) -> dict[int, str]:
    journal = Journal(database)
    task = asyncio.create_task(journal.run())
    for turn in turns:
        journal.record(turn)
        await asyncio.sleep(0)
    assert await journal.flush()
    task.cancel()
    return database.rows


async def test_an_amended_turn_stands_for_the_earlier_one() -> None:
    rows = await _kept(Database(), _turn(1, "I want"), _turn(2, "yes"), _turn(1, "I want a story"))
    assert rows == {1: "I want a story", 2: "yes"}


async def test_a_database_that_is_away_for_long_loses_nothing() -> None:
    assert await _kept(Database(failures=200), _turn(1), _turn(2)) == {1: "x", 2: "x"}


async def test_a_turn_that_the_database_refuses_holds_up_no_other() -> None:
    assert await _kept(Database(failures=4, error=DataError("not this")), _turn(1), _turn(2)) == {2: "x"}


async def test_the_memory_is_written_with_the_last_turn_and_only_the_newest_counts() -> None:
    database = Database()
    journal = Journal(database)
    for number in (1, 2):
        journal.record(_turn(number))
        journal.remember({"at": number})
    await journal.write_out()
    assert (database.rows, database.memory) == ({1: "x", 2: "x"}, {"at": 2})


async def test_a_flush_does_not_wait_for_a_database_that_is_away() -> None:
    journal = Journal(Database(failures=10_000))
    task = asyncio.create_task(journal.run())
    journal.record(_turn(1))
    assert not await journal.flush(0.02)
    assert journal.num_waiting == 1
    task.cancel()


async def test_a_session_that_another_process_holds_is_written_no_more() -> None:
    database = Database(failures=1, error=Fenced("another holder"))
    journal, fenced = Journal(database), []
    journal.on_fenced = lambda: fenced.append(True)
    journal.record(_turn(1))
    journal.record(_turn(2))
    await journal.write_out()
    assert fenced == [True] and database.rows == {}
