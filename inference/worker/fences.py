"""Fencing: of the streams that a session was given, only the newest may live.

A web process that was thought dead may wake and open a stream it has no right to any more. The number that comes with
every lease tells: it rises with each stream of a session (M. Kleppmann, Designing Data-Intensive Applications, ch. 8).
"""

from collections import OrderedDict

from inference.errors import Superseded

MOST_SESSIONS = 10_000
"""Remembered; the longest unseen are forgotten first."""


class Fences:
    """The highest number seen of each session. Not thread-safe."""

    def __init__(self) -> None:
        self._highest: OrderedDict[str, int] = OrderedDict()

    def claim(self, session_id: str, fence: int) -> None:
        """Raises `Superseded` when a newer stream of the session was opened here. 0 claims nothing."""
        if not fence:
            return
        known = self._highest.get(session_id, 0)
        if fence < known:
            raise Superseded(f"the session is at its stream number {known}; {fence} is over")
        self._highest[session_id] = fence
        self._highest.move_to_end(session_id)
        if len(self._highest) > MOST_SESSIONS:
            self._highest.popitem(last=False)
