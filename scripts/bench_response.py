"""How long a caller waits, and how soon a character yields: measured at a real socket, in real time.

Speaks sentences (flite voices) to characters of a server of its own and prints JSON:
- `response_ms`: end of the user's voice, as the caller sent it, to the first audio packet, over all answered turns,
with
  the server's own account of the stages in between;
- `stop_ms`: first sound of an interruption to the last audio of the cut answer, with the duck before it.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import websockets
from numpy.typing import NDArray

from characters.cast_file import read_cast_file
from inference.protocol import AUDIO_RATE_HZ, Packet, PacketKind, pack, unpack
from scripts.served import ROOT, Served, served
from scripts.spoken import NoFlite, end_of_voice, spoken

PACKET_SAMPLES = 480
PACKET_S = PACKET_SAMPLES / AUDIO_RATE_HZ
ANSWER_LIMIT_S = 20.0
HEARD_S = 1.5
VOICES = ["rms", "slt", "awb", "kal16"]
CHARACTERS = ["storyteller", "soul-singer", "sidekick", "drama", "english-tutor"]
PATIENT = {"english-tutor"}
"""Waits longer by its author's wish; reported apart."""

TURNS_PER_CHARACTER = 6
SEED = 7
STORY_REQUEST = "tell me a story"
INTERRUPTION = "stop please, I want to ask you something else"


def sentences(slug: str) -> list[str]:
    """What listeners say to this character: some of its cues, of two to six words, drawn with a fixed seed."""
    cast = read_cast_file(ROOT / "characters" / "cast" / f"{slug}.yaml")
    cues = sorted({cue for reply in cast.script.replies for cue in reply.cues if cue.isascii()})
    return random.Random(SEED).sample([cue for cue in cues if 2 <= len(cue.split()) <= 6], TURNS_PER_CHARACTER)


@dataclass(slots=True)
class Line:
    """An open call. Times are the caller's clock in seconds."""

    socket: Any
    character: str
    voice_began_at: float = 0.0
    voice_ended_at: float = 0.0
    first_audio_at: float = 0.0
    last_audio_at: float = 0.0
    ducked_at: float = 0.0
    flushed_at: float = 0.0
    heard: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    speaking: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    flushed: asyncio.Event = field(default_factory=asyncio.Event)
    track: "asyncio.Queue[NDArray[np.float32]]" = field(default_factory=lambda: asyncio.Queue(4))
    response_id: str = ""
    played_samples: int = 0

    def forget(self) -> None:
        """Ready for the next turn."""
        self.first_audio_at = self.last_audio_at = self.ducked_at = self.flushed_at = 0.0
        self.heard, self.stages = "", {}
        for event in (self.speaking, self.finished, self.flushed):
            event.clear()

    async def microphone(self) -> None:
        """A packet every 20 ms for ever: what lies in the track, else silence."""
        sequence, start = 0, time.perf_counter()
        while True:
            pcm = self.track.get_nowait() if not self.track.empty() else None
            if pcm is None:
                await self._packet(np.zeros(PACKET_SAMPLES, np.float32), sequence, start)
                sequence += 1
                continue
            self.voice_began_at = time.perf_counter()
            voice_end = end_of_voice(pcm)
            for at in range(0, len(pcm), PACKET_SAMPLES):
                await self._packet(pcm[at : at + PACKET_SAMPLES], sequence, start)
                sequence += 1
                if at <= voice_end:
                    self.voice_ended_at = time.perf_counter()

    async def _packet(self, pcm: NDArray[np.float32], sequence: int, start: float) -> None:
        await asyncio.sleep(max(0.0, start + sequence * PACKET_S - time.perf_counter()))
        samples = np.zeros(PACKET_SAMPLES, np.float32)
        samples[: len(pcm)] = pcm
        data = (samples * 32767).astype("<i2").tobytes()
        await self.socket.send(pack(Packet(PacketKind.AUDIO_IN, sequence, sequence * PACKET_SAMPLES, data)))

    async def player(self) -> None:
        async for message in self.socket:
            now = time.perf_counter()
            if isinstance(message, bytes):
                packet = unpack(message)
                self.first_audio_at = self.first_audio_at or now
                self.last_audio_at = now
                self.played_samples = packet.position
                self.speaking.set()
                if packet.sequence % 10 == 0 and self.response_id:
                    await self._acknowledge()
                continue
            self._event(json.loads(message), now)

    async def _acknowledge(self) -> None:
        """What a player with 100 ms of buffer would have played."""
        played_ms = max(0.0, self.played_samples * 1000 / AUDIO_RATE_HZ - 100)
        ack = {"type": "troupe.playback.ack", "response_id": self.response_id, "played_ms": played_ms}
        await self.socket.send(json.dumps(ack))

    def _event(self, event: dict[str, Any], now: float) -> None:
        match event["type"]:
            case "troupe.response.started":
                self.response_id = event["response_id"]
            case "troupe.latency":
                self.stages = event["stages"]
            case "troupe.output.gain" if event["gain_db"] < 0:
                self.ducked_at = self.ducked_at or now
            case "troupe.output.flush":
                self.flushed_at = now
                self.flushed.set()
            case "conversation.item.input_audio_transcription.completed":
                self.heard = event["transcript"]
            case "response.done":
                self.finished.set()


async def _within(event: asyncio.Event, seconds: float = ANSWER_LIMIT_S) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def _quiet(line: Line, *, seconds: float) -> None:
    """Until nothing has been said for so long: every answer of this turn is over."""
    while True:
        at = line.last_audio_at
        await asyncio.sleep(seconds)
        if line.last_audio_at == at:
            return


async def _turn(line: Line, sentence: str, voice: str) -> dict[str, Any]:
    line.forget()
    await line.track.put(spoken(sentence, voice=voice))
    answered = await _within(line.speaking)
    # The beginning of the answer is what is measured; its end may be minutes away.
    await asyncio.sleep(HEARD_S)
    result = {
        "character": line.character,
        "said": sentence,
        "heard": line.heard,
        "response_ms": (line.first_audio_at - line.voice_ended_at) * 1000 if answered else None,
        "stages": line.stages,
    }
    if not line.finished.is_set():
        await line.socket.send(json.dumps({"type": "response.cancel"}))
    await _within(line.finished)
    await _quiet(line, seconds=0.8)
    return result


async def _interruption(line: Line, voice: str) -> dict[str, Any] | None:
    line.forget()
    await line.track.put(spoken(STORY_REQUEST, voice=voice))
    if not await _within(line.speaking):
        return None
    await asyncio.sleep(4.0)
    line.flushed.clear()
    line.ducked_at = 0.0
    await line.track.put(spoken(INTERRUPTION, voice=voice))
    stopped = await _within(line.flushed)
    began = line.voice_began_at
    result = {
        "duck_ms": (line.ducked_at - began) * 1000 if line.ducked_at else None,
        "stop_ms": (line.flushed_at - began) * 1000 if stopped else None,
    }
    await _quiet(line, seconds=2.0)
    return result


async def call(server: Served, slug: str, rounds: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All turns and interruptions of one call."""
    headers = {"Authorization": f"Bearer {server.key}"}
    url = f"{server.websocket_url}?model={slug}&tier=troupe"
    async with websockets.connect(url, additional_headers=headers, compression=None) as socket:
        line = Line(socket, slug)
        turns: list[dict[str, Any]] = []
        cuts: list[dict[str, Any] | None] = []
        tasks = [asyncio.create_task(line.player(), name="player"), asyncio.create_task(line.microphone(), name="mic")]
        try:
            await _within(line.finished)
            await _quiet(line, seconds=1.0)
            if slug == "storyteller":
                cuts = [await _interruption(line, VOICES[number % 2]) for number in range(3)]
            for number, sentence in enumerate(sentences(slug) * rounds):
                turns.append(await _turn(line, sentence, VOICES[number % 2]))
        except websockets.ConnectionClosedOK:
            # A goodbye among the sentences: the character has hung up.
            pass
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return turns, [cut for cut in cuts if cut is not None]


def _summary(values: list[float]) -> dict[str, float]:
    if not values:
        return {"count": 0}
    ordered = sorted(values)
    return {
        "count": len(ordered),
        "median": round(statistics.median(ordered), 1),
        "p90": round(ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))], 1),
        "max": round(ordered[-1], 1),
    }


def _numbers(rows: list[dict[str, Any]], key: str) -> list[float]:
    return [row[key] for row in rows if row.get(key) is not None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    try:
        spoken("hello")
    except NoFlite as error:
        print(error, file=sys.stderr)
        return 1
    turns: list[dict[str, Any]] = []
    cuts: list[dict[str, Any]] = []
    with served() as server:
        before_mb = server.resident_mb()
        for slug in CHARACTERS:
            more_turns, more_cuts = asyncio.run(call(server, slug, options.rounds))
            turns += more_turns
            cuts += more_cuts
        after_mb = server.resident_mb()
    patient = [turn for turn in turns if turn["character"] in PATIENT]
    usual = [turn for turn in turns if turn["character"] not in PATIENT]
    stages = sorted({name for turn in turns for name in turn["stages"]})
    result = {
        "bench": "response",
        "conditions": {"cpus": os.cpu_count(), "machine": platform.machine(), "mouth": "eSpeak NG", "callers": 1},
        "turns_spoken": len(turns),
        "response_ms": _summary(_numbers(usual, "response_ms")),
        "response_ms_of_patient_characters": _summary(_numbers(patient, "response_ms")),
        "stages_ms": {name: _summary(_numbers([turn["stages"] for turn in usual], name)) for name in stages},
        "duck_ms": _summary(_numbers(cuts, "duck_ms")),
        "stop_ms": _summary(_numbers(cuts, "stop_ms")),
        "server_mb": {"before": round(before_mb, 1), "after": round(after_mb, 1)},
        "turns": turns,
    }
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
