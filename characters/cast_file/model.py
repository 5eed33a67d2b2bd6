"""A whole character as its cast file states it."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from characters.cast_file.activities import KINDS, Activity, ChatActivity
from characters.cast_file.kinds import Line, Prose, Slug, Strict, Text, first_repeated
from characters.cast_file.problems import mistake
from characters.cast_file.script import ANY, Reply, Role, Script
from inference.errors import InvalidSpec
from inference.protocol import TurnTaking

Key = Annotated[str, StringConstraints(min_length=1, max_length=80)]
_TURN_FIELDS = {item.name: item.type for item in fields(TurnTaking)}


class Example(Strict):
    """A pair of lines that shows how the character talks."""

    user: Prose
    character: Prose


class LoreEntry(Strict):
    """A fact that comes in when one of its keys was just mentioned."""

    keys: Annotated[tuple[Key, ...], Field(min_length=1)]
    text: Prose


class CastFile(Strict):
    """One character. JSON of it (`model_dump(mode="json")`) validates to an equal `CastFile`."""

    slug: Slug
    name: Text
    tagline: Text
    about: Text
    portrait: str = Field(pattern=r"^[A-Za-z0-9_-]+\.(svg|png|jpg|webp)$")
    accent: str = Field(pattern=r"^#[0-9a-fA-F]{6}$")
    tags: tuple[str, ...] = Field(default=(), max_length=20)
    order: int = Field(default=100, ge=0, le=10_000)
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8})*$")
    voice: Slug
    style: Slug
    styles: tuple[Slug, ...] = Field(min_length=1, max_length=20)
    sample: Line
    lane: Literal["composed", "duplex", "turn"] = "composed"
    turn_taking: dict[str, float | int | tuple[str, ...]] = Field(default={})
    persona: Prose
    examples: tuple[Example, ...] = Field(default=(), max_length=50)
    lorebook: tuple[LoreEntry, ...] = Field(default=(), max_length=500)
    script: Script
    roles: tuple[Role, ...] = Field(default=(), max_length=50)
    activities: tuple[Activity, ...] = Field(default=(), max_length=100)

    @field_validator("turn_taking", mode="before")
    @classmethod
    def _turn_taking_is_known(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise mistake("turn_taking is no mapping.", "Write `field: value` pairs.")
        given = {key: _turn_value(key, item) for key, item in value.items()}
        try:
            TurnTaking().with_(**given)
        except InvalidSpec as error:
            raise mistake(f"{error}.", "The fields and ranges stand in inference/protocol/specs.py.") from None
        return given

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> "CastFile":
        slugs = [activity.slug for activity in self.activities]
        if repeated := first_repeated(slugs):
            raise mistake(f"Two activities are called {repeated!r}.", "Give one of them another slug.")
        if repeated := first_repeated([role.slug for role in self.roles]):
            raise mistake(f"Two roles are called {repeated!r}.", "Give one of them another slug.")
        if self.style not in self.styles:
            raise mistake(f"The style {self.style!r} is not among `styles`.", "Add it there.")
        for place, reply in self.replies():
            self._check_start(place, reply, slugs)
        return self

    def _check_start(self, place: str, reply: Reply, slugs: list[str]) -> None:
        if not reply.start or reply.start in slugs:
            return
        first, _, kind = reply.start.partition(" ")
        if first == ANY and self.activities and (not kind or kind in {each.kind for each in self.activities}):
            return
        known = ", ".join([*slugs, ANY, *(f"any {kind}" for kind in KINDS)])
        raise mistake(f"{place}: start: {reply.start!r} is no activity of this character.", f"Write one of: {known}.")

    def replies(self) -> Iterator[tuple[str, Reply]]:
        """Every reply with its place, those of roles, chats and `follow` included."""
        yield from _walk("script.replies", self.script.replies)
        for number, role in enumerate(self.roles):
            yield from _walk(f"roles[{number}].replies", role.replies)
        for number, activity in enumerate(self.activities):
            if isinstance(activity, ChatActivity):
                for at, question in enumerate(activity.questions):
                    yield from _walk(f"activities[{number}].questions[{at}].replies", question.replies)

    def turn_taking_profile(self) -> TurnTaking:
        """The defaults with this character's own values."""
        return TurnTaking().with_(**self.turn_taking)


def _walk(place: str, replies: tuple[Reply, ...]) -> Iterator[tuple[str, Reply]]:
    for number, reply in enumerate(replies):
        here = f"{place}[{number}]"
        yield here, reply
        yield from _walk(f"{here}.follow", reply.follow)


def _turn_value(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    if key not in _TURN_FIELDS or not isinstance(value, str):
        return value
    try:
        return int(value) if _TURN_FIELDS[key] is int else float(value)
    except ValueError:
        raise mistake(f"{key} is {value!r}.", "Write a number.") from None
