"""A listener and a character on a virtual clock, for the turn rules alone."""

from collections.abc import Sequence
from typing import TypeVar

from inference.protocol import SilenceElapsed, TurnTaking
from inference.turns.decisions import Decision, Overlapped, ReadVoice, TurnContinued, TurnEnded, TurnStarted
from inference.turns.floor import Floor
from inference.turns.voice_run import VoiceChunk

CHUNK_S = 0.032
DecisionT = TypeVar("DecisionT")


class ScriptedTalk:
    """Feeds a floor chunk by chunk and keeps what it decided, with the time."""

    def __init__(
        self, profile: TurnTaking | None = None, phrases: Sequence[str] = (), detects_turns: bool = True
    ) -> None:
        self.now = 1_000.0
        self.position_s = 0.0
        self.floor = Floor(profile or TurnTaking(), self.now, phrases, detects_turns)
        self.log: list[tuple[float, Decision]] = []
        self.heard = ""
        """What the recogniser makes of the voice in progress."""

    def voice(self, seconds: float, text: str = "", echo: bool = False) -> "ScriptedTalk":
        """The listener's voice; the words of `text` are recognised evenly over it, 0.15 s late."""
        words, before, began = text.split(), self.heard, self.now
        while self.now - began < seconds - 1e-9:
            self._chunk(1.0, echo)
            known = int(max(0.0, self.now - began - 0.15) / seconds * len(words))
            if known:
                self._words(f"{before} {' '.join(words[:known])}".strip())
        self.heard = f"{before} {text}".strip()
        return self

    def quiet(self, seconds: float) -> "ScriptedTalk":
        """Input without voice. What was said before is fully recognised after 0.15 s of it."""
        began = self.now
        while self.now - began < seconds - 1e-9:
            self._chunk(0.02, False)
            if self.heard and self.now - began >= 0.15:
                self._words(self.heard)
        return self

    def no_input(self, seconds: float) -> "ScriptedTalk":
        """Time passes and nothing arrives."""
        until = self.now + seconds
        while self.now < until:
            self.now += 0.05
            self._note(self.floor.tick(self.now))
        return self

    def answer(self, text: str = "", interruptible: bool = True, after_s: float = 0.0) -> "ScriptedTalk":
        """The character begins to speak and is heard at once."""
        self.floor.answer_started(self.now, interruptible)
        if after_s:
            self.quiet(after_s)
        self.floor.answer_audible(self.now)
        self.floor.said(text)
        return self

    def answer_ends(self) -> "ScriptedTalk":
        self.floor.answer_finished(self.now)
        return self

    def commit(self) -> "ScriptedTalk":
        self._note(self.floor.commit(self.now))
        return self

    def _chunk(self, probability: float, echo: bool) -> None:
        self.now += CHUNK_S
        start = self.position_s
        self.position_s += CHUNK_S
        self._note(self.floor.hear(self.now, VoiceChunk(start, self.position_s, probability, echo)))
        self._note(self.floor.tick(self.now))

    def _words(self, text: str) -> None:
        self._note(self.floor.words(self.now, text))

    def _note(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            self.log.append((self.now, decision))
            if isinstance(decision, ReadVoice):
                text, self.heard = self.heard, ""
                self._note(self.floor.reading(self.now, text))
            elif isinstance(decision, TurnEnded):
                self.heard = ""

    # --- what was decided ---

    def all(self, kind: type[DecisionT]) -> list[DecisionT]:
        return [decision for _, decision in self.log if isinstance(decision, kind)]

    def when(self, kind: type) -> list[float]:
        return [at for at, decision in self.log if isinstance(decision, kind)]

    @property
    def overlaps(self) -> list[str]:
        return [decision.decision for decision in self.all(Overlapped)]

    @property
    def turns(self) -> str:
        """The turns so far as letters: Started, Continued, Ended."""
        letters = {TurnStarted: "S", TurnContinued: "C", TurnEnded: "E"}
        return "".join(letters[type(decision)] for _, decision in self.log if type(decision) in letters)

    @property
    def silences(self) -> list[tuple[str, int]]:
        return [(decision.kind, decision.count) for decision in self.all(SilenceElapsed)]
