"""What stands in the log, and what never does."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from config.logs import logging_config
from sessions.live.tags import Tags, tag, tagged

ERROR_OF_POSTGRESQL = """null value in column "speaker" violates not-null constraint
DETAIL:  Failing row contains (12, my secret is
a pebble, null)."""


@contextmanager
def _logged(form: str, level: str = "INFO") -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger that writes as the product does, without touching the test run's own."""
    config = logging_config(form=form, level=level)
    formatter = config["formatters"]["line"]
    made = formatter.pop("()")(**formatter)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(made)
    logger = logging.getLogger(f"sessions.test.{form}")
    logger.propagate, logger.handlers = False, [handler]
    logger.setLevel(level)
    yield logger, stream


def test_a_line_of_a_call_names_its_session_and_worker_as_json() -> None:
    tags = Tags("5f0c")
    with _logged("json") as (logger, stream):
        tagged(tags).run(logger.info, "the stream opened after %d ms", 12)
        tags.worker = "gpu-7"
        tagged(tags).run(logger.warning, "it moved")
        logger.info("no call")
    first, second, third = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (first["event"], first["level"], first["session"]) == ("the stream opened after 12 ms", "info", "5f0c")
    assert first["logger"].startswith("sessions") and first["time"].endswith("Z") and "worker" not in first
    assert (second["session"], second["worker"]) == ("5f0c", "gpu-7")
    assert "session" not in third


def test_a_line_of_text_says_the_same() -> None:
    with _logged("text") as (logger, stream):
        tagged(Tags("5f0c", "gpu-7")).run(logger.warning, "it moved")
    assert stream.getvalue().rstrip().endswith("WARNING sessions.test.text: it moved session=5f0c worker=gpu-7")


async def test_tags_stay_in_the_task_that_set_them() -> None:
    import asyncio

    async def call(name: str, logger: logging.Logger) -> None:
        tag(Tags(name))
        await asyncio.sleep(0)
        logger.info("at work")

    with _logged("json") as (logger, stream):
        async with asyncio.TaskGroup() as group:
            for name in ("one", "two"):
                group.create_task(call(name, logger))
        logger.info("outside")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("session") for line in lines] == ["one", "two", None]


@pytest.mark.parametrize("form", ["text", "json"])
def test_neither_rows_that_a_database_quotes_nor_the_values_of_variables_are_written(form: str) -> None:
    said = "my secret is a pebble"
    with _logged(form) as (logger, stream):
        try:
            heard = said.split()
            raise ValueError(ERROR_OF_POSTGRESQL)
        except ValueError:
            logger.exception("turn %d was not stored", 12)
    line = stream.getvalue()
    assert "ValueError" in line and "violates not-null constraint" in line and heard
    assert "secret" not in line and "pebble" not in line


@pytest.mark.parametrize(("level", "expected"), [("DEBUG", "INFO"), ("ERROR", "ERROR")])
def test_libraries_that_write_down_what_they_carry_are_never_asked_to(level: str, expected: str) -> None:
    loggers = logging_config(form="text", level=level)["loggers"]
    assert loggers["websockets"]["level"] == expected
    assert loggers["redis"]["level"] == expected
    assert loggers["django"]["level"] == expected
