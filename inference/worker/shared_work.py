"""Time spent on work that serves all streams at once, kept for the loop in whose thread it is done.

A model's tick costs the same whoever asked for it, and a mouth asks for it in the middle of one stream's step. The
loop has to know, or it would charge that stream for all of them.
"""

import threading

_kept = threading.local()


def note(seconds: float) -> None:
    """So much was spent in this thread."""
    _kept.seconds = getattr(_kept, "seconds", 0.0) + seconds


def take() -> float:
    """What was spent in this thread since the last call."""
    seconds: float = getattr(_kept, "seconds", 0.0)
    _kept.seconds = 0.0
    return seconds
