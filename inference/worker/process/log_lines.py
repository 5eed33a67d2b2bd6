"""A worker's log, as lines for people or as JSON. No word that anybody said is ever in it."""

import logging
import sys

import structlog

from inference.worker.process import environment

QUIET = {"httpx": "WARNING", "httpcore": "WARNING", "websockets": "WARNING", "asyncio": "WARNING"}


def configure_log(worker_id: str) -> None:
    """By `LOG_FORMAT` (text or json) and `LOG_LEVEL`, as on the web side. Raises `SettingError`."""
    form = environment.choice("LOG_FORMAT", "text", ("text", "json"))
    level = environment.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(_json(worker_id))
    else:
        handler.setFormatter(logging.Formatter("{asctime} {levelname:7} {name}: {message}", style="{"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(quiet)


def _json(worker_id: str) -> logging.Formatter:
    def tag(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        line["worker"] = worker_id
        return line

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            tag,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
