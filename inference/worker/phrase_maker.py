"""One phrase being made: its items on a stream of the engine, sound or codes out."""

from collections import deque
from collections.abc import Callable

import torch
from torch import Tensor

from inference.codec.source_filter.steering import Steering
from inference.engine.plans import Limits, StreamOutput, StreamPlan
from inference.errors import InvalidSpec
from inference.models.sampling import Sampling
from inference.pronunciation.items import PhraseItems, pieces
from inference.worker.shared_engine import SharedEngine

LIMITS = Limits(max_new_positions=1000, max_text_run=16, max_frames_per_word=16, max_trailing_frames=10)
"""An item is a phone: two thirds of a second at most, half of one for what is left at the end."""

TEXT_SAMPLING = Sampling(temperature=1.0, top_k=3)
AUDIO_SAMPLING = Sampling(temperature=0.5, top_k=20)
_AHEAD = 4
"""Items with the engine that have not entered: enough for a tick in which several do."""


class PhraseMaker:
    """Takes a slot from its beginning to `close`."""

    def __init__(
        self,
        shared: SharedEngine,
        items: PhraseItems,
        speaker: Tensor,
        style: str,
        *,
        prefix_key: object,
        seed: int,
        wants_more: Callable[[], bool],
    ) -> None:
        """`style` is one of the model's. Raises `AtCapacity`, `ModelFault`."""
        self._shared, self._wants_more = shared, wants_more
        self._todo = deque(pieces(items.items))
        self._waiting = 0
        self._starts: list[int] = []
        """Per item entered so far, the frame before which it did."""

        self.sounds: deque[Tensor] = deque()
        """[samples_per_frame] each, to be taken away."""

        self.codes: list[Tensor] = []
        self._heard, self._finished = 0, False
        plan = StreamPlan(
            mode="mouth", instruction=style, speaker=speaker, seed=seed, limits=LIMITS, text=TEXT_SAMPLING,
            audio=AUDIO_SAMPLING, prefix_key=(style, prefix_key),
        )  # fmt: skip
        self._number: int | None = shared.open(0.0, plan, self)
        shared.engine.begin_answer(self._number)

    def item_frame(self, item: int) -> int | None:
        """The frame with which an item begins to sound; None while that is not known."""
        return self._starts[item] if item < len(self._starts) else None

    @property
    def frames(self) -> int:
        return len(self.codes)

    def check(self) -> None:
        """Raises what went wrong with this stream in a tick."""
        self._shared.check(self._number)

    def steer(self, change: Callable[[Steering, int], None]) -> None:
        """Raises `InvalidSpec` where the codec cannot be steered."""
        if self._number is not None:
            steering, slot = self._shared.engine.steering(self._number)
            change(steering, slot)

    def close(self) -> None:
        """Gives the slot back. Idempotent."""
        number, self._number = self._number, None
        if number is not None:
            self._shared.close(number)

    # --- the engine's side ---

    def contribute(self) -> None:
        """Items go in while their sound is wanted; without them the model waits."""
        if self._number is None or self._finished or not self._wants_more():
            return
        engine = self._shared.engine
        while self._todo and self._waiting < _AHEAD:
            engine.push_words(self._number, [self._todo.popleft()])
            self._waiting += 1
        if not self._todo:
            engine.end_words(self._number)

    def take(self, now: float, output: StreamOutput) -> None:
        for word in output.words:
            self._starts.append(word.frame)
            self._waiting -= 1
        if output.codes is not None:
            self.codes.append(output.codes)
        if output.pcm is not None:
            self.sounds.append(output.pcm)
        self._heard += output.pcm is not None
        self._finished = self._finished or bool(output.finished)

    @property
    def done(self) -> bool:
        """All is made, also what a codec that looks ahead gives later."""
        return self._finished and self._heard >= len(self.codes)

    def all_codes(self) -> Tensor:
        """[K, T]. Raises `InvalidSpec` when there are none."""
        if not self.codes:
            raise InvalidSpec("the phrase has no sound")
        return torch.stack(self.codes, dim=1)
