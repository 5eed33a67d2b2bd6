"""The activities of one session: the one that runs, those set aside, and which of them the listener has had."""

from collections.abc import Iterator
from typing import Any, Literal

from characters.cast_file import Activity
from characters.cast_file.script import ANY
from characters.mind.activities import Run, run_of
from characters.mind.base import ActivityChanged, Thought
from characters.mind.built_in import Phrases
from characters.mind.repertoire import Repertoire
from characters.mind.telling import Telling

MOST_SET_ASIDE = 8
_State = Literal["started", "paused", "resumed", "finished"]


class Programme:
    """At most one activity runs. Starting another sets it aside, from where it can be taken up again."""

    def __init__(self, repertoire: Repertoire, phrases: Phrases) -> None:
        self._repertoire = repertoire
        self._phrases = phrases
        self.current: Run | None = None
        self.set_aside: list[Run] = []
        self.used: list[str] = []
        self._announced_pause = False
        self._just_finished: Run | None = None

    @property
    def latest(self) -> Run | None:
        """What "go on" means."""
        return self.current or (self.set_aside[-1] if self.set_aside else None)

    def unused(self, kind: str = "") -> Activity | None:
        """An activity the listener has not had yet, in the author's order; else the one had longest ago."""
        fitting = [each for each in self._repertoire.cast.activities if kind in ("", each.kind)]
        fresh = [each for each in fitting if each.slug not in self.used]
        if fresh:
            return fresh[0]
        return min(fitting, key=lambda each: self.used.index(each.slug), default=None)

    def find(self, wanted: str) -> Activity | None:
        """The activity a `start` names: a slug, `any`, or `any KIND`."""
        first, _, kind = wanted.partition(" ")
        return self.unused(kind) if first == ANY else self._repertoire.activity(wanted)

    def start(self, activity: Activity, telling: Telling) -> Iterator[Thought]:
        """Begin it, or take it up where it was left."""
        left = next((run for run in self.set_aside if run.slug == activity.slug), None)
        if self.current and self.current.slug == activity.slug and not self.current.finished:
            yield from self.resume(telling)
            return
        yield from self.lay_aside()
        if left is not None:
            self.set_aside.remove(left)
            self.current = left
            yield from self._go("resumed", left.resume(telling))
            return
        run = run_of(activity, self._phrases)
        self.current = run
        self.used = [slug for slug in self.used if slug != activity.slug] + [activity.slug]
        yield from self._go("started", run.begin(telling))

    def start_over(self, telling: Telling) -> Iterator[Thought]:
        """The latest one from its beginning. Needs one."""
        run = self._take_latest()
        yield from self._go("started", run.begin(telling))

    def resume(self, telling: Telling) -> Iterator[Thought]:
        """The latest one from where it stands. Needs one."""
        run = self._take_latest()
        yield from self._go("resumed", run.resume(telling))

    def carry_on(self, thoughts: Iterator[Thought]) -> Iterator[Thought]:
        """What the current one says, ending it when it is over."""
        yield from thoughts
        run = self.current
        if run is not None and run.finished:
            self._just_finished, self.current = run, None
            yield self._changed(run, "finished")

    def pause(self) -> Iterator[Thought]:
        """The talk is of something else for now; the current one stays current."""
        if self.current is not None and not self._announced_pause:
            self._announced_pause = True
            yield self._changed(self.current, "paused")

    def lay_aside(self) -> Iterator[Thought]:
        """No activity runs any more; this one can be taken up again."""
        if self.current is None:
            return
        yield from self.pause()
        self.set_aside = [*self.set_aside, self.current][-MOST_SET_ASIDE:]
        self.current = None
        self._announced_pause = False

    def heard(self, marks: list[tuple[int, int, int]], heard_chars: int, interrupted: bool) -> None:
        """What the listener heard of the last speech. An activity cut short is not finished, whatever was produced."""
        run = self.current or self._just_finished
        if run is not None and marks:
            run.heard(marks, heard_chars, interrupted)
            if not run.finished and self.current is None:
                self.current, self._announced_pause = run, False
        self._just_finished = None

    def snapshot(self) -> dict[str, Any]:
        runs = [*self.set_aside, *([self.current] if self.current else [])]
        return {
            "runs": [_state_of(run) for run in runs],
            "current": self.current is not None,
            "used": list(self.used),
            "announced_pause": self._announced_pause,
            "just_finished": _state_of(self._just_finished) if self._just_finished else None,
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Runs whose activity no longer exists are left out."""
        runs: list[Run] = []
        current_exists = False
        for at, entry in enumerate(data["runs"]):
            run = self._restored(entry)
            if run is None:
                continue
            runs.append(run)
            current_exists = data["current"] and at == len(data["runs"]) - 1
        self.current = runs.pop() if current_exists else None
        self.set_aside = runs
        self.used = list(data["used"])
        self._announced_pause = bool(data["announced_pause"])
        self._just_finished = self._restored(data["just_finished"])

    def _restored(self, entry: dict[str, Any] | None) -> Run | None:
        activity = self._repertoire.activity(entry["slug"]) if entry is not None else None
        if entry is None or activity is None:
            return None
        run = run_of(activity, self._phrases)
        run.restore(entry)
        return run

    def _take_latest(self) -> Run:
        run = self.latest
        assert run is not None, "callers check `latest`"
        if self.current is None:
            self.set_aside.remove(run)
            self.current = run
        return run

    def _go(self, state: _State, thoughts: Iterator[Thought]) -> Iterator[Thought]:
        assert self.current is not None
        self._announced_pause = False
        yield self._changed(self.current, state)
        yield from self.carry_on(thoughts)

    def _changed(self, run: Run, state: _State) -> ActivityChanged:
        return ActivityChanged(run.slug, run.title.in_language(self._phrases.language), state)


def _state_of(run: Run) -> dict[str, Any]:
    return {"slug": run.slug, **run.snapshot()}
