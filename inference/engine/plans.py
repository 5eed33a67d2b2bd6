"""What a stream is opened with and what it gives back each tick."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from inference.models.packed import Precision
from inference.models.prompts import PromptTurn, Task, speaks
from inference.models.sampling import AUDIO_SAMPLING, TEXT_SAMPLING, Sampling

Mode = Literal["duplex", "turn", "mouth", "ears"]
"""Two channels at once; turns of an end-to-end model; given words spoken; speech written down."""

MissingUser = Literal["silence", "hold"]
"""A duplex stream whose user sent no frame in time hears a frame of silence, or waits."""

Finish = Literal["", "eos", "max_new_positions", "user_stream_end", "words_end", "interrupted"]

_TASKS: dict[Mode, Task] = {
    "duplex": Task.DUPLEX,
    "turn": Task.AUDIO_CHAT,
    "mouth": Task.AUDIO_CHAT,
    "ears": Task.ASR,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Every loop of a stream ends at one of these."""

    max_new_positions: int | None = 512
    """Positions of one answer, text and frames alike; None for a call that lasts."""

    max_text_run: int = 16
    """Text positions in a row, which cost no time; then a frame is forced, or, where none may come, the tick ends."""

    max_frames_per_word: int = 75
    """Frames a mouth may take for one word before the next is forced."""

    max_trailing_frames: int = 50
    """Frames after the last word."""


@dataclass(frozen=True, slots=True, eq=False)
class StreamPlan:
    """One caller's use of a slot."""

    mode: Mode
    instruction: str = ""
    speaker: Tensor | None = None
    """Embedding [256] added at its fixed prompt position."""

    history: tuple[PromptTurn, ...] = ()
    """Complete earlier turns; they are the first to be dropped when the window is full."""

    task: Task | None = None
    """The prompt's task where it is not the mode's usual one."""

    text: Sampling = TEXT_SAMPLING
    audio: Sampling = AUDIO_SAMPLING
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    missing_user: MissingUser = "silence"
    prefix_key: Hashable = None
    """(character version, voice): streams with the same key share a primed system prompt. None primes anew."""

    @property
    def prompt_task(self) -> Task:
        return self.task or _TASKS[self.mode]

    @property
    def gives_audio(self) -> bool:
        """Whether answers may hold frames: the tasks with a voice."""
        return speaks(self.prompt_task)


@dataclass(frozen=True, slots=True)
class WordStart:
    """For captions: word number `index` of this answer begins with its frame number `frame`."""

    index: int
    word: str
    frame: int


@dataclass(frozen=True, slots=True, eq=False)
class StreamOutput:
    """What one tick gave one stream."""

    stream: int
    text: str = ""
    """Words that entered the context, whole characters only, control tokens left out."""

    token_ids: tuple[int, ...] = ()
    """Every text and control id that entered the context, in order."""

    codes: Tensor | None = None
    """[K], when the tick gave a frame."""

    pcm: Tensor | None = None
    """[samples_per_frame], when there is a codec; later than its codes by the codec's `decoder_delay_frames`."""

    frame: int | None = None
    """The frame's number within its answer."""

    words: tuple[WordStart, ...] = ()
    speaking: bool = False
    finished: Finish = ""
    """Why the answer ended. Only a duplex stream is over then; the others take the next turn."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    num_slots: int = 8
    num_positions: int = 2048
    """The window: positions of one slot that are kept, prompt included."""

    dropped_block: int = 256
    """Conversation positions that make room, at least, while the last quarter as many are filled."""

    prefill_chunk: int = 64
    """Positions of a prompt computed together. Fixed, so that a prompt's numbers never depend on the others."""

    prefill_per_tick: int = 128
    """Positions of prompts computed in one tick, all slots together; at least one chunk."""

    span_step: int = 256
    """Attention looks at a multiple of this many positions."""

    packed: Precision | None = None
    """Repack the model's weights, in place, for the CPU kernels of this precision; int8 wants a float32 model."""

    top_k_bound: int = 64
    """The largest top-k a plan may ask for. 0, no limit, may be asked for too, and makes everybody's draws slower."""

    max_queued_frames: int = 250
    """Of user audio not yet heard, per stream; beyond it the oldest are dropped and counted."""

    max_queued_words: int = 4096
    prefix_cache_entries: int = 16
    silence_codes: tuple[int, ...] | None = None
    """What a user's missing frame sounds like; None asks the codec for a frame of zeros."""
