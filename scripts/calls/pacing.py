"""The clock of many callers in one process, and how late it was itself."""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scripts.calls.call import Call
from scripts.calls.tones import PACKET_MS

PACKET_S = PACKET_MS / 1000
SLOTS = 20
"""Callers are spread over 1 ms slots, as the open network spreads them."""

SLOT_S = PACKET_S / SLOTS
LATE_S = 0.005
"""A client this late is not what is to be measured."""


@dataclass
class Pacer:
    """Runs until cancelled. What arrived while it was late itself says nothing about the server."""

    lateness_ms: list[float] = field(default_factory=list)
    """Of every slot with a caller in it."""

    late_from: list[float] = field(default_factory=list)
    late_to: list[float] = field(default_factory=list)
    _slots: list[list[Call]] = field(default_factory=lambda: [[] for _ in range(SLOTS)])

    def add(self, call: Call) -> None:
        min(self._slots, key=len).append(call)

    def remove(self, call: Call) -> None:
        for slot in self._slots:
            if call in slot:
                slot.remove(call)

    async def run(self) -> None:
        start, tick = time.perf_counter(), 0
        while True:
            due = start + tick * SLOT_S
            now = time.perf_counter()
            if now < due:
                await asyncio.sleep(due - now)
                now = time.perf_counter()
            self._send(self._slots[tick % SLOTS], due, now)
            tick += 1
            if tick % SLOTS == 0:
                # Even when it is behind, what has arrived gets its turn.
                await asyncio.sleep(0)

    def _send(self, calls: list[Call], due: float, now: float) -> None:
        if not calls:
            return
        late = now - due > LATE_S
        self.lateness_ms.append((now - due) * 1000)
        if late:
            self.late_from.append(due)
            self.late_to.append(now)
        for call in tuple(calls):
            call.send_packet(time.perf_counter(), late=late)

    def was_late(self, at: NDArray[np.float64]) -> NDArray[np.bool_]:
        """For each moment, whether this client was late around it."""
        if not self.late_from:
            return np.zeros(len(at), dtype=bool)
        begins, ends = np.asarray(self.late_from), np.asarray(self.late_to) + SLOT_S
        place = np.searchsorted(begins, at, side="right") - 1
        return (place >= 0) & (at <= np.maximum.accumulate(ends)[np.maximum(place, 0)])
