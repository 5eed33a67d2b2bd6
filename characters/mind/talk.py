"""Where a conversation stands, as plain data."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

LONGEST_SAID_CHARS = 1200


@dataclass(slots=True)
class Talk:
    """What the script mind remembers between turns, beside the runs of activities."""

    name: str = ""
    role: str = ""
    style: str = ""
    """The preset the listener asked for; empty for the character's or role's own."""

    follow: list[str | int] = field(default_factory=list)
    """Path of the reply whose `follow` is open for the next turn."""

    offer: str = ""
    """What yes would mean: an activity's slug, `resume`, or nothing."""

    said: str = ""
    """The last thing said, for "say that again"."""

    used: list[str] = field(default_factory=list)
    """Activities begun in this session."""

    gentle_turns: int = 0
    """Turns left in which the character stays serious after a crisis."""

    in_crisis: bool = False
    fallbacks: int = 0

    def snapshot(self) -> dict[str, Any]:
        return asdict(self)

    def restore(self, data: dict[str, Any]) -> None:
        for item in fields(self):
            setattr(self, item.name, data[item.name])

    def remember_said(self, text: str) -> None:
        if text.strip():
            self.said = text.strip()[-LONGEST_SAID_CHARS:]
