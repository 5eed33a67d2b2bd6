"""Everything a character understands at any moment, as matchers built once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from characters.cast_file import CastFile, Reply, Role
from characters.cast_file.activities import Activity
from characters.cast_file.script import ANY
from characters.mind.commands import CUES, IN_ACTIVITIES, Command
from characters.mind.matching import ACCEPT, CLEAR, CueMatcher, Hearing, Match
from characters.mind.style_requests import style_cues

Kind = Literal["reply", "role_reply", "role", "activity", "style", "command"]
OWN = ""
"""Root of a path into the character's own replies; a role's slug is the root of its replies."""

CERTAIN = 0.99
_CUTS_IN = frozenset({Command.STOP, Command.WAIT})

_BONUS: dict[Kind, float] = {"role_reply": 0.06, "reply": 0.05, "role": 0.04, "activity": 0.04, "style": 0.02}
"""What the author wrote is meant before what every character understands."""

_BONUS_OF_ANY = -0.1


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a cue stands for. `slug` names a role, activity, style wish or command; `path` leads to a reply."""

    kind: Kind
    slug: str = ""
    path: tuple[str | int, ...] = ()


class Repertoire:
    """The matchers of one cast file. Immutable; sessions with the same character may share it."""

    def __init__(self, cast: CastFile) -> None:
        self.cast = cast
        self._roles = {role.slug: role for role in cast.roles}
        self._activities = {activity.slug: activity for activity in cast.activities}
        self._always = CueMatcher(self._always_cues())
        self._in_role = {
            role.slug: CueMatcher(_reply_cues("role_reply", (role.slug,), role.replies)) for role in cast.roles
        }
        self._controls = CueMatcher(
            (command, cue) for command in (*IN_ACTIVITIES, Command.LOST) for cue in CUES[command]
        )
        self._answers = CueMatcher((command, cue) for command in (Command.YES, Command.NO) for cue in CUES[command])

        self._honest = CueMatcher((True, cue) for cue in CUES[Command.HONEST])

        self._goodbye = CueMatcher((True, cue) for cue in CUES[Command.GOODBYE])
        self._titles = CueMatcher(
            (each.slug, cue) for each in cast.activities for cue in (each.title.en, each.title.zh, *each.cues) if cue
        )

    def _always_cues(self) -> Iterator[tuple[Meaning, str]]:
        yield from _reply_cues("reply", (OWN,), self.cast.script.replies)
        for role in self.cast.roles:
            for cue in (*role.cues, role.name):
                yield Meaning("role", role.slug), cue
        for activity in self.cast.activities:
            for cue in (*activity.cues, activity.title.en, activity.title.zh):
                if cue:
                    yield Meaning("activity", activity.slug), cue
        for wish, cue in style_cues(self.cast):
            yield Meaning("style", wish), cue
        for command, cues in CUES.items():
            if command not in (Command.YES, Command.NO, Command.LOST):
                for cue in cues:
                    yield Meaning("command", command.value), cue

    def role(self, slug: str) -> Role | None:
        return self._roles.get(slug)

    def activity(self, slug: str) -> Activity | None:
        return self._activities.get(slug)

    def reply(self, path: tuple[str | int, ...]) -> Reply | None:
        """The reply at a path: root, index, then indexes into `follow`. None if the script has no such place."""
        root, *indexes = path
        role = self._roles.get(str(root))
        replies = role.replies if role else self.cast.script.replies
        reply = None
        for index in indexes:
            if not isinstance(index, int) or index >= len(replies):
                return None
            reply = replies[index]
            replies = reply.follow
        return reply

    def follow(self, path: tuple[str | int, ...], hearing: Hearing) -> Match[Meaning] | None:
        """The reply among the `follow` of the one at `path`."""
        reply = self.reply(path)
        if reply is None or not reply.follow:
            return None
        kind: Kind = "role_reply" if path[0] else "reply"
        return CueMatcher(_reply_cues(kind, path, reply.follow)).best(hearing)

    def control(self, hearing: Hearing) -> Command | None:
        """A command for the activity that runs, said plainly."""
        found = self._controls.best(hearing, CLEAR)
        return found.key if found else None

    def control_at_start(self, hearing: Hearing) -> Command | None:
        """A command in the first words, whatever the recogniser made of the rest: "stop by a gentleman please"."""
        starts = (" ".join(hearing.words[:count]) for count in (1, 2))
        found = (self._controls.best(Hearing.of(start), CERTAIN) for start in starts)
        return next((match.key for match in found if match and match.key in _CUTS_IN), None)

    def asks_honestly(self, hearing: Hearing) -> bool:
        """Whether the listener wants to know if a person is speaking."""
        return self._honest.best(hearing, CLEAR) is not None

    def says_goodbye(self, hearing: Hearing) -> bool:
        return self._goodbye.best(hearing, CLEAR) is not None

    def activity_named(self, said: str) -> str:
        """The activity that one of the last sentences of the character's names; empty when none does."""
        for sentence in reversed(re.split(r"(?<=[.!?\u3002\uff1f])\s*", said[-300:])):
            found = self._titles.best(Hearing.of(sentence))
            if found:
                return found.key
        return ""

    def yes_or_no(self, hearing: Hearing) -> bool | None:
        """An answer to an offer; None when it is neither."""
        found = self._answers.best(hearing, ACCEPT)
        return None if found is None else found.key is Command.YES

    def best(self, hearing: Hearing, role: str) -> Match[Meaning] | None:
        """What is meant, or None. `role` is the one being played."""
        ranked = self._always.ranked(hearing)[:12]
        if role in self._in_role:
            ranked += self._in_role[role].ranked(hearing)[:6]
        accepted = [match for match in ranked if match.score >= ACCEPT]
        return max(accepted, key=lambda match: match.score + self._bonus(match.key), default=None)

    def _bonus(self, meaning: Meaning) -> float:
        reply = self.reply(meaning.path) if meaning.path else None
        if reply is not None and reply.start.startswith(ANY):
            # "Let's practise since and for" names a lesson; any lesson would miss the point.
            return _BONUS_OF_ANY
        return _BONUS.get(meaning.kind, 0.0)


def _reply_cues(kind: Kind, above: tuple[str | int, ...], replies: tuple[Reply, ...]) -> Iterator[tuple[Meaning, str]]:
    for index, reply in enumerate(replies):
        for cue in reply.cues:
            yield Meaning(kind, path=(*above, index)), cue
