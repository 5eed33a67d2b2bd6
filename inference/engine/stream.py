"""One caller's use of a slot, as the host sees it: what waits to be fed, what was heard, which answer is going on."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from inference.engine.answers import Answer
from inference.engine.plans import Finish, StreamOutput, StreamPlan, WordStart
from inference.engine.prefix_cache import PrimedPrefix
from inference.engine.words import ForcedWords
from inference.engine.written_text import WrittenText


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Positions computed together, vectors [T, D]."""

    vectors: Tensor
    of_prompt: bool = False
    ends_prompt: bool = False
    """What comes so far is kept for good, and may be shared."""

    begins_turn: bool = False
    added: Callable[[], Tensor] | None = None
    """Vectors [T, D] of raw audio to be added, computed when the chunk is."""

    def complete(self) -> Tensor:
        """Vectors [T, D], raw audio included."""
        return self.vectors if self.added is None else self.vectors + self.added().to(self.vectors)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One position, fed with all the other slots; ids [columns] on the host."""

    ids: Tensor
    begins_turn: bool = False


class Told(Protocol):
    """A conversation that is told to the model anew for every answer."""

    def add(self, row: Row, sound: Tensor | None = None) -> int:
        """One position. Returns how many old positions had to go."""

    def chunks(self) -> list[Chunk]: ...


@dataclass(slots=True)
class TickNotes:
    """What this tick gave so far."""

    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    words: list[WordStart] = field(default_factory=list)
    codes: Tensor | None = None
    pcm: Tensor | None = None
    frame: int | None = None
    finished: Finish = ""

    @property
    def empty(self) -> bool:
        return not (self.text or self.token_ids or self.words or self.finished) and self.codes is self.pcm is None


@dataclass(slots=True)
class Stream:
    """`waiting` is fed strictly in order; its head says whether the stream needs prefill or a step."""

    number: int
    slot: int
    plan: StreamPlan
    written: WrittenText
    primed: PrimedPrefix | None = None
    prompt_vectors: Tensor | None = None
    """Of the prompt that is to be shared, until it is."""

    told: Told | None = None
    """Of a checkpoint that hears raw audio."""

    waiting: deque[Chunk | Row] = field(default_factory=deque)
    user_pcm: deque[Tensor] = field(default_factory=deque)
    user_codes: deque[Tensor] = field(default_factory=deque)
    answer: Answer | None = None
    words: ForcedWords | None = None
    turn_open: bool = False
    """The user's turn has begun and its marker is fed or waits."""

    undrawn: bool = False
    """The hidden state is newer than the last draw."""

    held: tuple[int, bool] | None = None
    """A draw whose decision waits for something."""

    wants_frame: bool = False
    rows_left: int = 0
    """Positions it may still take this tick."""

    length: int = 0
    """Positions in the cache; of a window that moves, in the layers that have not moved."""

    dropping: int = 0
    """Positions that are gone in the first `moved_layers` layers and still there in the others."""

    moved_layers: int = 0

    prompt_length: int = 0
    turn_starts: list[int] = field(default_factory=list)
    dropped_frames: int = 0
    dropped_positions: int = 0
    draining: Tensor | None = None
    """The last codes of an answer, while a codec that looks ahead still owes audio."""

    drain_left: int = 0
    notes: TickNotes = field(default_factory=TickNotes)

    @property
    def needs_step(self) -> bool:
        return self.rows_left > 0 and bool(self.waiting) and isinstance(self.waiting[0], Row)

    @property
    def needs_draw(self) -> bool:
        return self.undrawn and not self.waiting and self.answer is not None and not self.wants_frame

    def answer_with(self, row: Row) -> None:
        """A position of an answer, fed next."""
        self.waiting.append(row)
        self.tell(row)

    def tell(self, row: Row, sound: Tensor | None = None) -> None:
        """A position of a conversation that is told anew."""
        if self.told is not None:
            self.dropped_positions += self.told.add(row, sound)

    def begin_anew(self) -> None:
        """Nothing but the prompt is in the cache, and only what is left of the prompt waits."""
        head = [chunk for chunk in self.waiting if isinstance(chunk, Chunk) and chunk.of_prompt]
        self.waiting = deque(head)
        self.length = self.prompt_length or self.length
        self.turn_starts = []
        self.dropping = self.moved_layers = 0

    def advanced(self, by: int, begins_turn: bool) -> None:
        """So many positions more are in the cache."""
        if begins_turn:
            self.turn_starts.append(self.length)
        self.length += by
        self.undrawn = True

    def take_output(self) -> StreamOutput | None:
        """What the tick gave, None for nothing. The next tick's notes begin."""
        notes, self.notes = self.notes, TickNotes()
        if notes.empty:
            return None
        return StreamOutput(
            self.number,
            notes.text,
            tuple(notes.token_ids),
            notes.codes,
            notes.pcm,
            notes.frame,
            tuple(notes.words),
            self.answer is not None and self.answer.speaking,
            notes.finished,
        )

    def shortened(self, by: int) -> None:
        """So many positions after the prompt are gone."""
        self.length -= by
        self.dropped_positions += by
        self.turn_starts = [start - by for start in self.turn_starts if start - by >= self.prompt_length]
