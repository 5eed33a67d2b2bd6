"""Wakes the readers of an event loop from the worker's thread, with one system call for many of them."""

import asyncio
import threading


class Doorbell:
    """One per event loop. However many streams get news before the loop runs, it is called once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: set[asyncio.Event] = set()
        self.rings = 0
        """Calls into the loop so far."""

    def note(self, event: asyncio.Event) -> None:
        """Sets `event` soon, in its loop. A loop that is closed has no reader left and is not called."""
        with self._lock:
            first = not self._waiting
            self._waiting.add(event)
            if not first:
                return
            self.rings += 1
        try:
            self._loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:
            with self._lock:
                self._waiting.clear()

    def _deliver(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, set()
        for event in waiting:
            event.set()
