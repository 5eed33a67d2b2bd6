"""The activities of a cast file, one model per kind."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from characters.cast_file.kinds import (
    Cues,
    Line,
    OptionalVariants,
    RecapVariants,
    Slug,
    Strict,
    Text,
    Variants,
    as_list,
    first_repeated,
)
from characters.cast_file.problems import mistake
from characters.cast_file.score import ScoreError, parse_phrase
from characters.cast_file.script import Replies
from inference.protocol import Song

NEXT, END = "next", "end"


class _Activity(Strict):
    slug: Slug
    title: Text
    cues: Cues
    intro: OptionalVariants = ()


class StoryActivity(_Activity):
    """Told paragraph by paragraph."""

    kind: Literal["story"]
    paragraphs: Annotated[tuple[Line, ...], Field(min_length=1, max_length=200)]
    resume: OptionalVariants = ()
    outro: OptionalVariants = ()


class SongActivity(_Activity):
    """A score, sung phrase by phrase."""

    kind: Literal["song"]
    tempo_bpm: float = Field(ge=30, le=240)
    transpose: int = Field(default=0, ge=-24, le=24)
    phrases: Annotated[tuple[str, ...], Field(min_length=1, max_length=200)]
    resume: OptionalVariants = ()
    outro: OptionalVariants = ()
    credit: str = Field(min_length=1, max_length=400)

    @model_validator(mode="after")
    def _can_be_sung(self) -> "SongActivity":
        for number, phrase in enumerate(self.phrases):
            try:
                parse_phrase(phrase, self.tempo_bpm, self.transpose)
            except ScoreError as error:
                raise mistake(f"phrases[{number}]: {error}", error.remedy) from None
        return self

    def score(self) -> tuple[Song, ...]:
        """Its phrases as notes."""
        return tuple(parse_phrase(phrase, self.tempo_bpm, self.transpose) for phrase in self.phrases)


class Mistake(Strict):
    """An answer heard often instead of the right one, and the correction that says why."""

    heard: Cues
    say: Variants


class LessonStep(Strict):
    prompt: Line
    expect: Cues
    praise: OptionalVariants = ()
    mistakes: tuple[Mistake, ...] = ()
    hint: Line | None = None
    answer: Line
    """Said after the second miss."""


class LessonActivity(_Activity):
    """Prompts with expected answers."""

    kind: Literal["lesson"]
    level: Literal["beginner", "intermediate", "advanced"]
    steps: Annotated[tuple[LessonStep, ...], Field(min_length=1, max_length=100)]
    recap: RecapVariants = ()
    outro: OptionalVariants = ()


class SceneAnswer(Strict):
    cues: Cues
    goto: str = Field(min_length=1)


class Beat(Strict):
    """One moment of a scene."""

    name: str = Field(default="", pattern=r"^[a-z0-9_-]*$")
    say: Variants
    wait: bool | None = None
    """Wait for the listener; by default so if it has answers."""

    answers: tuple[SceneAnswer, ...] = ()
    otherwise: str = NEXT
    """Where any other answer, silence, or a beat that does not wait leads."""

    @property
    def waits(self) -> bool:
        return bool(self.answers) if self.wait is None else self.wait

    @model_validator(mode="after")
    def _answers_need_waiting(self) -> "Beat":
        if self.answers and not self.waits:
            raise mistake("A beat with answers has `wait: false`.", "Say `wait: true`, or take the answers out.")
        if self.name in (NEXT, END):
            raise mistake(f"A beat cannot be called {self.name!r}.", "That word has a meaning of its own; rename it.")
        return self


class SceneActivity(_Activity):
    """Beats that wait for the listener or go on by themselves."""

    kind: Literal["scene"]
    beats: Annotated[tuple[Beat, ...], Field(min_length=1, max_length=200)]
    outro: OptionalVariants = ()

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "SceneActivity":
        names = [beat.name for beat in self.beats if beat.name]
        if repeated := first_repeated(names):
            raise mistake(f"Two beats are called {repeated!r}.", "Names of beats are used once.")
        for number, beat in enumerate(self.beats):
            for goto in [beat.otherwise, *(answer.goto for answer in beat.answers)]:
                if goto not in (NEXT, END, *names):
                    known = ", ".join([*names, NEXT, END])
                    raise mistake(f"beats[{number}] leads to {goto!r}, which is no beat.", f"Beats here: {known}.")
            self._check_comes_to_rest(number)
        return self

    def index_after(self, index: int, goto: str) -> int | None:
        """The beat that `goto` means when said in beat `index`; None is the end."""
        if goto == END:
            return None
        if goto == NEXT:
            return index + 1 if index + 1 < len(self.beats) else None
        return next(number for number, beat in enumerate(self.beats) if beat.name == goto)

    def _check_comes_to_rest(self, start: int) -> None:
        visited: set[int] = set()
        index: int | None = start
        while index is not None and not self.beats[index].waits:
            if index in visited:
                raise mistake(f"beats[{start}] goes round in a circle without waiting.", "Let one of its beats wait.")
            visited.add(index)
            index = self.index_after(index, self._known(self.beats[index].otherwise))

    def _known(self, goto: str) -> str:
        return goto if goto in (NEXT, END) or any(beat.name == goto for beat in self.beats) else END


class ChatQuestion(Strict):
    ask: Annotated[tuple[Line, ...], BeforeValidator(as_list), Field(min_length=1, max_length=100)]
    replies: Replies = ()
    otherwise: OptionalVariants = ()


class ChatActivity(_Activity):
    """A guided talk: questions that build on each other."""

    kind: Literal["chat"]
    questions: Annotated[tuple[ChatQuestion, ...], Field(min_length=1, max_length=100)]
    outro: OptionalVariants = ()


Activity = Annotated[
    StoryActivity | SongActivity | LessonActivity | SceneActivity | ChatActivity, Field(discriminator="kind")
]
KINDS = ("story", "song", "lesson", "scene", "chat")
