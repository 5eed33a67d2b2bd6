"""What to make of an occasion, in which order: the rules of the script mind."""

from collections.abc import Iterator

from characters.mind.base import Thought
from characters.mind.built_in import Phrases, phrases_for
from characters.mind.commands import Command
from characters.mind.crisis import is_crisis
from characters.mind.deeds import RESUME, Deeds
from characters.mind.matching import CLEAR, Hearing, Match, is_chinese
from characters.mind.names import asks_for_name, bare_name, name_said
from characters.mind.programme import Programme
from characters.mind.repertoire import Meaning, Repertoire
from characters.mind.stage import Stage
from characters.mind.talk import Talk
from characters.mind.telling import Telling
from inference.protocol import Pause

GENTLE_TURNS = 4
DOUBTFUL = 0.25
"""Words recognised with less confidence than this, and fitting nothing, were not heard."""

BREAKS_INTO_ACTIVITY = 0.85
OFFER_EVERY = 2
_POLITE = frozenset({Command.THANKS, Command.HELLO})


class Responder:
    """One response of one mind."""

    def __init__(
        self, stage: Stage, repertoire: Repertoire, phrases: Phrases, talk: Talk, programme: Programme, telling: Telling
    ) -> None:
        self._stage = stage
        self._script = stage.cast.script
        self._repertoire = repertoire
        self._phrases = phrases
        self._talk = talk
        self._programme = programme
        self._telling = telling
        self._deeds = Deeds(stage, repertoire, phrases, talk, programme, telling)

    def turn(self, hearing: Hearing, text: str, confidence: float) -> Iterator[Thought]:
        """Answer what the listener said: a danger first, then what was asked, then what is meant, then the rest."""
        if is_crisis(hearing):
            yield from self._crisis(text)
            return
        if not hearing.words:
            yield from self._unheard()
            return
        self._calm_down()
        name = name_said(text)
        if name:
            self._learn_name(name)
        follow, self._talk.follow = tuple(self._talk.follow), []
        offer, self._talk.offer = self._talk.offer, ""
        understood = self._expected(hearing, follow, offer) or self._meant(hearing, bool(name)) or self._cut_in(hearing)
        yield from understood or self._not_understood(hearing, text, confidence)

    def claims(self, hearing: Hearing, text: str) -> bool:
        """Whether the script should answer this even where another mind speaks: see `ScriptMind.claims`."""
        if not hearing.words or is_crisis(hearing) or self._talk.in_crisis or self._repertoire.asks_honestly(hearing):
            return True
        run = self._programme.current
        if run is not None and run.waits:
            return True
        if self._repertoire.control(hearing) and self._programme.latest:
            return True
        if self._talk.offer and self._repertoire.yes_or_no(hearing) is not None:
            return True
        found = self._repertoire.best(hearing, self._talk.role)
        if found is None or found.score < CLEAR:
            return False
        reply = self._repertoire.reply(found.key.path) if found.key.path else None
        if reply is not None:
            return bool(reply.start)
        return found.key.kind != "command" or Command(found.key.slug) not in _POLITE

    def silence(self, count: int) -> Iterator[Thought]:
        if self._talk.in_crisis:
            yield from self._deeds.built_in("gentle")
            return
        run = self._programme.current
        thoughts = run.silence(count, self._telling) if run is not None and run.waits else None
        if thoughts is not None:
            yield from self._programme.carry_on(thoughts)
        elif run is not None and count == 1:
            yield from self._offer_to_go_on()
        else:
            role = self._repertoire.role(self._talk.role)
            lines = (role.silence if role else ()) or self._script.silence
            yield from self._telling.say(lines[min(max(count, 1), len(lines)) - 1])

    def start(self, slug: str) -> Iterator[Thought]:
        self._talk.follow, self._talk.offer = [], ""
        yield from self._deeds.start(slug)

    def _expected(self, hearing: Hearing, follow: tuple[str | int, ...], offer: str) -> Iterator[Thought] | None:
        """What the talk so far makes likely: an answer, a reply that follows, a command, yes or no to an offer."""
        run = self._programme.current
        if run is not None and run.waits and run.fit(hearing) >= CLEAR:
            return self._answer_activity(hearing)
        followed = self._repertoire.follow(follow, hearing) if follow else None
        if followed is not None:
            return self._do(followed.key)
        control = self._repertoire.control(hearing) if run is not None else None
        if control is not None:
            return self._deeds.obey(control)
        if run is not None and not run.waits and self._only_listening(hearing):
            return self._programme.resume(self._telling)
        return self._agreed(hearing, offer)

    def _cut_in(self, hearing: Hearing) -> Iterator[Thought] | None:
        """Somebody who breaks in with "stop" wants that, even if nothing else of it was understood."""
        control = self._repertoire.control_at_start(hearing) if self._programme.current is not None else None
        return self._deeds.obey(control) if control is not None else None

    def _agreed(self, hearing: Hearing, offer: str) -> Iterator[Thought] | None:
        """Yes or no to what was offered, be it by name in the character's own words."""
        agreed = self._repertoire.yes_or_no(hearing)
        if agreed is None:
            return None
        offer = offer or self._repertoire.activity_named(self._talk.said)
        if agreed and not offer and self._talk.said.endswith(("?", "\uff1f")) and self._programme.current is None:
            unused = self._programme.unused()
            offer = unused.slug if unused else ""
        if not offer:
            return None
        return self._deeds.offer(offer) if agreed else self._deeds.built_in("declined")

    def _meant(self, hearing: Hearing, named: bool) -> Iterator[Thought] | None:
        """The best of all cues, or the running activity's own view of it."""
        found = self._repertoire.best(hearing, self._talk.role)
        run = self._programme.current
        if self._repertoire.asks_honestly(hearing):
            return self._then_back(self._deeds.honestly(found.key if found else None))
        if self._repertoire.says_goodbye(hearing) and (run is None or (run.kind != "scene" and run.fit(hearing) < 0.5)):
            return self._deeds.goodbye(found.key if found else None)
        if run is not None and run.waits and not self._breaks_in(found, run.fit(hearing)):
            return self._answer_activity(hearing)
        if named and (found is None or not found.key.path):
            return self._deeds.built_in("name", name=self._talk.name)
        if found is not None and (not self._talk.in_crisis or found.score >= CLEAR):
            return self._do(found.key)
        return None

    def _breaks_in(self, found: Match[Meaning] | None, fit: float) -> bool:
        """A cue said plainly is answered even in a lesson, unless it may be an answer."""
        if found is None or found.score < BREAKS_INTO_ACTIVITY or fit >= 0.5:
            return False
        return found.key.kind != "command" or Command(found.key.slug) not in _POLITE

    def _do(self, meaning: Meaning) -> Iterator[Thought]:
        if meaning.kind in ("reply", "role_reply"):
            yield from self._then_back(self._deeds.do(meaning))
        else:
            yield from self._deeds.do(meaning)

    def _then_back(self, thoughts: Iterator[Thought]) -> Iterator[Thought]:
        """After a reply, offer to go on with the activity it broke into."""
        run = self._programme.current
        yield from thoughts
        if run is not None and self._programme.current is run and not self._talk.follow:
            yield Pause(0.4)
            yield from self._offer_to_go_on()

    def _answer_activity(self, hearing: Hearing) -> Iterator[Thought]:
        run = self._programme.current
        if run is None:
            return
        yield from self._programme.carry_on(run.turn(hearing, self._telling))
        wanted = run.starts
        if wanted:
            yield from self._deeds.start(wanted)

    def _not_understood(self, hearing: Hearing, text: str, confidence: float) -> Iterator[Thought]:
        name = bare_name(hearing.words, text) if asks_for_name(self._talk.said) else ""
        if name:
            self._learn_name(name)
            yield from self._deeds.built_in("name", name=name)
        elif self._talk.in_crisis:
            yield from self._deeds.built_in("gentle")
        elif confidence < DOUBTFUL:
            yield from self._unheard()
        else:
            yield from self._fall_back()

    def _fall_back(self) -> Iterator[Thought]:
        role = self._repertoire.role(self._talk.role)
        lines = (role.fallback if role else ()) or self._script.fallback
        self._talk.fallbacks += 1
        before = len(self._telling.text)
        yield from self._telling.say_one(f"fallback.{self._talk.role}", lines)
        if self._programme.current is not None:
            yield from self._offer_to_go_on()
        elif "?" not in self._telling.text[before:] and self._talk.fallbacks % OFFER_EVERY == 0:
            activity = self._programme.unused()
            if activity is not None:
                self._talk.offer = activity.slug
                title = activity.title.in_language(self._stage.cast.language)
                yield from self._deeds.built_in("offer", title=title)

    def _unheard(self) -> Iterator[Thought]:
        run = self._programme.current
        if self._talk.in_crisis:
            yield from self._deeds.built_in("gentle")
        elif run is not None and not run.waits:
            # A cough in the middle of a story: nobody asked for anything.
            yield from self._programme.resume(self._telling)
        else:
            yield from self._telling.say_one("unheard", self._script.unheard)

    def _offer_to_go_on(self) -> Iterator[Thought]:
        yield from self._programme.pause()
        self._talk.offer = RESUME
        yield from self._deeds.built_in("go_on?")

    def _crisis(self, text: str) -> Iterator[Thought]:
        yield from self._programme.lay_aside()
        yield from self._deeds.leave_role()
        again = self._talk.in_crisis
        self._talk.offer, self._talk.in_crisis, self._talk.gentle_turns = "", True, GENTLE_TURNS
        phrases = phrases_for("zh") if is_chinese(text) else self._phrases
        key = "crisis_again" if again else "crisis"
        yield from self._telling.say_one(key, phrases.lines(key))

    def _calm_down(self) -> None:
        if self._talk.in_crisis:
            self._talk.gentle_turns -= 1
            self._talk.in_crisis = self._talk.gentle_turns > 0

    def _learn_name(self, name: str) -> None:
        self._talk.name = name
        self._telling.call(name)

    def _only_listening(self, hearing: Hearing) -> bool:
        sounds = self._stage.cast.turn_taking_profile().backchannels
        return " ".join(hearing.words) in {" ".join(Hearing.of(sound).words) for sound in sounds}
