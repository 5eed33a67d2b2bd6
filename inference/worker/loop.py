"""The worker: one thread that owns the slots, gathers what came in, steps each lane, scatters what came out."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from inference.errors import AtCapacity, InferenceError, InvalidSpec, ModelFault, Superseded, WorkerUnavailable
from inference.protocol import Draining, Fault, Lane, SessionSpec
from inference.worker import shared_work
from inference.worker.fences import Fences
from inference.worker.lanes import LaneOpener
from inference.worker.mailbox import Mailbox
from inference.worker.slot import Slot
from inference.worker.tick_meter import TickMeter

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 0.4
"""The loop looks around at least so often, whatever it was told; who watches it sees that it is alive."""

JOIN_LIMIT_S = 10.0
GATHERS_FROM = 8
"""With so many streams what comes in within `GATHER_S` is served in one pass: a pass for each packet would spend most
of its time on waking up."""

GATHER_S = 0.004


@dataclass(frozen=True, slots=True)
class WorkerCounts:
    """Counted since the worker was made."""

    passes: int
    steps: int
    late: int
    dropped_packets: int
    late_frames: int
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
        self._draining = False
        self._fences = Fences()
        self.meter = TickMeter()
        self._pass_steps = self._pass_late = self._pass_live = 0
        self._thread = threading.Thread(target=self._run, name="inference-worker", daemon=True)
        self._preparing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference-prepare")
        self._passes = self._steps = self._late = self._dropped = self._refused = self._faults = self._late_frames = 0

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
    def calls(self) -> int:
        """Streams that somebody listens to while they are made. What is made for later waits for their end."""
        return sum(slot is not None and slot.spec.paced for slot in self._slots)

    @property
    def lanes(self) -> frozenset[Lane]:
        return frozenset(self._lanes)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive() and not self._stopping

    @property
    def is_draining(self) -> bool:
        return self._draining

    @property
    def passes(self) -> int:
        """Of the loop so far. While this number stands still, nobody is served."""
        return self._passes

    @property
    def counts(self) -> WorkerCounts:
        live = [slot for slot in self._slots if slot is not None]
        return WorkerCounts(
            passes=self._passes,
            steps=self._steps + sum(slot.counts.steps for slot in live),
            late=self._late + sum(slot.counts.late for slot in live),
            dropped_packets=self._dropped + sum(slot.mailbox.dropped_packets for slot in live),
            late_frames=self._late_frames + sum(slot.late_frames for slot in live),
            refused=self._refused,
            faults=self._faults,
        )

    def wake(self) -> None:
        """Something arrived. Cheap when the loop already knows."""
        if not self._news.is_set():
            self._news.set()

    def drain(self, deadline_s: float) -> None:
        """Admits nobody any more and asks every stream to move within so many seconds."""
        with self._lock:
            self._draining = True
            live = [slot for slot in self._slots if slot is not None]
        for slot in live:
            slot.mailbox.put_events([Draining(deadline_s)])

    def end_drain(self) -> None:
        """Admits again."""
        self._draining = False

    def claim(self, session_id: str, fence: int) -> bool:
        """Ends the session's older streams. False while one of them still holds its slot.

        Raises `Superseded` when a newer stream of the session was opened here.
        """
        with self._lock:
            self._fences.claim(session_id, fence)
            older = [slot for slot in self._slots if slot is not None and slot.is_older(session_id, fence)]
        for slot in older:
            slot.fault = slot.fault or Fault(Superseded.code, "a newer stream of the session took over", fatal=True)
        if older:
            self.wake()
        return not older

    def admit(self, spec: SessionSpec, mailbox: Mailbox, fence: int = 0) -> str:
        """Gives `spec` a slot and returns its stream's id; a stream of the session with no higher `fence` ends. A
        `fence` of 0 ends none.

        Raises `AtCapacity`, `InvalidSpec`, `Superseded` or `WorkerUnavailable` at once.
        """
        opener = self._lanes.get(spec.lane)
        if opener is None:
            raise InvalidSpec(f"this worker has no {spec.lane.value} lane")
        self.claim(spec.session_id, fence)
        stream_id = f"stream_{uuid.uuid4().hex}"
        with self._lock:
            if not self.is_alive:
                raise WorkerUnavailable("the worker is not running")
            if self._draining:
                raise WorkerUnavailable("the worker is draining")
            index = next((i for i, slot in enumerate(self._slots) if slot is None), None)
            if index is None:
                self._refused += 1
                raise AtCapacity(f"all {len(self._slots)} slots are in use")
            in_lane = sum(slot is not None and slot.opener is opener for slot in self._slots)
            if opener.most_streams is not None and in_lane >= opener.most_streams:
                self._refused += 1
                raise AtCapacity(f"all {opener.most_streams} places of the {spec.lane.value} lane are in use")
            slot = Slot(index, stream_id, spec, mailbox, opener, self.clock(), fence)
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
            if wait_s > 0 and self._pass_live >= GATHERS_FROM:
                rest_s = min(GATHER_S, wait_s)
                time.sleep(rest_s)
                wait_s -= rest_s
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
        began, self._pass_steps, self._pass_late = self.clock(), 0, 0
        dues = [due for pulse in self._pulses if (due := pulse.tick(self.clock())) is not None]
        self._pass_live, calls = 0, self.calls > 0
        for slot in self._slots:
            if slot is None:
                continue
            self._pass_live += 1
            self._serve(slot, calls)
            if slot.due is not None:
                dues.append(slot.due)
        ended = self.clock()
        self.meter.note(began, ended, shared_work.take(), self._pass_live, self._pass_steps, self._pass_late)
        if not dues:
            return LONGEST_WAIT_S
        return min(LONGEST_WAIT_S, min(dues) - ended)

    def _serve(self, slot: Slot, calls: bool) -> None:
        if slot.mailbox.leaving or slot.fault is not None:
            self._release(slot)
            return
        steps, late = slot.counts.steps, slot.counts.late
        try:
            slot.serve(self.clock(), calls=calls)
            self._pass_steps += slot.counts.steps - steps
            self._pass_late += slot.counts.late - late
        except Exception as error:
            slot.fault = _fault(error, slot)
            self._faults += 1
            self._release(slot)

    def _release(self, slot: Slot) -> None:
        late_frames = slot.late_frames
        try:
            slot.close()
        except Exception:
            logger.exception("stream %s did not close cleanly", slot.stream_id)
        with self._lock:
            self._steps += slot.counts.steps
            self._late += slot.counts.late
            self._dropped += slot.mailbox.dropped_packets
            self._late_frames += late_frames
            self._slots[slot.index] = None
        # Only now, so that who sees the end of a stream also sees its slot free.
        slot.tell_end()


def _fault(error: Exception, slot: Slot) -> Fault:
    """What the caller is told: our own errors by name, anything else only that it happened."""
    if isinstance(error, InferenceError):
        return Fault(error.code, str(error), fatal=True)
    logger.error("stream %s failed", slot.stream_id, exc_info=error)
    return Fault(ModelFault.code, "the model failed", fatal=True)
