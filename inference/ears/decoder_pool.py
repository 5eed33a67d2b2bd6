"""A bounded pool of recognisers, shared by every stream of a worker."""

import logging
import threading
from collections.abc import Callable

from inference.ears.recogniser import Recogniser
from inference.errors import AtCapacity

log = logging.getLogger(__name__)

_BUILD_LIMIT_S = 2.0
"""How long a lease waits for the recogniser that is being built in the background."""


class DecoderPool:
    """Lends recognisers for one utterance each. Thread-safe.

    `build` makes one (0.1 s). When the last idle one is lent, another is built in the background, up to `bound`.
    """

    def __init__(self, build: Callable[[], Recogniser], bound: int) -> None:
        if bound < 1:
            raise ValueError(f"a pool holds at least one recogniser, not {bound}")
        self._build = build
        self._bound = bound
        self._lock = threading.Lock()
        self._idle: list[Recogniser] = []
        self._count = 0
        self._growing: threading.Thread | None = None

    def warm(self, count: int) -> None:
        """Have at least `count` recognisers (no more than the bound), building them here and now."""
        while self._reserve(min(count, self._bound)):
            self._add()

    def lease(self, prefer: Callable[[Recogniser], bool]) -> Recogniser:
        """An idle recogniser, one that `prefer` likes if there is one. Raises `AtCapacity` at the bound."""
        chosen = self._take(prefer)
        if chosen is None and self._reserve(self._bound):
            chosen = self._build_reserved()
        if chosen is None and (growing := self._growing) is not None:
            growing.join(_BUILD_LIMIT_S)
            chosen = self._take(prefer)
        if chosen is None:
            raise AtCapacity(f"all {self._bound} recognisers are in use")
        self._grow_if_low()
        return chosen

    def _take(self, prefer: Callable[[Recogniser], bool]) -> Recogniser | None:
        with self._lock:
            chosen = next((item for item in reversed(self._idle) if prefer(item)), None)
            if chosen is None and self._idle:
                chosen = self._idle[-1]
            if chosen is not None:
                self._idle.remove(chosen)
            return chosen

    def give_back(self, recogniser: Recogniser) -> None:
        with self._lock:
            self._idle.append(recogniser)

    def take_idle(self, wanted: Callable[[Recogniser], bool]) -> Recogniser | None:
        """An idle recogniser that is `wanted`, for maintenance; None when there is none. Give it back."""
        with self._lock:
            chosen = next((item for item in self._idle if wanted(item)), None)
            if chosen is not None:
                self._idle.remove(chosen)
            return chosen

    def _reserve(self, limit: int) -> bool:
        """Count one more recogniser in, if that keeps within `limit`."""
        with self._lock:
            if self._count >= limit:
                return False
            self._count += 1
            return True

    def _build_reserved(self) -> Recogniser:
        try:
            return self._build()
        except BaseException:
            with self._lock:
                self._count -= 1
            raise

    def _add(self) -> None:
        self.give_back(self._build_reserved())

    def _grow_if_low(self) -> None:
        with self._lock:
            if self._idle or self._growing is not None or self._count >= self._bound:
                return
            self._count += 1
            self._growing = threading.Thread(target=self._grow, name="ears-pool", daemon=True)
            self._growing.start()

    def _grow(self) -> None:
        try:
            self._add()
        except Exception:
            log.exception("could not build another recogniser")
        finally:
            with self._lock:
                self._growing = None
