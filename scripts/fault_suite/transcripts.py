"""What is stored against what the client was told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scripts.calls.said import Conversation, Said
from scripts.cluster.records import StoredTurn


@dataclass
class TranscriptCheck:
    checked: int = 0
    """Turns with words in them, on either side."""

    lost: list[str] = field(default_factory=list)
    """Spoken and heard, and not stored."""

    wrong: list[str] = field(default_factory=list)
    """Stored otherwise than the client was told."""

    def add(self, other: "TranscriptCheck") -> None:
        self.checked += other.checked
        self.lost += other.lost
        self.wrong += other.wrong

    @property
    def is_right(self) -> bool:
        return not self.lost and not self.wrong


def check(conversation: Conversation, stored: Iterable[StoredTurn], *, orderly: bool) -> TranscriptCheck:
    """`orderly`: the client was there to the end, so that it knows of every turn and how it ended."""
    rows = {turn.item_id: turn for turn in stored}
    found = TranscriptCheck()
    for item_id, said in conversation.items.items():
        _check_item(found, item_id, said, rows, orderly)
    for item_id, turn in rows.items():
        if item_id not in conversation.items and turn.text.strip():
            found.checked += 1
            if orderly:
                found.wrong.append(
                    f"{item_id}: stored with {_num_words(turn.text)} words, and the client knows no such item"
                )
    return found


def _check_item(
    found: TranscriptCheck, item_id: str, said: Said, rows: Mapping[str, StoredTurn], orderly: bool
) -> None:
    row = rows.get(item_id)
    stored = " ".join(row.text.split()) if row is not None else ""
    if not said.heard and not stored:
        return
    found.checked += 1
    if row is None:
        found.lost.append(f"{item_id} ({said.speaker}): {_num_words(said.heard)} words")
    elif said.heard == stored:
        return
    elif (said.done or said.cut is not None) and orderly:
        found.wrong.append(f"{item_id} ({said.speaker}): {_difference(said.heard, stored)}")
    elif not (said.heard.startswith(stored) or stored.startswith(said.heard)):
        found.wrong.append(f"{item_id} ({said.speaker}), unfinished: {_difference(said.heard, stored)}")


def _difference(told: str, stored: str) -> str:
    """Where they part, in words: these conversations are nobody's."""
    one, other = told.split(), stored.split()
    same = next(
        (at for at, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other))
    )
    return (
        f"told {len(one)} words, stored {len(other)}; after {same} told {' '.join(one[same : same + 4])!r},"
        f" stored {' '.join(other[same : same + 4])!r}"
    )


def _num_words(text: str) -> int:
    return len(text.split())
