"""A conversation written out."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from sessions.models import Turn, VoiceSession


def as_text(session: VoiceSession, turns: Sequence[Turn]) -> str:
    """One line per turn, with its time in the conversation."""
    head = [str(session.character.name), f"{session.started_at or session.created_at:%Y-%m-%d %H:%M} UTC", ""]
    return "\n".join([*head, *(_line(session, turn) for turn in turns), ""])


def _line(session: VoiceSession, turn: Turn) -> str:
    minutes, seconds = divmod(turn.started_ms // 1000, 60)
    by_character = turn.speaker == Turn.Speaker.CHARACTER
    who = session.character.name if by_character else _("You")
    # Translators: stands after words of the character that the listener cut short.
    cut = " " + _("[interrupted]") if turn.interrupted else ""
    return f"[{minutes:02}:{seconds:02}] {who}: {turn.text}{cut}"


def as_json(session: VoiceSession, turns: Sequence[Turn]) -> dict[str, Any]:
    """Everything stored about what was said. Times in ms since the start of the conversation."""
    return {
        "session_id": str(session.pk),
        "character": {
            "slug": session.character.slug,
            "name": session.character.name_en,
            "version": session.version.number,
        },
        "origin": session.origin,
        "started_at": None if session.started_at is None else session.started_at.isoformat(),
        "ended_at": None if session.ended_at is None else session.ended_at.isoformat(),
        "ended_reason": session.ended_reason,
        "summary": session.summary,
        "turns": [
            {
                "index": turn.index,
                "speaker": turn.speaker,
                "text": turn.text,
                "interrupted": turn.interrupted,
                "typed": turn.typed,
                "started_ms": turn.started_ms,
                "ended_ms": turn.ended_ms,
                "words": [{"text": text, "start_ms": start, "end_ms": end} for text, start, end in turn.words],
                "latency_ms": turn.latency,
            }
            for turn in turns
        ],
    }
