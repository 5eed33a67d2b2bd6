"""Log lines as text or JSON, with the ids of the call they belong to, and without a word that anybody said."""

import logging
import re
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from sessions.live.tags import current_tags

QUIET = {
    "asyncio": "INFO",
    "celery": "WARNING",
    "channels": "INFO",
    # A traceback each second while Redis is away; `sessions.control` says so once.
    "channels_redis": "CRITICAL",
    "daphne": "INFO",
    "django": "INFO",
    "django.request": "ERROR",
    "hpack": "INFO",
    "httpcore": "INFO",
    "httpx": "WARNING",
    "kombu": "INFO",
    "openai": "INFO",
    "psycopg": "INFO",
    # A line for each connection it lends.
    "psycopg.pool": "WARNING",
    "redis": "INFO",
    "urllib3": "INFO",
    "uvicorn": "WARNING",
    "uvicorn.access": "WARNING",
    "websockets": "INFO",
}
"""Never more talkative than this, whatever `LOG_LEVEL` says: at DEBUG some of these write down what they carry."""

_VALUES = re.compile(r"\b(DETAIL|CONTEXT):.*?(?=\n\S*Error|\n\n|\nTraceback|\Z)", re.DOTALL)
"""What PostgreSQL adds to an error: it may quote whole rows."""


def logging_config(*, form: str, level: str) -> dict[str, Any]:
    """Django's `LOGGING`. `form`: text or json."""
    renderer = structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else _as_text
    shared = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_tags,
    ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    # Never with the values of variables: they hold what people say.
                    structlog.processors.format_exc_info,
                    leave_values_out,
                    renderer,
                ],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {name: {"level": _higher(quiet, level)} for name, quiet in QUIET.items()},
    }


def add_tags(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The session and the worker of the call, where there is one."""
    tags = current_tags()
    if tags is not None:
        event["session"] = tags.session
        if tags.worker:
            event["worker"] = tags.worker
    return event


def leave_values_out(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A database's error may quote the row it refused."""
    exception = event.get("exception")
    if exception:
        event["exception"] = _VALUES.sub(r"\1: left out", exception)
    return event


def _as_text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    head = f"{event.pop('time')} {event.pop('level').upper():7} {event.pop('logger', 'root')}: {event.pop('event')}"
    exception = event.pop("exception", "")
    more = "".join(f" {name}={value}" for name, value in event.items())
    return head + more + (f"\n{exception}" if exception else "")


def _higher(one: str, other: str) -> str:
    """The less talkative of two levels."""
    levels = logging.getLevelNamesMapping()
    return max(one, other.upper(), key=lambda name: levels.get(name, 0))
