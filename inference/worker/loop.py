"""The worker: one thread that owns the slots, gathers what came in, steps each lane, scatters what came out."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from inference.errors import AtCapacity, InferenceError, InvalidSpec, ModelFault, WorkerUnavailable
from inference.protocol import Fault, Lane, SessionSpec
from inference.worker.lanes import LaneOpener
from inference.worker.mailbox import Mailbox
from inference.worker.slot import Slot

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 1.0
"""The loop looks around at least so often, whatever it was told."""

JOIN_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """Counted since the worker was made."""

    passes: int
    steps: int
    late: int
    dropped_packets: int
    refused: int
    faults: int


class Worker:
    """Bounded slots stepped by one thread. `admit` may be called from any thread."""

    def __init__(
        self, lanes: Mapping[Lane, LaneOpener], slots: int = 8, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = clock
        self._lanes = dict(lanes)
        # Lanes may share one, hence by identity.
        self._pulses = list({id(lane.pulse): lane.pulse for lane in lanes.values() if lane.pulse is not None}.values())
        self._slots: list[Slot | None] = [None] * slots
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="inference-worker", daemon=True)
        self._preparing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference-prepare")
        self._passes = self._steps = self._late = self._dropped = self._refused = self._faults = 0

    # --- any thread ---

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends every stream with a fault that says so, and joins the thread. Idempotent."""
        self._stopping = True
        self._news.set()
        self._preparing.shutdown(wait=False, cancel_futures=True)
        if self._thread.is_alive():
            self._thread.join(JOIN_LIMIT_S)

    @property
    def slots(self) -> int:
        return len(self._slots)

    @property
    def slots_free(self) -> int:
        return sum(slot is None for slot in self._slots)

    @property
    def lanes(self) -> frozenset[Lane]:
        return frozenset(self._lanes)

    @property
    def counts(self) -> WorkerCounts:
        live = [slot for slot in self._slots if slot is not None]
        return WorkerCounts(
            passes=self._passes,
            steps=self._steps + sum(slot.counts.steps for slot in live),
            late=self._late + sum(slot.counts.late for slot in live),
            dropped_packets=self._dropped + sum(slot.mailbox.dropped_packets for slot in live),
            refused=self._refused,
            faults=self._faults,
        )

    def wake(self) -> None:
        """Something arrived. Cheap when the loop already knows."""
        if not self._news.is_set():
            self._news.set()

    def admit(self, spec: SessionSpec, mailbox: Mailbox) -> str:
        """Gives `spec` a slot and returns its stream's id. Raises `AtCapacity`, `InvalidSpec` or
        `WorkerUnavailable` at once."""
        opener = self._lanes.get(spec.lane)
        if opener is None:
            raise InvalidSpec(f"this worker has no {spec.lane.value} lane")
        stream_id = f"stream_{uuid.uuid4().hex}"
        with self._lock:
            if self._stopping or not self._thread.is_alive():
                raise WorkerUnavailable("the worker is not running")
            index = next((i for i, slot in enumerate(self._slots) if slot is None), None)
            if index is None:
                self._refused += 1
                raise AtCapacity(f"all {len(self._slots)} slots are in use")
            in_lane = sum(slot is not None and slot.opener is opener for slot in self._slots)
            if opener.most_streams is not None and in_lane >= opener.most_streams:
                self._refused += 1
                raise AtCapacity(f"all {opener.most_streams} places of the {spec.lane.value} lane are in use")
            slot = Slot(index, stream_id, spec, mailbox, opener, self.clock())
            self._slots[index] = slot
            self._preparing.submit(self._prepare, slot)
        return stream_id

    def _prepare(self, slot: Slot) -> None:
        if slot.mailbox.leaving:
            return
        try:
            slot.opener.prepare(slot.spec)
            slot.prepared = True
        except Exception as error:
            slot.fault = _fault(error, slot)
        self.wake()

    # --- the worker's thread ---

    def _run(self) -> None:
        while not self._stopping:
            self._news.clear()
            wait_s = self._pass()
            if wait_s > 0:
                self._news.wait(wait_s)
        stopped = WorkerUnavailable("the worker is stopping")
        for slot in list(self._slots):
            if slot is not None:
                slot.fault = slot.fault or Fault(stopped.code, str(stopped), fatal=True)
                self._release(slot)

    def _pass(self) -> float:
        """Ticks what slots share, then serves every slot once; returns how long nothing is due."""
        self._passes += 1
        dues = [due for pulse in self._pulses if (due := pulse.tick(self.clock())) is not None]
        for slot in list(self._slots):
            if slot is None:
                continue
            self._serve(slot)
            if slot.due is not None:
                dues.append(slot.due)
        if not dues:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, min(dues) - self.clock())

    def _serve(self, slot: Slot) -> None:
        if slot.mailbox.leaving or slot.fault is not None:
            self._release(slot)
            return
        try:
            slot.serve(self.clock())
        except Exception as error:
            slot.fault = _fault(error, slot)
            self._faults += 1
            self._release(slot)

    def _release(self, slot: Slot) -> None:
        try:
            slot.close()
        except Exception:
            logger.exception("stream %s did not close cleanly", slot.stream_id)
        with self._lock:
            self._steps += slot.counts.steps
            self._late += slot.counts.late
            self._dropped += slot.mailbox.dropped_packets
            self._slots[slot.index] = None
        # Only now, so that who sees the end of a stream also sees its slot free.
        slot.tell_end()


def _fault(error: Exception, slot: Slot) -> Fault:
    """What the caller is told: our own errors by name, anything else only that it happened."""
    if isinstance(error, InferenceError):
        return Fault(error.code, str(error), fatal=True)
    logger.error("stream %s failed", slot.stream_id, exc_info=error)
    return Fault(ModelFault.code, "the model failed", fatal=True)
