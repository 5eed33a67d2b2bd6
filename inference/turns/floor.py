"""Who has the floor: the turn-taking rules of one conversation, on a clock that is passed in.

The lane tells the floor what happens (`hear`, `words`, `answer_*`, ...) and carries out the decisions it returns.
Three situations differ: the character *listens*; it *thinks*, from the end of the user's turn to the first audio of the
answer; it *speaks*, until the answer was played. A voice while it listens is a turn. While it thinks, a voice
that comes soon enough goes on with the turn before. While it speaks, a voice is ducked first and then judged:
real words or enough voice cancel the answer, anything else brings it back.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from inference.protocol import TurnTaking
from inference.turns.completeness import Completeness, rules_for
from inference.turns.decisions import (
    Decision,
    Interrupt,
    Overlapped,
    ReadVoice,
    TurnContinued,
    TurnEnded,
    TurnStarted,
)
from inference.turns.overlap import Evidence, OverlapRules
from inference.turns.silence import SilenceClock
from inference.turns.voice_run import VoiceChunk, VoiceRun

VOICE_BEGINS = 0.5
VOICE_GOES_ON = 0.35
"""Hysteresis of the detector's probability."""

CHUNK_GRAIN_S = 0.016
"""Half a chunk: patience is kept to the nearest chunk, not to the next."""

ATTEND_S = 0.06
"""Voice that is worth a recogniser: two chunks."""

ONSET_S = 0.2
"""Voice that is a turn while the character listens, even without words."""

STARVED_S = 0.3
"""Input missing for longer counts as silence: a caller who muted sends nothing."""

SHORTEST_WORD_S = 0.12
"""A recogniser finds words in a cough: more of them than this allows for are not believed."""

LONGEST_TURN_S = 60.0
LONGEST_THOUGHT_S = 30.0
"""An answer that has not begun by then will not come: the silence clock runs again."""

MANUAL_PAUSE_S = 1.0
"""Without turn detection the recogniser rests after so much silence."""

CONTINUED_PATIENCE = 1.5
"""Who was cut off once in a turn is given so much more time in it."""

PATIENCE_GROWTH, PATIENCE_DECAY, PATIENCE_MOST = 1.15, 0.95, 1.6
"""Patience of the whole call grows with each turn that was ended too soon, and shrinks again with the others."""

ECHO_DOUBT = 0.5
"""A voice that looks like echo, or held some, needs twice the words."""

ECHO_STRETCH = 3
"""So many of the character's own words in a row are no chance."""

BACKCHANNEL_PATIENCE = 2.0
"""A voice that so far holds only sounds of listening needs so much more to count as an interruption."""


@dataclass(slots=True)
class _Answer:
    interruptible: bool
    audible_at: float | None = None


class Floor:
    """One conversation. Every method takes the clock's `now` in seconds, which never runs backwards."""

    def __init__(
        self, profile: TurnTaking, now: float, phrases: Iterable[str] = (), detects_turns: bool = True
    ) -> None:
        self._completeness = rules_for(tuple(phrases))
        self._silence = SilenceClock(profile, now)
        self._run: VoiceRun | None = None
        self._answer: _Answer | None = None
        self._thinking_since: float | None = None
        self._turn_heard_s: float | None = None
        self._silent_at = now
        self._chunk_at = now
        self._heard_s = 0.0
        self._voice = False
        self._patience_scale = 1.0
        self.set_profile(profile, detects_turns)

    def set_profile(self, profile: TurnTaking, detects_turns: bool) -> None:
        """Other manners from now on."""
        self._profile = profile
        self._detects_turns = detects_turns
        self._overlap = OverlapRules(profile)
        self._silence.set_profile(profile)

    # --- what the lane asks ---

    @property
    def attends(self) -> bool:
        """There is a voice worth recognising."""
        run = self._run
        if run is None or run.voiced_s < ATTEND_S:
            return False
        return self._detects_turns or run.heard_s - run.last_voice_s < MANUAL_PAUSE_S

    @property
    def holds_answer(self) -> bool:
        """The user is speaking: an answer that has not begun must wait."""
        run, answer = self._run, self._answer
        if run is None or answer is None or not self._detects_turns:
            return False
        if answer.audible_at is not None or not answer.interruptible:
            return False
        return run.is_turn or (run.voiced_s >= self._profile.duck_after_s and self._profile.interruptibility > 0)

    def due_at(self, now: float) -> float | None:
        """When `tick` is wanted if nothing else happens."""
        if not self._detects_turns:
            return None
        if self._run is not None:
            return max(now, self._chunk_at + STARVED_S) + 0.05
        if self._answer is None and self._thinking_since is not None:
            return self._thinking_since + LONGEST_THOUGHT_S
        return self._silence.due_at()

    # --- the user ---

    def hear(self, now: float, chunk: VoiceChunk) -> list[Decision]:
        """A chunk of input."""
        self._voice = chunk.probability >= (VOICE_GOES_ON if self._voice else VOICE_BEGINS)
        self._chunk_at = now
        self._heard_s = chunk.end_s
        if self._voice:
            if self._run is None:
                self._run = VoiceRun.begin(now, chunk)
            self._run.add(now, chunk)
            self._note_overlap(now, self._run, chunk)
        if self._run is not None:
            self._run.heard_s = chunk.end_s
        return self._decide(now)

    def words(self, now: float, text: str) -> list[Decision]:
        """The reading of the voice in progress, whole each time."""
        if self._run is None:
            return []
        self._run.read(text)
        return self._decide(now)

    def reading(self, now: float, text: str) -> list[Decision]:
        """The final reading `ReadVoice` asked for: the voice is a turn after all, or it is forgotten."""
        run, self._run = self._run, None
        if run is None:
            return []
        run.read_finally(text)
        evidence = self._overlap.weigh(text)
        if self._is_turn_after_all(run, evidence):
            self._run = run
            return [*self._accept(now, run, text), *self._end_turn(now, run)]
        return self._let_go(run, evidence)

    def user_active(self, now: float) -> None:
        """The user typed or pressed something."""
        self._silence.restart(now)

    def commit(self, now: float) -> list[Decision]:
        """The user's turn ends here by command, with whatever was heard of it."""
        run = self._run
        if run is None:
            run = VoiceRun(self._heard_s, now, self._heard_s, now, self._heard_s, is_turn=True)
            return self._end_turn(now, run)
        accepted = [] if run.is_turn or not self._detects_turns else self._accept(now, run, run.text)
        return [*accepted, *self._end_turn(now, run)]

    def clear(self, now: float) -> list[Decision]:
        """The voice in progress is forgotten."""
        run, self._run = self._run, None
        self._silence.restart(now)
        return [Overlapped("resume")] if run is not None and run.ducked else []

    # --- the character ---

    def answer_started(self, now: float, interruptible: bool = True) -> None:
        """A response was opened; nothing of it is audible yet."""
        self._answer = _Answer(interruptible)
        self._thinking_since = None
        self._overlap.silent()
        if self._run is not None:
            self._run.ducked = False

    def answer_audible(self, now: float) -> None:
        """Its first audio leaves."""
        if self._answer is not None and self._answer.audible_at is None:
            self._answer.audible_at = now
            self._turn_heard_s = None

    def said(self, text: str) -> None:
        """Words of the answer whose audio leaves now."""
        self._overlap.said(text)

    def answer_finished(self, now: float) -> None:
        """It was played to its end, or cancelled."""
        if self._answer is None:
            return
        self._answer = None
        self._silent_at = now
        self._silence.hold(now)
        if self._run is not None:
            self._run.ducked = False

    # --- the clock ---

    def tick(self, now: float) -> list[Decision]:
        """What time alone decides."""
        if not self._detects_turns:
            return []
        if self._run is not None:
            if self._run.is_turn or self._run.voiced_s >= ONSET_S:
                self._silence.hold(now)
            return self._decide(now)
        if self._thinking_since is not None and now - self._thinking_since >= LONGEST_THOUGHT_S:
            self._thinking_since = None
        if self._answer is not None or self._thinking_since is not None:
            self._silence.hold(now)
            return []
        elapsed = self._silence.elapsed(now)
        if elapsed is None:
            return []
        self._thinking_since = now
        return [elapsed]

    # --- rules ---

    @property
    def _speaks(self) -> bool:
        return self._answer is not None and self._answer.audible_at is not None

    @property
    def _thinks(self) -> bool:
        return not self._speaks and (self._answer is not None or self._thinking_since is not None)

    def _note_overlap(self, now: float, run: VoiceRun, chunk: VoiceChunk) -> None:
        answer = self._answer
        if answer is None or answer.audible_at is None or run.is_turn:
            return
        run.overlapped = True
        if not chunk.echo and now - answer.audible_at >= self._profile.guard_start_s:
            run.overlap_s += chunk.end_s - chunk.start_s

    def _quiet_s(self, now: float, run: VoiceRun) -> float:
        # In seconds of input, so that a late or a hurried packet changes nothing; by the clock when input stops.
        return run.heard_s - run.last_voice_s + max(0.0, now - self._chunk_at - STARVED_S)

    def _decide(self, now: float) -> list[Decision]:
        run = self._run
        if run is None or not self._detects_turns:
            return []
        if run.is_turn:
            return self._decide_turn(now, run)
        decisions = self._decide_overlap(now, run) if self._speaks else self._decide_onset(now, run)
        if not run.is_turn and self._quiet_s(now, run) >= self._profile.resume_after_s:
            decisions = [*decisions, *self._fade(run)]
        return decisions

    def _decide_turn(self, now: float, run: VoiceRun) -> list[Decision]:
        quiet_s = self._quiet_s(now, run) + CHUNK_GRAIN_S
        too_long = run.heard_s - run.start_s >= LONGEST_TURN_S
        if too_long or quiet_s >= self._patience_s(run):
            return self._end_turn(now, run)
        return []

    def _patience_s(self, run: VoiceRun) -> float:
        profile = self._profile
        scale = self._patience_scale * (CONTINUED_PATIENCE if run.continues else 1.0)
        match self._completeness.judge(run.text):
            case Completeness.FINISHED:
                return profile.finished_patience_s * scale
            case Completeness.UNFINISHED:
                return max(profile.unfinished_patience_s, profile.patience_s * scale)
            case _:
                return profile.patience_s * scale

    def _decide_onset(self, now: float, run: VoiceRun) -> list[Decision]:
        evidence = self._overlap.weigh(run.text)
        if run.overlapped or (self._thinks and not self._resumes(run)):
            convincing = self._interrupts(run, evidence, run.voiced_s, words=1)
        else:
            own_voice = run.voiced_s - run.echo_s >= ONSET_S
            convincing = own_voice or (run.voiced_s >= ONSET_S and evidence.real_words > 0)
        return self._accept(now, run, run.text) if convincing else []

    def _decide_overlap(self, now: float, run: VoiceRun) -> list[Decision]:
        evidence = self._overlap.weigh(run.text)
        if self._interrupts(run, evidence, run.overlap_s, self._profile.min_interruption_words):
            return self._accept(now, run, run.text)
        if evidence.echo and not run.is_echo:
            run.is_echo = True
            run.ducked = False
            return [Overlapped("echo", run.text)]
        if self._should_duck(run, evidence):
            run.ducked = True
            return [Overlapped("duck", run.text)]
        return []

    def _should_duck(self, run: VoiceRun, evidence: Evidence) -> bool:
        if run.ducked or run.is_echo or evidence.echo or run.mostly_echo or not self._may_interrupt:
            return False
        return self._profile.interruptibility > 0 and run.overlap_s >= self._profile.duck_after_s

    @property
    def _may_interrupt(self) -> bool:
        return self._answer is None or self._answer.interruptible

    def _interrupts(self, run: VoiceRun, evidence: Evidence, voiced_s: float, words: int) -> bool:
        """Whether a voice that the character need not yield to is a real interruption."""
        profile = self._profile
        if not self._may_interrupt:
            return False
        if evidence.stop and run.voiced_s >= SHORTEST_WORD_S:
            return True
        if profile.interruptibility == 0 or evidence.echo:
            return False
        # Who starts together with the character looks like its echo by level alone: clear words are still believed.
        doubtful = run.is_echo or run.mostly_echo
        share = profile.interruptibility * (ECHO_DOUBT if doubtful else 1.0)
        real_words = self._believed_words(run, evidence)
        if real_words and real_words * share >= words:
            return True
        if doubtful:
            return False
        needed_s = profile.min_interruption_s * (BACKCHANNEL_PATIENCE if evidence.backchannel else 1.0)
        return voiced_s * share >= needed_s

    def _believed_words(self, run: VoiceRun, evidence: Evidence) -> int:
        if not evidence.real_words:
            return 0
        steady = self._overlap.weigh(run.steady_text)
        if steady.echoed_words >= ECHO_STRETCH and (run.mostly_echo or steady.real_words <= steady.echoed_words):
            # A stretch of the character's own words: the others around it are misheard echo.
            return 0
        return min(steady.real_words, int(run.voiced_s / SHORTEST_WORD_S))

    def _resumes(self, run: VoiceRun) -> bool:
        """Whether the voice came soon enough after a turn to go on with it."""
        if self._turn_heard_s is None or not self._thinks or not self._may_interrupt:
            return False
        return run.start_s - self._turn_heard_s <= self._profile.thinking_patience_s

    def _accept(self, now: float, run: VoiceRun, text: str) -> list[Decision]:
        """The voice is the user's turn."""
        continues, answering = self._resumes(run), self._answer is not None
        interrupts = answering and not continues
        decisions: list[Decision] = []
        if self._speaks:
            decisions.append(Overlapped("cancel", text))
        if answering:
            decisions.append(Interrupt())
        if continues:
            decisions.append(TurnContinued(run.start_s))
            self._patience_scale = min(PATIENCE_MOST, self._patience_scale * PATIENCE_GROWTH)
        else:
            decisions.append(TurnStarted(run.start_s, interrupts, self._holds_echo(run)))
            self._patience_scale = max(1.0, self._patience_scale * PATIENCE_DECAY)
        run.is_turn, run.continues, run.ducked = True, continues, False
        self._answer = None
        self._thinking_since = self._turn_heard_s = None
        self._silence.restart(now)
        return decisions

    def _holds_echo(self, run: VoiceRun) -> bool:
        return run.overlapped and (run.is_echo or self._overlap.weigh(run.text).echoed_words >= ECHO_STRETCH)

    def _end_turn(self, now: float, run: VoiceRun) -> list[Decision]:
        self._run = None
        self._turn_heard_s = self._heard_s
        self._silence.restart(now)
        decisions: list[Decision] = []
        if self._answer is not None and self._detects_turns:
            # It was opened while the user spoke, for something said before: the turn supersedes it.
            self._answer = None
            decisions.append(Interrupt())
        self._thinking_since = now
        return [*decisions, TurnEnded(run.start_s, run.last_voice_s, run.last_voice_at)]

    def _fade(self, run: VoiceRun) -> list[Decision]:
        """A voice that convinced nobody has ended."""
        if run.voiced_s < ATTEND_S or not self._may_interrupt:
            self._run = None
            return []
        return [ReadVoice()]

    def _is_turn_after_all(self, run: VoiceRun, evidence: Evidence) -> bool:
        words = bool(run.text.strip())
        if self._speaks:
            return self._interrupts(run, evidence, 0.0, max(1, self._profile.min_interruption_words))
        if run.overlapped:
            # Begun during speech that has ended by itself: words that outlast it are an answer given early.
            outlasts = run.last_voice_at > self._silent_at
            return not evidence.echo and words and (outlasts or evidence.real_words > 0)
        if self._thinks and not self._resumes(run):
            return self._interrupts(run, evidence, 0.0, words=1)
        return words

    def _let_go(self, run: VoiceRun, evidence: Evidence) -> list[Decision]:
        if not run.overlapped:
            return []
        if evidence.echo and not run.is_echo:
            return [Overlapped("echo", run.text)]
        if evidence.backchannel:
            return [Overlapped("backchannel", run.text)]
        return [Overlapped("resume", run.text)] if run.ducked else []
