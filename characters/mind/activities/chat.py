"""A guided talk: questions in order, each with what may be answered."""

from collections.abc import Iterator

from characters.cast_file import ChatActivity, Reply
from characters.mind.activities.base import Marks, Run
from characters.mind.base import Thought
from characters.mind.built_in import Phrases
from characters.mind.matching import ACCEPT, CueMatcher, Hearing, Match
from characters.mind.telling import Telling

_Path = tuple[int, ...]


class ChatRun(Run):
    FIELDS = ("question", "follow")

    def __init__(self, chat: ChatActivity, phrases: Phrases) -> None:
        super().__init__(chat, phrases)
        self._chat = chat
        self.question = 0
        self.follow: list[int] = []
        """Path of the reply whose `follow` is open, from the question's replies down."""

        self._starts = ""

    @property
    def waits(self) -> bool:
        return not self.finished

    @property
    def starts(self) -> str:
        started, self._starts = self._starts, ""
        return started

    def begin(self, telling: Telling) -> Iterator[Thought]:
        self.question, self.follow, self.finished = 0, [], False
        yield from telling.say_one(f"{self.slug}.intro", self._chat.intro)
        yield from self._ask(telling)

    def resume(self, telling: Telling) -> Iterator[Thought]:
        yield from telling.say_one("back_to_chat", self.phrases.lines("back_to_chat"))
        yield from self._ask(telling)

    def again(self, telling: Telling) -> Iterator[Thought]:
        yield from self._ask(telling)

    def skip(self, telling: Telling) -> Iterator[Thought]:
        yield from self._next(telling)

    def at_a_loss(self, telling: Telling) -> Iterator[Thought]:
        yield from self._otherwise(telling)

    def fit(self, hearing: Hearing) -> float:
        found = None if self.finished else self._match(hearing)
        return found.score if found else 0.0

    def turn(self, hearing: Hearing, telling: Telling) -> Iterator[Thought]:
        found = self._match(hearing)
        if found is None:
            yield from self._otherwise(telling)
            return
        path = found.key
        reply = self._reply(path)
        yield from telling.say_one(f"{self.slug}.{self.question}.{path}", reply.say)
        self.follow = []
        if reply.start:
            self._starts = reply.start
            return
        yield from telling.say_one(f"{self.slug}.{self.question}.{path}.ask", reply.ask)
        if reply.follow:
            self.follow = list(path)
        else:
            yield from self._next(telling)

    def silence(self, count: int, telling: Telling) -> Iterator[Thought] | None:
        if self.finished:
            return None
        return self._ask(telling) if count == 1 else self._next(telling)

    def heard(self, marks: Marks, heard_chars: int, interrupted: bool) -> None:
        """An answer given before the question ended is still an answer."""

    def _match(self, hearing: Hearing) -> Match[_Path] | None:
        """Among the follow-up replies while they are open, else among those of the question."""
        question = self._chat.questions[min(self.question, len(self._chat.questions) - 1)]
        if self.follow:
            above = tuple(self.follow)
            return _matcher(self._reply(above).follow, above).best(hearing, ACCEPT)
        return _matcher(question.replies, ()).best(hearing, ACCEPT)

    def _reply(self, path: _Path) -> Reply:
        replies = self._chat.questions[self.question].replies
        reply = replies[path[0]]
        for index in path[1:]:
            reply = reply.follow[index]
        return reply

    def _ask(self, telling: Telling) -> Iterator[Thought]:
        self.question = min(self.question, len(self._chat.questions) - 1)
        telling.mark(self.question)
        yield from telling.say_one(f"{self.slug}.{self.question}.ask", self._chat.questions[self.question].ask)

    def _otherwise(self, telling: Telling) -> Iterator[Thought]:
        lines = self._chat.questions[self.question].otherwise or self.phrases.lines("i_see")
        yield from telling.say_one(f"{self.slug}.{self.question}.otherwise", lines)
        yield from self._next(telling)

    def _next(self, telling: Telling) -> Iterator[Thought]:
        self.follow = []
        if self.question + 1 < len(self._chat.questions):
            self.question += 1
            yield from self._ask(telling)
        else:
            self.finished = True
            yield from telling.say_one(f"{self.slug}.outro", self._chat.outro)


def _matcher(replies: tuple[Reply, ...], above: _Path) -> CueMatcher[_Path]:
    return CueMatcher(((*above, at), cue) for at, reply in enumerate(replies) for cue in reply.cues)
