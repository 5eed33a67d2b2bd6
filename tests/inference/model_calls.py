"""Calls with a voice-language model on a virtual clock: tiny random checkpoints behind the worker's real lanes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from inference.engine.engine import StepEngine
from inference.engine.plans import EngineSettings
from inference.protocol import AUDIO_RATE_HZ, AudioOut, Command, Event, SessionSpec
from inference.worker.lanes import LaneOpener
from tests.inference.scripted_call import tone
from tests.inference.tiny_checkpoints import load_codec, load_model, write_codec, write_model

PACKET_S = 0.02
MOST_STEPS = 20
EventT = TypeVar("EventT")


@contextmanager
def checkpoint_folders(*, autonomous: bool = False) -> Iterator[tuple[Path, Path]]:
    """Folders of a model and its codec. The autonomous one speaks nearly all the time."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        model = write_model(folder / "model", autonomous=autonomous, seed=7 if autonomous else 1)
        yield model, write_codec(folder / "codec")


def reticent_engine(
    *, ratios: tuple[int, ...] = (8, 5, 4, 4), num_slots: int = 2, frame_pull: float = 3.0
) -> StepEngine:
    """An autonomous checkpoint that speaks for a second or two and then listens for about as long."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        model, tokenizer = load_model(write_model(folder / "model", autonomous=True, seed=7, frame_pull=frame_pull))
        codec = load_codec(write_codec(folder / "codec", ratios=ratios))
    model.text_head.weight[tokenizer.eos_id] *= 1.5
    assert model.predictor is not None and model.predictor.bias is not None
    model.predictor.bias[0] += 1.6
    settings = EngineSettings(
        num_slots=num_slots, num_positions=512, dropped_block=64, prefill_chunk=16, prefill_per_tick=32, span_step=64
    )
    return StepEngine(model, tokenizer, codec, settings)


class ModelCalls:
    """Streams of one lane, stepped as the worker's loop does it."""

    def __init__(self, lane: LaneOpener, *specs: SessionSpec) -> None:
        self.lane = lane
        self.now = 1_000.0
        self.packet_s = PACKET_S
        self.keep_log = True
        self.on_event: Callable[[Event], None] = lambda event: None
        self.logs: list[list[tuple[float, Event]]] = [[] for _ in specs]
        for spec in specs:
            lane.prepare(spec)
        self.streams = [lane.open(spec, self.now) for spec in specs]

    def speak(self, *samples: np.ndarray) -> None:
        """Sends samples [S] at `AUDIO_RATE_HZ` of each caller, as long as the first, in real time."""
        pcm = [(piece * 32_767).astype("<i2").tobytes() for piece in samples]
        size = round(self.packet_s * AUDIO_RATE_HZ) * 2
        for at in range(0, len(pcm[0]), size):
            self.now += self.packet_s
            self._pass([piece[at : at + size] for piece in pcm])

    def _pass(self, packets: list[bytes]) -> None:
        if self.lane.pulse is not None:
            self.lane.pulse.tick(self.now)
        for number, (stream, packet) in enumerate(zip(self.streams, packets, strict=True)):
            if packet:
                stream.audio(self.now, packet)
            for _ in range(MOST_STEPS):
                self._note(number, stream.step(self.now))
                due = stream.next_due(self.now)
                if due is None or due > self.now:
                    break

    def quiet(self, seconds: float) -> None:
        silence = np.zeros(round(seconds * AUDIO_RATE_HZ), dtype=np.float32)
        self.speak(*[silence] * len(self.streams))

    def say(self, text: str) -> None:
        """Every caller says tone words."""
        words = np.concatenate([tone(word) for word in text.split()])
        self.speak(*[words] * len(self.streams))

    def skip(self, seconds: float) -> None:
        """Time passes and nobody steps the streams."""
        self.now += seconds

    def command(self, *commands: Command, caller: int = 0) -> None:
        for command in commands:
            self.streams[caller].command(self.now, command)
        self._note(caller, self.streams[caller].step(self.now))

    def close(self) -> None:
        for stream in self.streams:
            stream.close()

    def _note(self, number: int, events: list[Event]) -> None:
        for event in events:
            self.on_event(event)
        if not self.keep_log:
            return
        self.logs[number] += [(self.now, event) for event in events]

    # --- what came out ---

    def all(self, kind: type[EventT], caller: int = 0) -> list[EventT]:
        return [event for _, event in self.logs[caller] if isinstance(event, kind)]

    def one(self, kind: type[EventT], caller: int = 0) -> EventT:
        (event,) = self.all(kind, caller)
        return event

    def when(self, kind: type, caller: int = 0) -> list[float]:
        return [at for at, event in self.logs[caller] if isinstance(event, kind)]

    def pcm(self, caller: int = 0) -> bytes:
        return b"".join(event.pcm for event in self.all(AudioOut, caller))

    def index(self, wanted: Event, caller: int = 0) -> int:
        return next(i for i, (_, event) in enumerate(self.logs[caller]) if event is wanted)
