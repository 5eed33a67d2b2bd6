"""What becomes of a drawn token: one small rule per mode.

The device draws for all slots alike; here, on the host, a slot's rule says what enters its context.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from inference.engine.plans import Finish, Limits, WordStart
from inference.engine.words import ForcedWords
from inference.models.generation import DuplexState
from inference.models.tokenizer import VoilaTokenizer


class Action(Enum):
    TEXT = "text"
    """A text or control token enters."""

    FRAME = "frame"
    HOLD = "hold"
    """Something is missing: ask again next tick with the same draw."""

    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Decision:
    action: Action
    token: int = -1
    reason: Finish = ""
    """Why the answer ends, after this token if there is one."""

    word: WordStart | None = None


@dataclass(slots=True)
class Progress:
    """What an answer has given so far."""

    positions: int = 0
    frames: int = 0
    text_run: int = 0
    """Text positions since the last frame."""

    def count(self, action: Action) -> None:
        self.positions += 1
        self.frames += action is Action.FRAME
        self.text_run = 0 if action is Action.FRAME else self.text_run + 1


class Answer(Protocol):
    progress: Progress

    @property
    def speaking(self) -> bool: ...

    def decide(self, token: int, wants_to_speak: bool, user_frame: bool) -> Decision:
        """`user_frame`: whether a frame of the user, or silence instead, is there to go beside one of the model."""


@dataclass(slots=True)
class FreeAnswer:
    """Turn and ears: the model speaks, or writes, until eos."""

    tokenizer: VoilaTokenizer
    limits: Limits
    frames_allowed: bool = True
    progress: Progress = field(default_factory=Progress)
    speaking: bool = True

    def decide(self, token: int, wants_to_speak: bool, user_frame: bool) -> Decision:
        forced = self.frames_allowed and self.progress.text_run >= self.limits.max_text_run
        if forced or (self.frames_allowed and token == self.tokenizer.control["<au_token>"]):
            return Decision(Action.FRAME)
        return Decision(Action.TEXT, token, "eos" if token == self.tokenizer.eos_id else "")


@dataclass(slots=True)
class DuplexAnswer:
    """Two channels for as long as the call lasts; the speak/listen head and eos only switch `speaking`."""

    tokenizer: VoilaTokenizer
    limits: Limits
    progress: Progress = field(default_factory=Progress)
    user_ended: bool = False
    _state: DuplexState = field(default_factory=DuplexState)
    _wants_frame: bool = False
    """A frame is decided and waits for the user's."""

    @property
    def speaking(self) -> bool:
        return self._state.speaking

    def decide(self, token: int, wants_to_speak: bool, user_frame: bool) -> Decision:
        if not self._wants_frame and self.progress.text_run < self.limits.max_text_run:
            token = self._state.decide(token, wants_to_speak, self.tokenizer)
            if token != self.tokenizer.control["<au_token>"]:
                return Decision(Action.TEXT, token)
        self._wants_frame = not user_frame
        if user_frame:
            return Decision(Action.FRAME)
        return Decision(Action.FINISH, reason="user_stream_end") if self.user_ended else Decision(Action.HOLD)


@dataclass(slots=True)
class MouthAnswer:
    """Given words enter where the model wants text; it alone says where frames come."""

    tokenizer: VoilaTokenizer
    limits: Limits
    words: ForcedWords
    progress: Progress = field(default_factory=Progress)
    speaking: bool = True
    _frames_since_word: int = 0
    _begun: bool = False

    def decide(self, token: int, wants_to_speak: bool, user_frame: bool) -> Decision:
        if self._begun and self.progress.text_run >= self.limits.max_text_run:
            return self._frame()
        if self.words.inside_word:
            return Decision(Action.TEXT, self.words.next_token())
        if self._begun and token == self.tokenizer.control["<au_token>"] and self._frame_fits():
            return self._frame()
        if self.words.waiting:
            self._begun, self._frames_since_word = True, 0
            word = self.words.start(self.progress.frames)
            return Decision(Action.TEXT, self.words.next_token(), word=word)
        return Decision(Action.FINISH, reason="words_end") if self.words.ended else Decision(Action.HOLD)

    def _frame_fits(self) -> bool:
        ending = self.words.ended and not self.words.waiting
        return self._frames_since_word < (
            self.limits.max_trailing_frames if ending else self.limits.max_frames_per_word
        )

    def _frame(self) -> Decision:
        self._frames_since_word += 1
        return Decision(Action.FRAME)
