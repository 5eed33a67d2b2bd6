"""Who is played in one live session, with everything that may be chosen during it: no database behind it."""

from collections.abc import Mapping
from dataclasses import dataclass

from characters.mind.base import Mind, Opening
from inference.protocol import SessionSpec, StyleSpec, VoiceSpec


@dataclass(frozen=True, slots=True)
class Choice:
    """Something on the talk page that can be picked."""

    slug: str
    title: str
    kind: str = ""

    def public(self) -> dict[str, str]:
        shown = {"slug": self.slug, "title": self.title}
        return {**shown, "kind": self.kind} if self.kind else shown


@dataclass(frozen=True, slots=True)
class Menu:
    """What the page offers."""

    styles: tuple[Choice, ...] = ()
    voices: tuple[Choice, ...] = ()
    activities: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveCast:
    spec: SessionSpec
    mind: Mind
    character: str
    """Slug: `model` of the protocol."""

    opening: Opening
    menu: Menu
    voices: Mapping[str, VoiceSpec]
    styles: Mapping[str, StyleSpec]
    """Every preset: a mind may ask for one that is not on the menu."""
