"""What a transcript amounts to, in time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

USER = "user"


class Stretch(Protocol):
    """A `sessions.models.Turn`, or what looks like one."""

    speaker: str
    text: str
    typed: bool
    started_ms: int
    ended_ms: int
    words: list[list[Any]]
    """Each with its start and end in ms: of the response, where the character speaks."""


@dataclass(frozen=True, slots=True)
class TranscriptTotals:
    num_turns: int
    user_s: float
    heard_s: float
    seconds: int
    """Whole seconds, rounded down, in which somebody was heard; two voices at once count once."""


def totals_of(turns: Iterable[Stretch]) -> TranscriptTotals:
    """Typed and written turns take no time; of cut speech only what was heard does."""
    spans: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    num_turns = 0
    for turn in turns:
        num_turns += 1
        by_user = turn.speaker == USER
        length_ms = _talked_ms(turn) if by_user else heard_ms(turn)
        if length_ms > 0:
            spans[by_user].append((turn.started_ms, turn.started_ms + length_ms))
    return TranscriptTotals(
        num_turns=num_turns,
        user_s=_covered_ms(spans[True]) / 1000,
        heard_s=_covered_ms(spans[False]) / 1000,
        seconds=_covered_ms(spans[True] + spans[False]) // 1000,
    )


def heard_ms(turn: Stretch) -> int:
    """The end of the last spoken word that the text of the turn reaches to."""
    room = len("".join(turn.text.split()))
    end_ms = 0
    for text, _start_ms, word_end_ms in turn.words:
        room -= len("".join(str(text).split()))
        if room < 0:
            break
        end_ms = max(end_ms, int(word_end_ms))
    return end_ms


def _talked_ms(turn: Stretch) -> int:
    return 0 if turn.typed else max(turn.ended_ms - turn.started_ms, 0)


def _covered_ms(spans: Iterable[tuple[int, int]]) -> int:
    """The length of what the spans cover together."""
    covered, reached = 0, 0
    for start, end in sorted(spans):
        covered += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return covered
