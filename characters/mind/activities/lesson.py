"""A lesson: prompt, check, praise or help, and a recap."""

from collections.abc import Iterator

from characters.cast_file import LessonActivity
from characters.cast_file.activities import LessonStep
from characters.mind.activities.base import Marks, Run, last_mark
from characters.mind.base import Thought
from characters.mind.built_in import Phrases
from characters.mind.matching import Hearing, answer_score
from characters.mind.telling import Telling

RIGHT = 0.80
"""An answer this close to an expected one is right: docs/mind.md, "Answers in a lesson"."""

NEARLY = 0.68
"""From here on a known mistake is recognised."""

MISSES_BEFORE_THE_ANSWER = 2


class LessonRun(Run):
    FIELDS = ("step", "misses", "right", "missed", "prompt_unheard")

    def __init__(self, lesson: LessonActivity, phrases: Phrases) -> None:
        super().__init__(lesson, phrases)
        self._lesson = lesson
        self.step = 0
        self.misses = 0
        self.right = 0
        self.missed: list[int] = []
        self.prompt_unheard = False

    @property
    def waits(self) -> bool:
        return not self.finished

    def begin(self, telling: Telling) -> Iterator[Thought]:
        self.step = self.misses = self.right = 0
        self.missed = []
        self.finished = self.prompt_unheard = False
        yield from telling.say_one(f"{self.slug}.intro", self._lesson.intro)
        yield from self._prompt(telling)

    def resume(self, telling: Telling) -> Iterator[Thought]:
        yield from telling.say_one("back_to_lesson", self.phrases.lines("back_to_lesson"))
        yield from self._prompt(telling)

    def again(self, telling: Telling) -> Iterator[Thought]:
        yield from self._prompt(telling)

    def skip(self, telling: Telling) -> Iterator[Thought]:
        yield from self._give_answer(telling)

    def at_a_loss(self, telling: Telling) -> Iterator[Thought]:
        yield from self._missed(telling)

    def fit(self, hearing: Hearing) -> float:
        if self.finished:
            return 0.0
        slip, slip_score = self._slip(hearing)
        right = self._rightness(hearing)
        if right >= RIGHT:
            return right
        return slip_score if slip is not None else right

    def turn(self, hearing: Hearing, telling: Telling) -> Iterator[Thought]:
        step = self._now
        right = self._rightness(hearing)
        slip, slip_score = self._slip(hearing)
        if right >= RIGHT and right >= slip_score:
            yield from self._praise(step, telling)
        elif slip is not None:
            yield from telling.say_one(f"{self.slug}.{self.step}.slip{slip}", step.mistakes[slip].say)
            yield from self._after_slip(telling)
        elif self.prompt_unheard:
            yield from self._prompt(telling)
        else:
            yield from self._missed(telling)

    def silence(self, count: int, telling: Telling) -> Iterator[Thought] | None:
        if self.finished:
            return None
        return self._encourage(count, telling)

    def heard(self, marks: Marks, heard_chars: int, interrupted: bool) -> None:
        stopped_at = last_mark(marks, heard_chars)
        # Cut off before the next prompt began: what came instead cannot be an answer to it.
        self.prompt_unheard = interrupted and bool(marks) and marks[-1][0] > heard_chars and stopped_at is not None

    @property
    def _now(self) -> LessonStep:
        return self._lesson.steps[min(self.step, len(self._lesson.steps) - 1)]

    def _rightness(self, hearing: Hearing) -> float:
        return max(answer_score(hearing, expected) for expected in self._now.expect)

    def _slip(self, hearing: Hearing) -> tuple[int | None, float]:
        scores = [max(answer_score(hearing, cue) for cue in slip.heard) for slip in self._now.mistakes]
        best = max(scores, default=0.0)
        if best < NEARLY or best <= self._rightness(hearing):
            return None, best
        return scores.index(best), best

    def _prompt(self, telling: Telling) -> Iterator[Thought]:
        self.prompt_unheard = False
        telling.mark(self.step)
        yield from telling.say(self._now.prompt)

    def _praise(self, step: LessonStep, telling: Telling) -> Iterator[Thought]:
        self.right += 1
        lines = step.praise or self.phrases.lines("praise")
        yield from telling.say_one(f"{self.slug}.praise", lines)
        yield from self._next(telling)

    def _after_slip(self, telling: Telling) -> Iterator[Thought]:
        self.misses += 1
        if self.misses >= MISSES_BEFORE_THE_ANSWER:
            yield from self._give_answer(telling)
        else:
            yield from telling.say_one("try_again", self.phrases.lines("try_again"))

    def _missed(self, telling: Telling) -> Iterator[Thought]:
        self.misses += 1
        if self.misses >= MISSES_BEFORE_THE_ANSWER:
            yield from self._give_answer(telling)
            return
        yield from telling.say_one("not_quite", self.phrases.lines("not_quite"))
        yield from telling.say(self._now.hint or self._now.prompt)

    def _give_answer(self, telling: Telling) -> Iterator[Thought]:
        self.missed.append(self.step)
        yield from telling.say_one("the_answer", self.phrases.lines("the_answer"))
        yield from telling.say(self._now.answer)
        yield from self._next(telling)

    def _next(self, telling: Telling) -> Iterator[Thought]:
        self.step, self.misses = self.step + 1, 0
        if self.step < len(self._lesson.steps):
            yield from self._prompt(telling)
        else:
            self.finished = True
            yield from self._recap(telling)

    def _recap(self, telling: Telling) -> Iterator[Thought]:
        lines = self._lesson.recap or self.phrases.lines("recap")
        yield from telling.say_one(f"{self.slug}.recap", lines, right=self.right, total=len(self._lesson.steps))
        if self.missed:
            yield from telling.say_one("practise", self.phrases.lines("practise"))
            for number in self.missed:
                yield from telling.say(self._lesson.steps[number].answer)
        yield from telling.say_one(f"{self.slug}.outro", self._lesson.outro)

    def _encourage(self, count: int, telling: Telling) -> Iterator[Thought]:
        if count == 1:
            yield from telling.say_one("take_your_time", self.phrases.lines("take_your_time"))
            yield from self._prompt(telling)
        elif count == 2:
            yield from telling.say(self._now.hint or self._now.prompt)
        else:
            yield from telling.say_one("stop_lesson", self.phrases.lines("stop_lesson"))
