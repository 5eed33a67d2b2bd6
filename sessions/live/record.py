"""An answer as the transcript keeps it: when it is over, and while it is still being spoken."""

import time
from dataclasses import replace

from sessions.live.answer import Answer
from sessions.live.journal import TurnRecord

TRUSTED_AFTER_ACK_S = 0.25


def record_of(answer: Answer, heard: str, heard_ms: int, now_ms: int) -> TurnRecord | None:
    """None when nothing of it was heard."""
    if not heard.strip():
        return None
    interrupted = heard.strip() != answer.full_text.strip()
    words = [list(word) for word in answer.words if not interrupted or word[1] < heard_ms]
    return TurnRecord(
        index=answer.turn_index,
        item_id=answer.response.item_id,
        speaker="character",
        text=heard.strip(),
        full_text=answer.full_text.strip(),
        interrupted=interrupted,
        started_ms=answer.started_ms,
        ended_ms=now_ms,
        words=words,
        latency=answer.latency,
    )


def record_so_far(answer: Answer, now_ms: int, *, acknowledges: bool) -> TurnRecord | None:
    """What was heard by now, as if it were cut here."""
    if not answer.response.plan.speaks:
        return record_of(answer, answer.full_text, 0, now_ms)
    heard_ms = _heard_ms(answer, acknowledges)
    chars = max(
        (end for end, word in zip(answer.word_ends, answer.words, strict=True) if word[1] < heard_ms), default=0
    )
    record = record_of(answer, answer.full_text[:chars], round(heard_ms), now_ms)
    return None if record is None else replace(record, interrupted=True)


def _heard_ms(answer: Answer, acknowledges: bool) -> float:
    """By the player's word, or else by the clock since the first audio."""
    now = time.monotonic()
    if answer.first_audio_at is None:
        return 0.0
    by_clock_ms = (now - answer.first_audio_at) * 1000
    if not acknowledges:
        return by_clock_ms
    if answer.played_ms is None:
        return min(by_clock_ms, TRUSTED_AFTER_ACK_S * 1000)
    return min(by_clock_ms, answer.played_ms + min(now - answer.played_at, TRUSTED_AFTER_ACK_S) * 1000)
