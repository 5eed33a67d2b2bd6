"""Half an hour with a full-duplex model: nothing grows, no tick is lost, the window slides."""

import gc
from collections import Counter

import torch

from inference.protocol import AudioOut, CancelSpeech, Event, Heard, Lane, SessionSpec, SpeechFinished, SpeechStarted
from inference.worker.duplex import DuplexLane
from inference.worker.shared_engine import SharedEngine
from tests.inference.model_calls import ModelCalls, reticent_engine
from tests.inference.scripted_call import LevelDetector, ToneEars
from tests.inference.test_worker_long_call import held_bytes

MINUTES = 30
RATIOS = (8, 16, 16, 20)
"""2.56 s per codec frame: a sixty-fourth of the real ticks, so that half an hour takes seconds. The wire's frames, the
packets and the steps between ticks are as many as in a real call."""


class Account:
    """What came out, without keeping it."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.samples = 0
        self.last_epoch = 0

    def take(self, event: Event) -> None:
        self.counts[type(event).__name__] += 1
        if isinstance(event, AudioOut):
            assert event.epoch >= self.last_epoch, "nothing of an older epoch leaves"
            self.samples += len(event.pcm) // 2
        if isinstance(event, SpeechStarted):
            self.last_epoch = event.epoch
        if isinstance(event, SpeechFinished):
            self.counts[event.status] += 1


def tensor_bytes() -> int:
    """Bytes of all tensors of the process."""
    gc.collect()
    return sum(thing.nbytes for thing in gc.get_objects() if type(thing) is torch.Tensor)


def test_half_an_hour_with_a_duplex_model_keeps_memory_and_delay_flat() -> None:
    shared = SharedEngine(reticent_engine(ratios=RATIOS, num_slots=1, frame_pull=8.0))
    ears = ToneEars()
    lane = DuplexLane(shared, ears, LevelDetector)
    call = ModelCalls(lane, SessionSpec(session_id="long", character="babbler@1", lane=Lane.DUPLEX))
    account = Account()
    call.keep_log, call.on_event, call.packet_s = False, account.take, 0.04
    (number,) = shared.engine.open_streams
    stream = shared.engine.stream(number)
    held: list[int] = []
    tensors: list[int] = []
    for minute in range(MINUTES):
        call.say("who lives there")
        call.quiet(29.4)
        call.say("green apples")
        call.quiet(29.0)
        if minute % 3 == 2:
            call.command(CancelSpeech())
        # A whole minute and a half second: ticks and packets meet in another place each time.
        call.quiet(1.6 if minute % 2 else 0.6)
        if minute % 5 == 4:
            held.append(held_bytes(call.streams[0]))
            tensors.append(tensor_bytes())
        assert len(stream.user_codes) + len(stream.user_pcm) <= 1
    assert shared.shed_ticks == 0 and call.streams[0].late_frames == 0
    assert abs(shared.ticks - MINUTES * 60 / shared.frame_s) < MINUTES
    assert account.counts[Heard.__name__] >= 2 * MINUTES - 1
    assert account.counts["completed"] >= 5 and account.counts["cancelled"] >= 5
    assert account.samples > 0
    assert stream.dropped_positions > 0, "the window slides, and the prompt stays"
    assert max(held[2:]) < max(held[:2]) + 20_000
    assert max(tensors[2:]) < max(tensors[:2]) + 100_000
    assert ears.in_use == 0
    call.close()
    assert shared.engine.open_streams == []
