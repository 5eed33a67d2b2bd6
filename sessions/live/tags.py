"""What every log line of a call carries: which session, and the worker that speaks for it."""

import contextvars
from dataclasses import dataclass


@dataclass(slots=True)
class Tags:
    """One per session; `worker` changes when its stream moves."""

    session: str
    worker: str = ""


_tags: contextvars.ContextVar[Tags | None] = contextvars.ContextVar("troupe_tags", default=None)


def tagged(tags: Tags) -> contextvars.Context:
    """An empty context but for the tags: what tasks of a session run in."""
    context = contextvars.Context()
    context.run(_tags.set, tags)
    return context


def tag(tags: Tags) -> None:
    """From now on in this very context."""
    _tags.set(tags)


def current_tags() -> Tags | None:
    return _tags.get()
