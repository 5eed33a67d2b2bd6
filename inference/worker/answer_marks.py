"""Where the time of an answer went."""

from collections.abc import Callable

from inference.protocol import LatencyMarks


class AnswerMarks:
    """Stamps the stages between the end of the user's voice and the first audio of the answer to it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._voice_ended_at: float | None = None
        self._response_id: str | None = None
        self._stages: dict[str, float] = {}

    def turn_ended(self, voice_ended_at: float) -> None:
        """A turn was decided to be over; its voice ended at `voice_ended_at` on the clock."""
        self._voice_ended_at = voice_ended_at
        self._response_id = None
        self._stages = {}
        self._stamp("turn_decided")

    def transcript_ready(self) -> None:
        self._stamp("transcript_ready")

    def answer_started(self, response_id: str) -> None:
        """The next response after a turn is its answer; a later one answers something else."""
        if self._voice_ended_at is not None and self._response_id is None:
            self._response_id = response_id
        else:
            self._voice_ended_at = None

    def first_words(self) -> None:
        if self._response_id is not None and "first_words" not in self._stages:
            self._stamp("first_words")

    def first_audio(self) -> LatencyMarks | None:
        """The marks, once, when the answer's first audio leaves."""
        if self._voice_ended_at is None or self._response_id is None:
            return None
        self._stamp("first_audio")
        marks = LatencyMarks(self._response_id, self._stages)
        self._voice_ended_at = self._response_id = None
        return marks

    def _stamp(self, stage: str) -> None:
        if self._voice_ended_at is not None:
            self._stages[stage] = round((self._clock() - self._voice_ended_at) * 1000, 1)
