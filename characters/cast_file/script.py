"""The script of a cast file: what a character says, to what, and in which roles."""

from typing import Annotated

from pydantic import AfterValidator, Field

from characters.cast_file.kinds import Cues, OptionalVariants, Slug, Strict, Variants
from characters.cast_file.problems import mistake

ANY = "any"


class Reply(Strict):
    """What is said to one kind of cue, and what follows from it."""

    cues: Cues
    say: Variants
    start: str = Field(default="", pattern=r"^(any( [a-z]+)?|[a-z0-9][a-z0-9_-]*)?$")
    """An activity's slug, `any`, or `any story` for an unused one of a kind."""

    ask: OptionalVariants = ()
    follow: "Replies" = ()


def _each_cue_once(replies: tuple[Reply, ...]) -> tuple[Reply, ...]:
    first: dict[str, int] = {}
    for index, reply in enumerate(replies):
        for cue in reply.cues:
            if cue in first:
                raise mistake(
                    f"The cue {cue!r} stands in reply {first[cue]} and again in reply {index} (counted from 0).",
                    "One cue has one reply: take it out of one of them.",
                )
            first[cue] = index
    return replies


Replies = Annotated[tuple[Reply, ...], Field(max_length=500), AfterValidator(_each_cue_once)]


class Script(Strict):
    """What a character says outside its activities. Each list holds variants."""

    greeting: Variants
    returning: OptionalVariants = ()
    silence: Variants
    farewell: Variants
    fallback: Variants
    unheard: Variants
    replies: Replies


class Role(Strict):
    """Another face of the character, with its own voice and manner."""

    slug: Slug
    name: str = Field(min_length=1, max_length=80)
    cues: Cues
    voice: Slug
    style: Slug | None = None
    enter: Variants
    fallback: OptionalVariants = ()
    silence: OptionalVariants = ()
    replies: Replies = ()


Reply.model_rebuild()
