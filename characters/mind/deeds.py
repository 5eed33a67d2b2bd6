"""Carrying out what was understood: saying a reply, changing a role or style, obeying a command."""

import re
from collections.abc import Callable, Iterator

from characters.cast_file import CastFile, Reply
from characters.mind.base import ChangeStyle, HangUp, Thought
from characters.mind.built_in import Phrases
from characters.mind.commands import LISTS, Command
from characters.mind.programme import Programme
from characters.mind.repertoire import Meaning, Repertoire
from characters.mind.stage import Stage
from characters.mind.style_requests import NORMAL, preset_for
from characters.mind.talk import Talk
from characters.mind.telling import Telling

RESUME = "resume"
MOST_TITLES = 4
_HONEST_ALREADY = re.compile(
    r"\b(?:AI|artificial|program|computer|machine|software)\b|\u4eba\u5de5\u667a\u80fd|\u7a0b\u5e8f|\u673a\u5668"
)


class Deeds:
    """What a mind can do in one response."""

    def __init__(
        self, stage: Stage, repertoire: Repertoire, phrases: Phrases, talk: Talk, programme: Programme, telling: Telling
    ) -> None:
        self._stage = stage
        self._repertoire = repertoire
        self._phrases = phrases
        self._talk = talk
        self._programme = programme
        self._telling = telling
        self._commands: dict[Command, Callable[[], Iterator[Thought]]] = {
            Command.GO_ON: self._go_on,
            Command.STOP: self._stop,
            Command.WAIT: self._wait,
            Command.AGAIN: self._again,
            Command.START_OVER: self._start_over,
            Command.SKIP: self._skip,
            Command.DOING: self._doing,
            Command.LOST: self._lost,
            Command.ABILITIES: self._abilities,
            Command.HELP: lambda: self.built_in("help"),
            Command.GOODBYE: self.goodbye,
            Command.OWN_SELF: self._own_self,
            Command.HONEST: lambda: self.built_in("honest"),
            Command.THANKS: lambda: self.built_in("welcome"),
            Command.HELLO: lambda: self.built_in("hello"),
            Command.YES: lambda: self.built_in("fine"),
            Command.NO: lambda: self.built_in("fine"),
        }

    @property
    def _cast(self) -> CastFile:
        return self._stage.cast

    def built_in(self, key: str, **slots: object) -> Iterator[Thought]:
        """One of the lines every character has."""
        yield from self._telling.say_one(f"built_in.{key}", self._phrases.lines(key), **slots)

    def do(self, meaning: Meaning) -> Iterator[Thought]:
        match meaning.kind:
            case "reply" | "role_reply":
                reply = self._repertoire.reply(meaning.path)
                if reply is not None:
                    yield from self._reply(reply, meaning.path)
            case "role":
                yield from self._enter_role(meaning.slug)
            case "activity":
                yield from self.start(meaning.slug)
            case "style":
                yield from self._change_style(meaning.slug)
            case "command":
                yield from self.obey(Command(meaning.slug))

    def obey(self, command: Command) -> Iterator[Thought]:
        if command in LISTS:
            yield from self._list(LISTS[command])
        else:
            yield from self._commands[command]()

    def start(self, wanted: str) -> Iterator[Thought]:
        """Begin the activity that `wanted` names: a slug, `any`, `any KIND`."""
        activity = self._programme.find(wanted)
        if activity is None:
            yield from self.built_in("unknown_activity")
        else:
            yield from self._programme.start(activity, self._telling)

    def offer(self, wanted: str) -> Iterator[Thought]:
        """Do what the listener said yes to."""
        if wanted == RESUME:
            yield from self._go_on()
        else:
            yield from self.start(wanted)

    def honestly(self, meaning: Meaning | None) -> Iterator[Thought]:
        """Say what it is, then, in its own manner, what its script says to that."""
        reply = self._repertoire.reply(meaning.path) if meaning and meaning.path else None
        # Every variant is looked at, because which of them will be said is not known yet.
        if reply is None or not all(_HONEST_ALREADY.search(line) for line in reply.say):
            yield from self.built_in("honest")
        if reply is not None and meaning is not None:
            yield from self._reply(reply, meaning.path)

    def _reply(self, reply: Reply, path: tuple[str | int, ...]) -> Iterator[Thought]:
        yield from self._telling.say_one(f"say.{path}", reply.say)
        self._talk.follow = list(path) if reply.follow else []
        if reply.start:
            yield from self.start(reply.start)
        else:
            yield from self._telling.say_one(f"ask.{path}", reply.ask)

    def _enter_role(self, slug: str) -> Iterator[Thought]:
        role = self._repertoire.role(slug)
        if role is None:
            return
        yield from self._programme.lay_aside()
        self._talk.role, self._talk.style, self._talk.follow = slug, "", []
        style = self._stage.styles.get(role.style) if role.style else None
        yield from self._telling.enter_role(style, self._stage.voices.get(role.voice))
        yield from self._telling.say_one(f"enter.{slug}", role.enter)

    def _own_self(self) -> Iterator[Thought]:
        if not self._talk.role:
            yield from self.built_in("no_role")
            return
        yield from self.leave_role()
        yield from self.built_in("leave_role")

    def leave_role(self) -> Iterator[Thought]:
        """Back to the character's own voice and style."""
        self._talk.role, self._talk.follow = "", []
        yield from self._telling.leave_role()

    def _change_style(self, wish: str) -> Iterator[Thought]:
        preset = preset_for(wish, self._cast, self._stage.styles)
        if preset is None:
            yield from self.built_in("style_missing", styles=self._titles_of_styles())
            return
        self._talk.style = "" if wish == NORMAL else preset
        yield ChangeStyle(preset)
        yield from self._telling.restyle(self._stage.styles.get(preset))
        yield from self.built_in("style_normal" if wish == NORMAL else "style_set")
        run = self._programme.current
        if run is not None and not run.waits:
            yield from self._programme.resume(self._telling)

    def _go_on(self) -> Iterator[Thought]:
        if self._programme.latest is None:
            yield from self.built_in("nothing_to_go_on")
        else:
            yield from self._programme.resume(self._telling)

    def _stop(self) -> Iterator[Thought]:
        yield from self._programme.lay_aside()
        yield from self.built_in("stopped")

    def _wait(self) -> Iterator[Thought]:
        yield from self._programme.pause()
        yield from self.built_in("waiting")

    def _again(self) -> Iterator[Thought]:
        run = self._programme.current
        if run is not None:
            yield from self._programme.carry_on(run.again(self._telling))
        elif self._talk.said:
            yield from self._telling.say_plain(self._talk.said)
        else:
            yield from self.built_in("repeat_nothing")

    def _start_over(self) -> Iterator[Thought]:
        if self._programme.latest is None:
            yield from self.built_in("nothing_to_go_on")
        else:
            yield from self._programme.start_over(self._telling)

    def _skip(self) -> Iterator[Thought]:
        run = self._programme.current
        if run is None:
            yield from self.built_in("nothing_to_go_on")
        else:
            yield from self._programme.carry_on(run.skip(self._telling))

    def _lost(self) -> Iterator[Thought]:
        run = self._programme.current
        if run is not None and run.waits:
            yield from self._programme.carry_on(run.at_a_loss(self._telling))
        else:
            yield from self._abilities()

    def _doing(self) -> Iterator[Thought]:
        run = self._programme.current
        if run is None:
            yield from self.built_in("doing_nothing")
            return
        self._talk.offer = RESUME
        yield from self.built_in("doing", title=self._title(run.slug))

    def goodbye(self, meaning: Meaning | None = None) -> Iterator[Thought]:
        """End the call, in the words of the script's own reply if it has one to this."""
        reply = self._repertoire.reply(meaning.path) if meaning and meaning.path else None
        if self._talk.in_crisis:
            yield from self.built_in("gentle")
        elif reply is not None and meaning is not None:
            yield from self._telling.say_one(f"say.{meaning.path}", reply.say)
        else:
            yield from self._telling.say_one("farewell", self._cast.script.farewell)
        yield HangUp()

    def _abilities(self) -> Iterator[Thought]:
        yield from self.built_in("can_do")
        if self._cast.activities:
            titles = [self._title(each.slug) for each in self._cast.activities[:MOST_TITLES]]
            yield from self.built_in("can_offer", titles=self._phrases.join(titles))
        if self._cast.roles:
            names = [role.name for role in self._cast.roles[:MOST_TITLES]]
            yield from self.built_in("can_roles", names=self._phrases.join(names))
        yield from self.built_in("can_style", styles=self._titles_of_styles())

    def _list(self, kind: str) -> Iterator[Thought]:
        titles = [self._title(each.slug) for each in self._cast.activities if each.kind == kind]
        if titles:
            yield from self.built_in("have", titles=self._phrases.join(titles[: 2 * MOST_TITLES]))
        else:
            yield from self.built_in("have_none")

    def _title(self, slug: str) -> str:
        activity = self._repertoire.activity(slug)
        return activity.title.in_language(self._cast.language) if activity else slug

    def _titles_of_styles(self) -> str:
        return self._phrases.join([slug.replace("-", " ") for slug in self._cast.styles])
