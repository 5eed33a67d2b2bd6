"""Half an hour of simulated calling: nothing grows, nothing is late, nothing is lost."""

import gc
import sys
from types import FunctionType, ModuleType

import numpy as np

from inference.protocol import (
    AUDIO_RATE_HZ,
    Command,
    EndSpeech,
    Event,
    Heard,
    SessionSpec,
    SilenceElapsed,
    SpeakPart,
    SpeechFinished,
    StartSpeech,
    Words,
)
from tests.inference.scripted_call import ScriptedCall, tone

STORY = "the keeper sings once upon a time " * 3


class Session:
    """Answers every turn and every silence, as the web side does."""

    def __init__(self) -> None:
        self.heard = self.silences = self.cancelled = self.completed = 0

    def reply(self, event: Event) -> list[Command]:
        match event:
            case Heard():
                self.heard += 1
                return self._answer(f"a{self.heard}")
            case SilenceElapsed():
                self.silences += 1
                return self._answer(f"s{self.silences}")
            case SpeechFinished(status="cancelled"):
                self.cancelled += 1
            case SpeechFinished():
                self.completed += 1
        return []

    def _answer(self, response_id: str) -> list[Command]:
        return [StartSpeech(response_id), SpeakPart(response_id, Words(STORY)), EndSpeech(response_id)]


def a_minute() -> list[np.ndarray]:
    """A question answered in full, one interrupted, a cough, and silence until a prompt."""

    def words(text: str) -> np.ndarray:
        return np.concatenate([tone(word) for word in text.split()])

    def quiet(seconds: float) -> np.ndarray:
        return np.zeros(round(seconds * AUDIO_RATE_HZ), dtype=np.float32)

    cough = np.random.default_rng(0).normal(0, 0.08, AUDIO_RATE_HZ // 4).astype(np.float32)
    first = [words("tell me a story"), quiet(3.0), cough, quiet(8.0)]
    return [*first, words("green apples"), quiet(3.0), words("who lives there"), quiet(42.0)]


def held_bytes(root: object) -> int:
    """Bytes of all objects that `root` keeps alive, code left out."""
    seen, todo, total = {id(root)}, [root], 0
    while todo:
        thing = todo.pop()
        total += sys.getsizeof(thing)
        for child in gc.get_referents(thing):
            if id(child) not in seen and not isinstance(child, type | ModuleType | FunctionType):
                seen.add(id(child))
                todo.append(child)
    return total


def test_half_an_hour_of_calling_keeps_memory_and_delay_flat() -> None:
    call, session = ScriptedCall(SessionSpec(session_id="long", character="mira@1")), Session()
    call.reply, call.keep_log, call.packet_s = session.reply, False, 0.1
    memory: list[int] = []
    answered_after: list[float] = []
    for _ in range(30):
        for piece in a_minute():
            call.hear_pcm(piece)
        memory.append(held_bytes(call.stream))
        began, before = call.now, session.heard
        call.say("who lives there")
        while session.heard == before and call.now < began + 5:
            call.quiet(0.1)
        answered_after.append(call.now - began)
    assert session.heard >= 4 * 30 - 1
    assert session.cancelled >= 30 and session.completed >= 60 and session.silences >= 30
    assert max(answered_after) - min(answered_after) < 0.25
    assert max(memory[10:]) < max(memory[:10]) + 10_000 < 2_000_000
    assert call.ears.in_use == 0 and call.stream.late_frames == 0
