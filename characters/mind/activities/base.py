"""What all running activities have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from characters.cast_file import Activity
from characters.mind.base import Thought
from characters.mind.built_in import Phrases
from characters.mind.matching import Hearing
from characters.mind.telling import Telling

Marks = list[tuple[int, int, int]]


class Run(ABC):
    """One activity of one session, from its beginning to its end.

    Methods that speak are generators: state moves while they are read, and a reader may stop anywhere.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()
    """Names of the attributes that make up the state; plain data."""

    def __init__(self, activity: Activity, phrases: Phrases) -> None:
        self.slug = activity.slug
        self.title = activity.title
        self.kind = activity.kind
        self.phrases = phrases
        self.finished = False
        self.cut = False
        """Its telling was interrupted: it can go on from there."""

    @property
    @abstractmethod
    def waits(self) -> bool:
        """Whether the listener is expected to answer now."""

    @abstractmethod
    def begin(self, telling: Telling) -> Iterator[Thought]:
        """From the start."""

    @abstractmethod
    def resume(self, telling: Telling) -> Iterator[Thought]:
        """Go on from where it stands."""

    @abstractmethod
    def again(self, telling: Telling) -> Iterator[Thought]:
        """Say the last of it once more."""

    @abstractmethod
    def skip(self, telling: Telling) -> Iterator[Thought]:
        """Leave out what comes next."""

    @abstractmethod
    def heard(self, marks: Marks, heard_chars: int, interrupted: bool) -> None:
        """How much of its last speech the listener heard; `marks` are those of that speech."""

    def fit(self, hearing: Hearing) -> float:
        """0..1: how well this answers what was asked."""
        return 0.0

    def turn(self, hearing: Hearing, telling: Telling) -> Iterator[Thought]:
        """Take what the listener said as an answer. Called only while it waits."""
        yield from self.resume(telling)

    def at_a_loss(self, telling: Telling) -> Iterator[Thought]:
        """The listener does not know what to answer."""
        yield from self.again(telling)

    def silence(self, count: int, telling: Telling) -> Iterator[Thought] | None:
        """What to say into a silence, or None to leave it to the character."""
        return None

    @property
    def starts(self) -> str:
        """What the last answer asked to start (see `Reply.start`); read once after `turn`."""
        return ""

    def snapshot(self) -> dict[str, Any]:
        """Plain data from which `restore` makes an equal run."""
        names = ("finished", "cut", *self.FIELDS)
        return {name: _plain(getattr(self, name)) for name in names}

    def restore(self, data: dict[str, Any]) -> None:
        for name in ("finished", "cut", *self.FIELDS):
            setattr(self, name, _plain(data[name]))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def last_mark(marks: Marks, heard_chars: int) -> tuple[int, int] | None:
    """Paragraph and sentence that were being said when the hearing stopped; the first if none had begun."""
    if not marks:
        return None
    begun = [mark for mark in marks if mark[0] <= heard_chars]
    _, paragraph, sentence = begun[-1] if begun else marks[0]
    return paragraph, sentence
