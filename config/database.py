"""How a PostgreSQL server is talked to: through a pool, with a limit on every wait."""

from typing import Any

CONNECT_S = 2
POOL_WAIT_S = 4.0
RECONNECT_S = 1.0
"""A pool gives an attempt to connect up after so long; the next one who asks begins a new one. With the pool's own
default the pauses between attempts would grow, and the product would stay away longer than its database."""

UNANSWERED_MS = 5_000
IDLE_IN_TRANSACTION_S = 10.0
"""A process that stands still in the middle of one keeps its rows locked for no longer."""


def postgresql_options(*, pool: int, statement_s: float, lock_s: float) -> dict[str, Any]:
    """Django's `OPTIONS` for at most `pool` connections per process; 0 s means no limit.

    A connection whose server vanished without a word is given up after `UNANSWERED_MS`.
    """
    limits = {
        "statement_timeout": statement_s,
        "lock_timeout": lock_s,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_S,
    }
    return {
        "pool": {"min_size": 1, "max_size": pool, "timeout": POOL_WAIT_S, "reconnect_timeout": RECONNECT_S},
        "options": " ".join(f"-c {name}={round(limit_s * 1000)}" for name, limit_s in limits.items()),
        "connect_timeout": CONNECT_S,
        "tcp_user_timeout": UNANSWERED_MS,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
