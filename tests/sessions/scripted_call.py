"""A live session whose worker and mind follow a script: for what a real one does only now and then."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import OperationalError

from characters.mind.base import HeardSpeech, Occasion, Opening, Said, Thought
from inference.client import VoiceStream
from inference.errors import InferenceError
from inference.protocol import (
    AudioOut,
    CancelSpeech,
    Command,
    EndSpeech,
    Event,
    Lane,
    Packet,
    SessionSpec,
    SetVoice,
    SpeakPart,
    SpeechFinished,
    SpeechStarted,
    StartSpeech,
    StyleSpec,
    VoiceChanged,
    VoiceRefused,
    VoiceSpec,
    Words,
    WordSpoken,
    unpack,
)
from sessions.live.call import Call, Standing, Totals
from sessions.live.cast import Choice, LiveCast, Menu
from sessions.live.journal import TurnRecord
from sessions.live.limits import Limits
from sessions.live.outbox import Outbox
from sessions.live.session import LiveSession
from sessions.realtime.session_config import SessionConfig

FRAME = bytes(1_920)


class ScriptedWorker:
    """A stream that speaks each word in one frame, at once, unless `holds` says to wait to be told."""

    def __init__(self, holds: bool = False) -> None:
        self.id = "stream"
        self.holds = holds
        self.refuses: set[str] = set()
        """Voices it has not got."""

        self.holds_voices = False

        self.commands: list[Command] = []
        self.audio: list[bytes] = []
        self._events: asyncio.Queue[Event | InferenceError | None] = asyncio.Queue()
        self._text: dict[str, str] = {}
        self._current: str | None = None
        self._epoch = 0

    def send_audio(self, pcm: bytes) -> None:
        self.audio.append(pcm)

    def send(self, command: Command) -> None:
        self.commands.append(command)
        match command:
            case StartSpeech(response_id=response_id):
                self._current = response_id
                self._text[response_id] = ""
            case SpeakPart(response_id=response_id, part=Words(text=text)):
                self._speak(response_id, text)
            case EndSpeech(response_id=response_id) if not self.holds:
                self.finish(response_id)
            case SetVoice(voice=voice) if not self.holds_voices:
                refused = voice.slug in self.refuses
                self.tell(VoiceRefused(voice.slug, "not mine") if refused else VoiceChanged(voice.slug))
            case CancelSpeech(reason=reason) if self._current is not None:
                self.cut(self._current, reason)

    def _speak(self, response_id: str, text: str) -> None:
        if not self._text[response_id]:
            self.tell(SpeechStarted(response_id, self._epoch))
        for word in text.split():
            start = len(self._text[response_id])
            self._text[response_id] += word + " "
            self.tell(AudioOut(response_id, self._epoch, start, FRAME))
            self.tell(WordSpoken(response_id, self._epoch, word, start, start + 1, start, start + len(word)))

    def finish(self, response_id: str) -> None:
        self._current = None
        self.tell(SpeechFinished(response_id, self._epoch, "completed", heard_text=self._text[response_id].strip()))

    def cut(self, response_id: str, reason: str, heard: str = "") -> None:
        self._current = None
        self.tell(SpeechFinished(response_id, self._epoch, "cancelled", reason, heard_ms=1, heard_text=heard))
        self._epoch += 1

    def tell(self, event: Event | InferenceError | None) -> None:
        self._events.put_nowait(event)

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._events.get()) is not None:
            if isinstance(event, InferenceError):
                raise event
            yield event

    async def close(self) -> None:
        self.tell(None)


@dataclass
class ScriptedMind:
    """Answers each occasion with what `says` gives for it."""

    says: Callable[[Occasion], Iterable[Thought | Exception]]
    occasions: list[Occasion] = field(default_factory=list)
    told: list[HeardSpeech] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    async def answer(self, occasion: Occasion, response_id: str) -> AsyncIterator[Thought]:
        self.occasions.append(occasion)
        self.log.append("answer")
        for thought in self.says(occasion):
            if isinstance(thought, Exception):
                raise thought
            yield thought

    def delivery_changed(self, style: StyleSpec, voice: VoiceSpec) -> None:
        self.log.append(f"delivery {style.slug}")

    def heard(self, speech: HeardSpeech) -> None:
        self.told.append(speech)
        self.log.append("heard")

    def snapshot(self) -> dict[str, Any]:
        return {"told": [speech.text for speech in self.told]}

    def restore(self, data: dict[str, Any]) -> None:
        self.log.append("restored")

    def recall(self, said: Sequence[Said]) -> None:
        self.log.append("recalled")


@dataclass
class Notebook:
    """A store in memory."""

    turns: dict[int, TurnRecord] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    memory: dict[str, Any] | None = None
    let_go_of: bool = False
    is_away: bool = False
    """As a database that cannot be reached."""

    def _reach(self) -> None:
        if self.is_away:
            raise OperationalError("the database is away")

    async def write_turn(self, turn: TurnRecord, memory: dict[str, Any] | None = None) -> None:
        self._reach()
        self.turns[turn.index] = turn
        self.memory = memory or self.memory

    async def keep_memory(self, memory: dict[str, Any]) -> None:
        self._reach()
        self.memory = memory

    async def let_go(self) -> None:
        self.let_go_of = True

    async def amend_turn(self, item_id: str, text: str) -> None:
        pass

    async def touch(self, totals: Totals) -> Standing:
        return Standing(allowed=True, remaining_s=None)

    async def finish(self, reason: str, totals: Totals) -> None:
        self._reach()
        self.ended.append(reason)

    def said(self) -> list[tuple[str, str]]:
        return [(turn.speaker, turn.text) for _index, turn in sorted(self.turns.items())]


class ScriptedCall:
    """A live session between them, with a client that records."""

    def __init__(
        self,
        says: Callable[[Occasion], Iterable[Thought | Exception]],
        *,
        tier: bool = True,
        holds: bool = False,
        lane: Lane = Lane.COMPOSED,
        stream: VoiceStream | None = None,
    ) -> None:
        """`stream`: of a real worker instead of the scripted one."""
        self.worker = ScriptedWorker(holds)
        self.mind = ScriptedMind(says)
        self.notebook = Notebook()
        self.events: list[dict[str, Any]] = []
        self.packets: list[Packet] = []
        self.close_code: int | None = None
        voice, style = VoiceSpec(slug="hearth"), StyleSpec(slug="warm")
        cast = LiveCast(
            spec=SessionSpec("0" * 32, "brief@1", lane, voice=voice, style=style),
            mind=self.mind,
            character="brief",
            opening=Opening(),
            menu=Menu(activities=(Choice("pebble", "The Pebble", "story"),)),
            voices={"hearth": voice, "ember": VoiceSpec(slug="ember")},
            styles={"warm": style, "whisper": StyleSpec(slug="whisper", whisper=1.0)},
        )
        config = SessionConfig(model="brief", voice="hearth", own_voice="hearth")
        limits = Limits(max_s=60, idle_s=60, resume_s=60)
        self.live = LiveSession(
            Call(cast, config, stream or self.worker, self.notebook, limits, None, tier, on_end=lambda session: None)
        )
        self._outbox = Outbox(self._receive)
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "ScriptedCall":
        self.live.start()
        self.live.attach(self._outbox)
        self._writer = asyncio.create_task(self._outbox.run())
        await self.settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.live.leave()
        await self.live.ended()
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=1)

    async def _receive(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close":
            self.close_code = message["code"]
        elif message.get("text") is not None:
            self.events.append(json.loads(message["text"]))
        elif message.get("bytes") is not None:
            self.packets.append(unpack(message["bytes"]))

    async def settle(self) -> None:
        """Everything that can happen without time passing has happened."""
        for _ in range(30):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)

    async def tell(self, *events: Event | InferenceError | None) -> None:
        """The worker reports."""
        for event in events:
            self.worker.tell(event)
        await self.settle()

    async def do(self, event: dict[str, Any]) -> None:
        """The client sends."""
        self.live.receive_text(json.dumps(event))
        await self.settle()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    @property
    def speaking(self) -> str:
        """The response that the worker was last asked to speak."""
        started = [command for command in self.worker.commands if isinstance(command, StartSpeech)]
        return started[-1].response_id
