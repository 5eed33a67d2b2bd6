"""One step engine for all streams of a worker that use its checkpoint, ticked once per codec frame."""

import logging
import time
import zlib
from collections.abc import Callable, Hashable
from functools import partial
from typing import Protocol

import torch

from inference.codec.base import Codec
from inference.engine.engine import StepEngine
from inference.engine.plans import Limits, Mode, StreamOutput, StreamPlan
from inference.errors import InferenceError, InvalidSpec, ModelFault
from inference.models.config import SPEAKER_DIM
from inference.protocol import Event, SessionSpec, VoiceChanged, VoiceRefused, VoiceSpec
from inference.worker import shared_work
from inference.worker.told_history import told_instruction

logger = logging.getLogger(__name__)

_BROKEN = "the voice model has failed; the worker must be started again"

UNSUPPORTED = "unsupported"


class EngineUser(Protocol):
    """What a stream of the engine is to its lane."""

    def contribute(self) -> None:
        """A tick is about to begin: what there is for it is pushed now."""

    def take(self, now: float, output: StreamOutput) -> None:
        """What the tick gave this stream."""


class SharedEngine:
    """Ticks on a fixed grid while anybody uses it. Used by the worker's thread only.

    A tick that comes late is done once: those missed are shed and counted, never made up for, because a model that runs
    after its callers would run after them for good.
    """

    def __init__(self, engine: StepEngine) -> None:
        if engine.codec is None:
            raise InvalidSpec("a voice model needs its codec")
        self.engine = engine
        self.codec: Codec = engine.codec
        self.frame_s = self.codec.samples_per_frame / self.codec.sample_rate_hz
        self.ticks = 0
        self.shed_ticks = 0
        self._users: dict[int, EngineUser] = {}
        self._due: float | None = None
        self._failed = False
        self._errors: dict[int, InferenceError] = {}

    @property
    def slots(self) -> int:
        return self.engine.settings.num_slots

    @property
    def hears_raw_audio(self) -> bool:
        """Whether the model hears the user's audio itself, not its codes."""
        return self.engine.model.kind == "waveform"

    @property
    def device(self) -> torch.device:
        return self.engine.model.embeddings.device

    @property
    def due(self) -> float | None:
        """When the next tick is wanted; None: nobody uses the engine."""
        return self._due

    def open(self, now: float, plan: StreamPlan, user: EngineUser) -> int:
        """The engine's number of a new stream. Raises `InvalidSpec`, `AtCapacity`, `ModelFault`."""
        if self._failed:
            raise ModelFault(_BROKEN)
        number = self.engine.open(plan)
        self._users[number] = user
        if self._due is None:
            self._due = now
        return number

    def change_voice(self, number: int | None, character: str, voice: VoiceSpec) -> list[Event]:
        """Another voice for an open stream: `VoiceChanged`, or `VoiceRefused` and the call goes on as it was."""
        if number not in self._users:
            return []
        try:
            self.engine.change_voice(number, needed_speaker_of(voice), prefix_key(character, voice))
        except InvalidSpec as error:
            return [VoiceRefused(voice.slug, str(error))]
        return [VoiceChanged(voice.slug)]

    def close(self, number: int) -> None:
        """Idempotent."""
        self._errors.pop(number, None)
        if self._users.pop(number, None) is not None:
            self.engine.close(number)
        if not self._users:
            self._due = None

    def check(self, number: int | None) -> None:
        """Raises what went wrong with this stream in a tick, `ModelFault` if the engine itself has failed."""
        if self._failed:
            raise ModelFault(_BROKEN)
        if number in self._errors:
            raise self._errors[number]

    def tick(self, now: float) -> float | None:
        """Steps all streams if that is due at `now`; returns when it is due next (`lanes.Pulse`)."""
        if not self._users or self._failed:
            self._due = None
            return None
        due = now if self._due is None else self._due
        if now < due:
            return due
        missed = int((now - due) / self.frame_s)
        self.shed_ticks += missed
        self._due = due + (missed + 1) * self.frame_s
        self._step(now)
        return self._due

    def advance(self, now: float) -> None:
        """A tick on demand, for users that draw their sound instead of being driven by the clock."""
        if self._users and not self._failed:
            self._step(now)

    def _step(self, now: float) -> None:
        for number, user in list(self._users.items()):
            self._let(number, user.contribute)
        began = time.perf_counter()
        try:
            outputs = self.engine.tick()
        except Exception:
            # What the slots hold cannot be trusted any more. Every stream learns of it at its own next step.
            logger.exception("the step engine failed")
            self._failed = True
            return
        finally:
            shared_work.note(time.perf_counter() - began)
        self.ticks += 1
        for output in outputs:
            user_of = self._users.get(output.stream)
            if user_of is not None:
                self._let(output.stream, partial(user_of.take, now, output))

    def _let(self, number: int, work: Callable[[], None]) -> None:
        """One stream's part of a tick: where it fails, it fails alone."""
        try:
            work()
        except InferenceError as error:
            self._errors[number] = error
        except Exception:
            logger.exception("stream %d of the voice model failed", number)
            self._errors[number] = ModelFault("the voice model failed")


def plan_of(spec: SessionSpec, mode: Mode, limits: Limits) -> StreamPlan:
    """How the engine plays this call's character. Raises `InvalidSpec` for a voice that is no speaker embedding."""
    return StreamPlan(
        mode=mode,
        instruction=told_instruction(spec),
        speaker=speaker_of(spec.voice),
        seed=zlib.crc32(spec.session_id.encode()),
        limits=limits,
        # What was said before is in the prompt of nobody else.
        prefix_key=None if spec.history else prefix_key(spec.character, spec.voice),
    )


def prefix_key(character: str, voice: VoiceSpec) -> Hashable:
    """What a primed prompt belongs to."""
    return (character, voice.slug, voice.embedding)


def needed_speaker_of(voice: VoiceSpec) -> torch.Tensor:
    """The voice's embedding [256]. Raises `InvalidSpec` where it has none, or one of another length."""
    speaker = speaker_of(voice)
    if speaker is None:
        raise InvalidSpec(f"the voice {voice.slug} has no speaker embedding, which this character speaks by")
    return speaker


def speaker_of(voice: VoiceSpec) -> torch.Tensor | None:
    """The voice's embedding [256], or None: the checkpoint then speaks as it likes. Raises `InvalidSpec`."""
    if not voice.embedding:
        return None
    if len(voice.embedding) != SPEAKER_DIM:
        raise InvalidSpec(f"a speaker embedding has {SPEAKER_DIM} numbers, not {len(voice.embedding)}")
    return torch.tensor(voice.embedding)
