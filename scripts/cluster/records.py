"""What the database of a cluster says, read from outside: transcripts, leases, live conversations."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psycopg

from scripts.cluster.stores import PrivatePostgres

POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class StoredTurn:
    item_id: str
    speaker: str
    text: str
    full_text: str
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Records:
    """Queries; each opens a connection of its own, so that it also works right after the database was away."""

    postgres: PrivatePostgres

    def turns(self, session_id: str) -> list[StoredTurn]:
        rows = self._rows(
            "SELECT item_id, speaker, text, full_text, interrupted FROM voice_sessions_turn"
            " WHERE session_id = %s ORDER BY index",
            session_id,
        )
        return [StoredTurn(*row) for row in rows]

    def all_turns(self) -> dict[str, list[StoredTurn]]:
        """By session."""
        found: dict[str, list[StoredTurn]] = {}
        rows = self._rows(
            "SELECT session_id::text, item_id, speaker, text, full_text, interrupted FROM voice_sessions_turn"
            " ORDER BY session_id, index"
        )
        for session_id, *fields in rows:
            found.setdefault(session_id, []).append(StoredTurn(*fields))
        return found

    def open_leases(self) -> Counter[str]:
        """Unsettled leases by worker."""
        rows = self._rows("SELECT worker_id FROM voice_sessions_lease WHERE state <> 'settled'")
        return Counter(row[0] for row in rows)

    def leases(self, session_id: str) -> list[tuple[str, int, str, str]]:
        """Worker, fence, state and reason of each of a session's leases, oldest first."""
        rows = self._rows(
            "SELECT worker_id, fence, state, settled_reason FROM voice_sessions_lease WHERE session_id = %s"
            " ORDER BY fence, reserved_at",
            session_id,
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def newest_lease_id(self, session_id: str) -> str:
        """In hex; empty without one."""
        rows = self._rows(
            "SELECT id::text FROM voice_sessions_lease WHERE session_id = %s ORDER BY fence DESC LIMIT 1", session_id
        )
        return str(rows[0][0]).replace("-", "") if rows else ""

    def holder(self, session_id: str) -> str:
        """The web process that a conversation lives in, as it calls itself."""
        rows = self._rows("SELECT holder FROM voice_sessions_voicesession WHERE id = %s", session_id)
        return str(rows[0][0]) if rows else ""

    def clock_offsets(self) -> dict[str, float]:
        """Each worker's clock minus the database's, as it was found."""
        rows = self._rows("SELECT id, clock_offset_s FROM voice_sessions_workernode ORDER BY id")
        return {row[0]: round(row[1], 1) for row in rows}

    def workers(self) -> dict[str, str]:
        """What each worker says of itself, in a line."""
        rows = self._rows(
            "SELECT id, slots, slots_open, in_use, tick_p99_ms, late_share, now() - heartbeat_at"
            " FROM voice_sessions_workernode ORDER BY id"
        )
        return {
            name: f"{open_} of {slots} slots open, {used} in use, tick p99 {tick:.1f} ms, {late:.1%} late,"
            f" {age.total_seconds():.1f} s ago"
            for name, slots, open_, used, tick, late, age in rows
        }

    def state(self, session_id: str) -> tuple[str, str]:
        """State and the reason of its end."""
        rows = self._rows("SELECT state, ended_reason FROM voice_sessions_voicesession WHERE id = %s", session_id)
        return (rows[0][0], rows[0][1]) if rows else ("", "")

    def wait_ended(self, session_id: str, limit_s: float) -> bool:
        """A client hears of the end a moment before the last turn is stored; the session's row is written after it."""
        deadline = time.monotonic() + limit_s
        while self.state(session_id)[0] == "live":
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def live_sessions(self) -> int:
        return int(self._rows("SELECT count(*) FROM voice_sessions_voicesession WHERE state = 'live'")[0][0])

    def ended_reasons(self) -> Counter[str]:
        rows = self._rows("SELECT ended_reason FROM voice_sessions_voicesession WHERE state = 'ended'")
        return Counter(row[0] for row in rows)

    def wait_settled(self, limit_s: float) -> dict[str, Any]:
        """Waits until no lease is open and no conversation live; says what is left and how long it took."""
        began = time.monotonic()
        while True:
            leases, live = self.open_leases(), self.live_sessions()
            waited_s = time.monotonic() - began
            if (not leases and not live) or waited_s > limit_s:
                return {"open_leases": sum(leases.values()), "live_sessions": live, "after_s": round(waited_s, 1)}
            time.sleep(POLL_S)

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        for attempt in range(10):
            try:
                with self.postgres.connect() as connection:
                    return connection.execute(query, values).fetchall()
            except psycopg.OperationalError:
                if attempt == 9:
                    raise
                time.sleep(1)
        raise AssertionError("unreachable")
