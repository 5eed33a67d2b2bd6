"""What was said so far, as a language model is told it: of the character's words only those that were heard."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

MOST_ENTRIES = 200


@dataclass(slots=True)
class Entry:
    """One stretch of one speaker."""

    speaker: Literal["listener", "character"]
    text: str
    cut: bool = False
    """The listener broke in after these words."""

    response_id: str = ""


class History:
    """The last turns of a session, bounded."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def listener_said(self, text: str) -> None:
        if text.strip():
            self._add(Entry("listener", text.strip()))

    def character_said(self, text: str, response_id: str) -> None:
        if text.strip():
            self._add(Entry("character", text.strip(), response_id=response_id))

    def heard(self, response_id: str, text: str, interrupted: bool) -> None:
        """Cut what was said to what was heard; an answer nobody heard never happened."""
        known = [entry for entry in self.entries if response_id and entry.response_id == response_id]
        for entry in known:
            if interrupted:
                entry.text, entry.cut = text.strip(), True
        if not known and text.strip():
            # It was cut off in the middle, and this is what a snapshot was restored to learn.
            self._add(Entry("character", text.strip(), interrupted, response_id))
        self.entries = [entry for entry in self.entries if entry.text]

    def recent_text(self, turns: int) -> str:
        """The last turns as one text."""
        return "\n".join(entry.text for entry in self.entries[-turns:])

    def snapshot(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.entries]

    def restore(self, data: list[dict[str, Any]]) -> None:
        self.entries = [Entry(**entry) for entry in data][-MOST_ENTRIES:]

    def _add(self, entry: Entry) -> None:
        self.entries = [*self.entries, entry][-MOST_ENTRIES:]
