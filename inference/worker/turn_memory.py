"""What was said in a call with an end-to-end model, for when it goes on in another task.

A task fixes one modality per role for the whole conversation (fact sheet of the format, section 5), so a call that
changes between speech and text begins a new prompt. The memory gives that prompt its earlier turns.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from inference.models.prompts import PromptTurn

MOST_EXCHANGES = 64
MOST_FRAMES = 2_048
"""The window of an engine: what is older would not fit."""


@dataclass(slots=True)
class Exchange:
    """A turn of the user and the answer to it, as far as it was made."""

    user_text: str
    user_codes: Tensor | None
    """[K, T]; None: not all of it was spoken."""

    answer_text: str = ""
    answer_codes: list[Tensor] = field(default_factory=list)
    """A frame [K] each."""

    @property
    def num_frames(self) -> int:
        return len(self.answer_codes) + (0 if self.user_codes is None else self.user_codes.shape[1])

    def as_text(self) -> tuple[PromptTurn, ...]:
        if not self.user_text:
            return ()
        return PromptTurn("user", self.user_text), PromptTurn("assistant", self.answer_text)

    def as_audio(self) -> tuple[PromptTurn, ...]:
        if self.user_codes is None or not self.answer_codes:
            return ()
        answer = torch.stack(self.answer_codes, dim=1)
        return PromptTurn("user", codes=self.user_codes), PromptTurn("assistant", codes=answer)


class TurnMemory:
    """The latest exchanges of one call; the oldest are forgotten."""

    def __init__(self) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=MOST_EXCHANGES)

    def recall(self, history: Iterable[tuple[str, str]]) -> None:
        """What was said before this call, as (`user` or `character`, text): only its words are left."""
        for speaker, text in history:
            if speaker == "user":
                self.begin(text, None)
            else:
                self.written(text)

    def begin(self, user_text: str, user_codes: Tensor | None) -> None:
        """The user's turn is over; what is answered from now on answers it."""
        self._exchanges.append(Exchange(user_text, user_codes))
        while len(self._exchanges) > 1 and sum(each.num_frames for each in self._exchanges) > MOST_FRAMES:
            self._exchanges.popleft()

    def written(self, text: str) -> None:
        """More words of the answer."""
        if self._exchanges:
            self._exchanges[-1].answer_text += text

    def spoken(self, codes: Tensor) -> None:
        """A frame [K] of the answer."""
        if self._exchanges:
            self._exchanges[-1].answer_codes.append(codes)

    def continued(self) -> None:
        """The words of the last turn will be part of the next one's."""
        if self._exchanges:
            self._exchanges[-1].user_text = ""

    def turns(self, *, speech: bool) -> tuple[PromptTurn, ...]:
        """The exchanges a prompt of this modality can hold: those wholly spoken, or those whose words are known."""
        parts = [each.as_audio() if speech else each.as_text() for each in self._exchanges]
        return tuple(turn for part in parts for turn in part)
