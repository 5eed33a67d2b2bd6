"""One spoken exchange with a running server, over the public protocol.

Plays a WAV file to a character as a microphone would, in real time, and writes what came back: `answer.wav`, and
`talk.json` with both transcripts and the latencies. A demonstration for people without a microphone, and a smoke test.
"""

import argparse
import asyncio
import base64
import json
import sys
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx
import numpy as np
import soxr
import websockets
from numpy.typing import NDArray

RATE_HZ = 24_000
PACKET_SAMPLES = 480
TRAILING_SILENCE_S = 20.0
"""The microphone stays open and silent for so long, unless the answer ends earlier."""


class TalkFailed(Exception):
    """The exchange did not come about; the message says why and what to do."""


@dataclass(slots=True)
class Exchange:
    """What happened, with the client's clock in seconds."""

    heard: str = ""
    answer: str = ""
    status: str = ""
    pcm: bytearray = field(default_factory=bytearray)
    voice_ended_at: float = 0.0
    committed_at: float = 0.0
    response_created_at: float = 0.0
    first_audio_at: float = 0.0
    errors: list[str] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, event: dict[str, Any], now: float) -> None:
        match event["type"]:
            case "input_audio_buffer.committed":
                self.committed_at = now
            case "conversation.item.input_audio_transcription.completed":
                self.heard = f"{self.heard} {event['transcript']}".strip()
            case "response.created":
                self.response_created_at = now
            case "response.output_audio.delta":
                self.first_audio_at = self.first_audio_at or now
                self.pcm += base64.b64decode(event["delta"])
            case "response.output_audio_transcript.delta":
                self.answer += event["delta"]
            case "response.output_audio_transcript.done":
                self.answer = event["transcript"]
            case "error":
                self.errors.append(event["error"]["message"])
            case "response.done" if self.committed_at:
                self.status = event["response"]["status"]


def read_wav(path: Path) -> NDArray[np.int16]:
    """Samples [S] of a 16-bit WAV, mixed to mono at 24 kHz. Raises `TalkFailed`."""
    try:
        with wave.open(str(path), "rb") as wav:
            if wav.getsampwidth() != 2:
                raise TalkFailed(f"{path}: only 16-bit PCM is understood; convert it first")
            channels, rate_hz = wav.getnchannels(), wav.getframerate()
            samples = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").reshape(-1, channels)
    except (OSError, wave.Error, EOFError) as error:
        raise TalkFailed(f"{path}: {error}") from error
    if not samples.size:
        raise TalkFailed(f"{path}: there is no sound in it")
    mono = samples.astype(np.float32).mean(axis=1) / 32768
    pcm = soxr.resample(mono, rate_hz, RATE_HZ) if rate_hz != RATE_HZ else mono
    return (np.clip(pcm, -1, 1) * 32767).astype("<i2")


def voice_end_sample(pcm: NDArray[np.int16]) -> int:
    """Where the last loud stretch of 10 ms ends: 30 dB under the loudest counts as silence."""
    hop = RATE_HZ // 100
    rows = pcm[: len(pcm) // hop * hop].reshape(-1, hop).astype(np.float64)
    level = np.sqrt((rows**2).mean(axis=1)) if len(rows) else np.zeros(1)
    loud = np.flatnonzero(level > level.max() * 10 ** (-30 / 20))
    return int((loud[-1] + 1) * hop) if len(loud) else len(pcm)


async def client_secret(url: str, key: str) -> str:
    """A key for the socket: the one given, or a guest's short-lived one."""
    if key:
        return key
    async with httpx.AsyncClient(timeout=10) as client:
        reply = await client.post(f"{url}/v1/realtime/client_secrets", json={})
    if reply.status_code != 200:
        raise TalkFailed(f"the server gives guests no key ({reply.status_code}); pass --key")
    return str(reply.json()["value"])


async def play(socket: Any, pcm: NDArray[np.int16], exchange: Exchange) -> None:
    """Sends packets as the clock allows, then silence until the exchange is over."""
    end_of_voice = voice_end_sample(pcm)
    silence = np.zeros(int(TRAILING_SILENCE_S * RATE_HZ), dtype="<i2")
    track = np.concatenate([pcm, silence])
    start = time.monotonic()
    for at in range(0, len(track), PACKET_SAMPLES):
        if exchange.done.is_set():
            return
        await asyncio.sleep(max(0.0, start + at / RATE_HZ - time.monotonic()))
        packet = track[at : at + PACKET_SAMPLES].tobytes()
        append = {"type": "input_audio_buffer.append", "audio": base64.b64encode(packet).decode()}
        try:
            await socket.send(json.dumps(append))
        except websockets.ConnectionClosed:
            # The reader knows why.
            return
        if at <= end_of_voice:
            exchange.voice_ended_at = time.monotonic()


async def collect(socket: Any, exchange: Exchange, listen_s: float) -> None:
    """Reads events until the answer is complete, or `listen_s` of it were heard: a story may last minutes."""
    try:
        async for message in socket:
            exchange.note(json.loads(message), time.monotonic())
            if not exchange.status and len(exchange.pcm) >= listen_s * RATE_HZ * 2:
                exchange.status = "hung_up"
            if exchange.status:
                break
    except websockets.ConnectionClosed as error:
        exchange.errors.append(f"the server closed the connection: {error}")
    finally:
        exchange.done.set()


def socket_url(url: str, character: str) -> str:
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme)
    if scheme is None or not parts.netloc:
        raise TalkFailed(f"{url!r} is no address of a server; write http://127.0.0.1:8000")
    return urlunsplit((scheme, parts.netloc, "/v1/realtime", urlencode({"model": character}), ""))


async def talk(options: argparse.Namespace, pcm: NDArray[np.int16]) -> Exchange:
    exchange = Exchange()
    url, timeout_s = options.url.rstrip("/"), options.timeout
    headers = {"Authorization": f"Bearer {await client_secret(url, options.key)}"}
    address = socket_url(url, options.character)
    async with websockets.connect(address, additional_headers=headers, max_size=2**22) as socket:
        try:
            async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as tasks:
                tasks.create_task(collect(socket, exchange, options.listen), name="collect")
                tasks.create_task(play(socket, pcm, exchange), name="play")
        except TimeoutError:
            exchange.errors.append(f"no complete answer within {timeout_s:g} s")
    return exchange


def report(exchange: Exchange, character: str) -> dict[str, Any]:
    """The exchange as JSON. Latencies in ms after the end of the voice in the file; null where it did not happen."""

    def after_voice(moment: float) -> float | None:
        return round((moment - exchange.voice_ended_at) * 1000, 1) if moment else None

    return {
        "character": character,
        "heard": exchange.heard,
        "answer": exchange.answer.strip(),
        "status": exchange.status or "none",
        "answer_seconds": round(len(exchange.pcm) / 2 / RATE_HZ, 2),
        "latency_ms": {
            "turn_committed": after_voice(exchange.committed_at),
            "response_created": after_voice(exchange.response_created_at),
            "first_audio": after_voice(exchange.first_audio_at),
        },
        "errors": exchange.errors,
    }


def write(out: Path, exchange: Exchange, result: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with wave.open(str(out / "answer.wav"), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE_HZ)
        wav.writeframes(bytes(exchange.pcm))
    (out / "talk.json").write_text(json.dumps(result, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--character", required=True, metavar="SLUG")
    parser.add_argument("--wav", required=True, type=Path, help="16-bit PCM WAV of what you say")
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--key", default="", help="an API key; without one you are a guest")
    parser.add_argument("--listen", type=float, default=60.0, metavar="S", help="hang up after so much of the answer")
    parser.add_argument("--timeout", type=float, default=120.0, metavar="S")
    options = parser.parse_args()
    try:
        exchange = asyncio.run(talk(options, read_wav(options.wav)))
    except* (TalkFailed, OSError, httpx.HTTPError, websockets.WebSocketException) as group:
        print(f"talk: {group.exceptions[0]}", file=sys.stderr)
        exchange = None
    if exchange is None:
        return 1
    result = report(exchange, options.character)
    write(options.out, exchange, result)
    print(json.dumps(result, ensure_ascii=False, indent=2))
    for error in exchange.errors:
        print(f"talk: {error}", file=sys.stderr)
    return 0 if exchange.pcm and not exchange.errors else 1


if __name__ == "__main__":
    sys.exit(main())
