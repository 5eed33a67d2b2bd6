"""A scene: beats that wait for the listener or go on by themselves."""

from collections.abc import Iterator

from characters.cast_file import SceneActivity
from characters.mind.activities.base import Marks, Run, last_mark
from characters.mind.base import Thought
from characters.mind.built_in import Phrases
from characters.mind.matching import CueMatcher, Hearing
from characters.mind.telling import Telling

LEAST_FIT = 0.55
"""Lower than for cues at large: a beat has few answers, and one of them is likely."""


class SceneRun(Run):
    FIELDS = ("beat",)

    def __init__(self, scene: SceneActivity, phrases: Phrases) -> None:
        super().__init__(scene, phrases)
        self._scene = scene
        self.beat = 0

    @property
    def waits(self) -> bool:
        return not self.finished

    def begin(self, telling: Telling) -> Iterator[Thought]:
        self.finished = self.cut = False
        yield from telling.say_one(f"{self.slug}.intro", self._scene.intro)
        yield from self._play(0, telling)

    def resume(self, telling: Telling) -> Iterator[Thought]:
        yield from self._play(self.beat, telling)

    def again(self, telling: Telling) -> Iterator[Thought]:
        yield from self._play(self.beat, telling)

    def skip(self, telling: Telling) -> Iterator[Thought]:
        yield from self._lead("", telling)

    def at_a_loss(self, telling: Telling) -> Iterator[Thought]:
        yield from self._lead("", telling)

    def fit(self, hearing: Hearing) -> float:
        found = None if self.finished else self._answers().best(hearing, LEAST_FIT)
        return found.score if found else 0.0

    def turn(self, hearing: Hearing, telling: Telling) -> Iterator[Thought]:
        found = self._answers().best(hearing, LEAST_FIT)
        yield from self._lead(found.key if found else "", telling)

    def silence(self, count: int, telling: Telling) -> Iterator[Thought] | None:
        return None if self.finished else self._lead("", telling)

    def heard(self, marks: Marks, heard_chars: int, interrupted: bool) -> None:
        stopped_at = last_mark(marks, heard_chars)
        if interrupted and stopped_at is not None:
            self.beat = stopped_at[0]
            self.finished = False
            self.cut = True

    def _answers(self) -> CueMatcher[str]:
        beat = self._scene.beats[min(self.beat, len(self._scene.beats) - 1)]
        return CueMatcher((answer.goto, cue) for answer in beat.answers for cue in answer.cues)

    def _lead(self, goto: str, telling: Telling) -> Iterator[Thought]:
        self.beat = min(self.beat, len(self._scene.beats) - 1)
        after = self._scene.index_after(self.beat, goto or self._scene.beats[self.beat].otherwise)
        if after is None:
            yield from self._end(telling)
        else:
            yield from self._play(after, telling)

    def _play(self, index: int, telling: Telling) -> Iterator[Thought]:
        self.cut = False
        # A cast file's scenes come to rest (checked on reading), so this ends.
        while True:
            self.beat = min(index, len(self._scene.beats) - 1)
            beat = self._scene.beats[self.beat]
            telling.mark(self.beat)
            yield from telling.say_one(f"{self.slug}.{self.beat}", beat.say)
            if beat.waits:
                return
            after = self._scene.index_after(self.beat, beat.otherwise)
            if after is None:
                yield from self._end(telling)
                return
            index = after

    def _end(self, telling: Telling) -> Iterator[Thought]:
        self.finished = True
        yield from telling.say_one(f"{self.slug}.outro", self._scene.outro)
