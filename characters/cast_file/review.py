"""What a cast file amounts to, and what its author may want to look at again."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from characters.cast_file.activities import (
    Activity,
    ChatActivity,
    LessonActivity,
    SceneActivity,
    SongActivity,
    StoryActivity,
)
from characters.cast_file.marks import PauseMark, StyleMark, VoiceMark, parse_line, plain_text
from characters.cast_file.model import CastFile
from characters.cast_file.script import ANY

WORDS_PER_MINUTE = 150.0
CHINESE_CHARS_PER_MINUTE = 240.0
LONGEST_SENTENCE_WORDS = 32
SLOTS = frozenset({"name", "right", "total"})
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Review:
    """Counts, minutes of speech, and warnings (things that load but may be slips)."""

    replies: int
    cues: int
    lines: int
    activities: tuple[tuple[str, str, float], ...]
    """Kind, slug and minutes of each."""

    minutes: float
    """All that can be said, each variant once, at 150 words a minute."""

    voices: frozenset[str]
    styles: frozenset[str]
    """Slugs used anywhere; they must exist in voices/library.yaml."""

    warnings: tuple[str, ...]


def review(cast: CastFile) -> Review:
    """Counts and warnings of a checked cast file."""
    lines = list(spoken_lines(cast))
    activities = tuple((item.kind, item.slug, activity_minutes(item)) for item in cast.activities)
    songs_minutes = sum(_sung_minutes(item) for item in cast.activities if isinstance(item, SongActivity))
    voices, styles = _delivery(cast, lines)
    return Review(
        replies=sum(1 for _ in cast.replies()),
        cues=sum(len(cues) for _, cues in _cue_lists(cast)),
        lines=len(lines),
        activities=activities,
        minutes=sum(line_minutes(line) for _, line in lines) + songs_minutes,
        voices=voices,
        styles=styles,
        warnings=tuple(_warnings(cast, lines)),
    )


def line_minutes(line: str) -> float:
    """How long a line lasts, pauses included."""
    text = plain_text(line)
    chinese = len(_CHINESE.findall(text))
    words = len(_WORD.findall(_CHINESE.sub(" ", text)))
    pauses_s = sum(piece.seconds for piece in parse_line(line, SLOTS) if isinstance(piece, PauseMark))
    return words / WORDS_PER_MINUTE + chinese / CHINESE_CHARS_PER_MINUTE + pauses_s / 60


def activity_minutes(activity: Activity) -> float:
    """How long everything in an activity lasts."""
    spoken = sum(line_minutes(line) for _, line in _activity_lines("", activity))
    return spoken + (_sung_minutes(activity) if isinstance(activity, SongActivity) else 0.0)


def spoken_lines(cast: CastFile) -> Iterator[tuple[str, str]]:
    """Everything the character may say, with its place. Song lyrics are not among it."""
    yield "sample", cast.sample
    script = cast.script
    for name in ("greeting", "returning", "silence", "farewell", "fallback", "unheard"):
        yield from _each(f"script.{name}", getattr(script, name))
    for place, reply in cast.replies():
        yield from _each(f"{place}.say", reply.say)
        yield from _each(f"{place}.ask", reply.ask)
    for number, role in enumerate(cast.roles):
        for name in ("enter", "fallback", "silence"):
            yield from _each(f"roles[{number}].{name}", getattr(role, name))
    for number, activity in enumerate(cast.activities):
        yield from _activity_lines(f"activities[{number}]", activity)


def _each(place: str, lines: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines):
        yield f"{place}[{number}]", line


def _activity_lines(place: str, activity: Activity) -> Iterator[tuple[str, str]]:
    """Lines of an activity; replies inside a chat are counted with the replies."""
    yield from _each(f"{place}.intro", activity.intro)
    match activity:
        case StoryActivity():
            yield from _each(f"{place}.paragraphs", activity.paragraphs)
            yield from _each(f"{place}.resume", activity.resume)
        case SongActivity():
            yield from _each(f"{place}.resume", activity.resume)
        case LessonActivity():
            yield from _lesson_lines(place, activity)
        case SceneActivity():
            for number, beat in enumerate(activity.beats):
                yield from _each(f"{place}.beats[{number}].say", beat.say)
        case ChatActivity():
            for number, question in enumerate(activity.questions):
                yield from _each(f"{place}.questions[{number}].ask", question.ask)
                yield from _each(f"{place}.questions[{number}].otherwise", question.otherwise)
    yield from _each(f"{place}.outro", activity.outro)


def _lesson_lines(place: str, lesson: LessonActivity) -> Iterator[tuple[str, str]]:
    for number, step in enumerate(lesson.steps):
        here = f"{place}.steps[{number}]"
        yield f"{here}.prompt", step.prompt
        yield f"{here}.answer", step.answer
        if step.hint:
            yield f"{here}.hint", step.hint
        yield from _each(f"{here}.praise", step.praise)
        for at, slip in enumerate(step.mistakes):
            yield from _each(f"{here}.mistakes[{at}].say", slip.say)
    yield from _each(f"{place}.recap", lesson.recap)


def _sung_minutes(song: SongActivity) -> float:
    return sum(note.seconds for phrase in song.score() for note in phrase.notes) / 60


def _cue_lists(cast: CastFile) -> Iterator[tuple[str, tuple[str, ...]]]:
    for place, reply in cast.replies():
        yield place, reply.cues
    for number, role in enumerate(cast.roles):
        yield f"roles[{number}]", role.cues
    for number, activity in enumerate(cast.activities):
        here = f"activities[{number}]"
        yield here, activity.cues
        if isinstance(activity, LessonActivity):
            for at, step in enumerate(activity.steps):
                yield f"{here}.steps[{at}]", step.expect
        if isinstance(activity, SceneActivity):
            for at, beat in enumerate(activity.beats):
                for index, answer in enumerate(beat.answers):
                    yield f"{here}.beats[{at}].answers[{index}]", answer.cues


def _delivery(cast: CastFile, lines: list[tuple[str, str]]) -> tuple[frozenset[str], frozenset[str]]:
    voices = {cast.voice, *(role.voice for role in cast.roles)}
    styles = {cast.style, *cast.styles, *(role.style for role in cast.roles if role.style)}
    for _, line in lines:
        for piece in parse_line(line, SLOTS):
            if isinstance(piece, StyleMark) and piece.slug:
                styles.add(piece.slug)
            if isinstance(piece, VoiceMark) and piece.slug:
                voices.add(piece.slug)
    return frozenset(voices), frozenset(styles)


def _warnings(cast: CastFile, lines: list[tuple[str, str]]) -> Iterator[str]:
    yield from _shared_cues(cast)
    yield from _starts(cast)
    yield from _scenes(cast)
    for place, line in lines:
        yield from (f"{place}: {what}" for what in _hard_to_say(line))


def _shared_cues(cast: CastFile) -> Iterator[str]:
    """Cues that compete at the same moment: the character's replies, its roles' and activities' own cues."""
    places: dict[str, list[str]] = defaultdict(list)
    always = [(f"script.replies[{at}]", reply.cues) for at, reply in enumerate(cast.script.replies)]
    always += [(f"roles[{at}]", role.cues) for at, role in enumerate(cast.roles)]
    always += [(f"activities[{at}]", activity.cues) for at, activity in enumerate(cast.activities)]
    for place, cues in always:
        for cue in cues:
            places[cue].append(place)
    for cue, where in places.items():
        if len(where) > 1:
            yield f"the cue {cue!r} stands in {' and '.join(where)}: the first of them always wins."


def _starts(cast: CastFile) -> Iterator[str]:
    kinds = sorted({activity.kind for activity in cast.activities})
    for place, reply in cast.replies():
        if reply.start == ANY and len(kinds) > 1:
            every = " or a ".join(kinds)
            yield f"{place}: `start: any` may begin a {every}; write `start: any {kinds[-1]}` for one kind."


def _scenes(cast: CastFile) -> Iterator[str]:
    for number, activity in enumerate(cast.activities):
        if not isinstance(activity, SceneActivity):
            continue
        reached = {goto for beat in activity.beats for goto in [beat.otherwise, *(each.goto for each in beat.answers)]}
        for at, beat in enumerate(activity.beats):
            follows = at > 0 and activity.beats[at - 1].otherwise == "next"
            if beat.name and beat.name not in reached and not follows and at > 0:
                yield f"activities[{number}].beats[{at}]: nothing leads to {beat.name!r}."


def _hard_to_say(line: str) -> Iterator[str]:
    text = plain_text(line)
    if re.search(r"[*_#`<>|()]", text):
        yield "holds a sign that cannot be heard (one of * _ # ` < > | parentheses)."
    if re.match(r"[a-z]", text) and not re.match(r"[a-z]+'", text):
        yield "begins in lower case; in a list like [one, two] a comma splits a line, so put it in quotes."
    if re.search(r"\d", text):
        yield "holds a figure; write numbers as one says them."
    if re.search(r"https?:|www\.|@", text):
        yield "holds an address that cannot be heard."
    for sentence in re.split(r"[.!?;:\u2026\u3002\uff01\uff1f\uff1b]+", text):
        words = len(sentence.split())
        if words > LONGEST_SENTENCE_WORDS:
            yield f"has a sentence of {words} words; the ear likes fewer than {LONGEST_SENTENCE_WORDS}."
            return
