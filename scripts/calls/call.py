"""One call: opened, paced, listened to, come back to when its socket is lost, and ended."""

import asyncio
import http.client
import json
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from inference.protocol import HEADER_BYTES, SAMPLE_BYTES
from scripts.calls import tones
from scripts.calls.door import Refused, Visitor
from scripts.calls.playing import Player
from scripts.calls.said import Conversation
from scripts.calls.uplink import Uplink
from scripts.calls.wire import Listener, Wire, WireError, open_wire

OPEN_LIMIT_S = 20.0
SOCKET_LIMIT_S = 5.0
READY_AGAIN_LIMIT_S = 15.0
"""The server may first have to find the session another place."""

RETRY_S = 0.25
RESUME_LIMIT_S = 30.0
ACK_EVERY = 10
"""Packets of 20 ms between two acknowledgements of what was played."""

REFUSED_CODES = {4429, 4503}
LOST_CODES = {1001, 1005, 1006, 1011, 1012, 4413, 4503}
"""Ends of a socket after which the page comes back."""

_DOWNLINK = struct.Struct("<BBHIQII")


class NotOpened(RuntimeError):
    """The call did not come about. `refused`: the server said that it cannot take it."""

    def __init__(self, reason: str, *, refused: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


@dataclass(frozen=True, slots=True)
class CallPlan:
    number: int
    """Of the caller; each has a tone of its own."""

    character: str = "storyteller"
    echoes: bool = True
    """What is sent comes back: the caller sends its tone and checks what it hears. Otherwise it sends silence."""

    comes_back: bool = True
    acknowledges: bool = True
    reads: bool = True


@dataclass(slots=True)
class Outage:
    """The time between two sockets, on the client's clock in seconds."""

    lost_at: float
    code: int
    back_at: float | None = None


@dataclass
class Record:
    """What a call measured. Times are in seconds of `time.perf_counter`, which processes of a machine share."""

    opened_ms: dict[str, float] = field(default_factory=dict)
    """`post`, `socket` and `ready`, each from the beginning of the call."""

    first_audio_ms: float | None = None
    """From the first packet sent to the first that came."""

    sent_at: list[float] = field(default_factory=list)
    sent_late: list[bool] = field(default_factory=list)
    returned_at: list[float] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)
    """Packets that came back, with the time of each in `returned_at`."""

    unsent: int = 0
    """Packets that the network did not take, or for which there was no socket."""

    foreign: list[str] = field(default_factory=list)
    """Sound that was not the caller's own."""

    dropped_uplink: int = 0
    dropped_downlink: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    outages: list[Outage] = field(default_factory=list)
    sequence_jumps: int = 0
    """Messages missing from the session's count."""

    close_code: int | None = None
    closing: str = ""
    remembered: int = 0
    """Sockets on which the server gave the session back."""


class Call:
    """Driven by a `Pacer`: `send_packet` every 20 ms."""

    def __init__(self, plan: CallPlan, visitor: Visitor) -> None:
        self.plan = plan
        self.record = Record()
        self.player = Player()
        self.conversation = Conversation()
        self.session_id = ""
        self.hz = tones.frequency_hz(plan.number)
        self.last_arrival = 0.0
        self.over = asyncio.Event()
        self.muted = False
        """It sends nothing more."""

        self.visitor = visitor
        self._wire: Wire | None = None
        self._uplink = Uplink(self.hz if plan.echoes else None)
        self._ready = asyncio.Event()
        self._sequence = 0
        self._responses: dict[int, str] = {}
        self._ending = False
        self._returning: asyncio.Task[None] | None = None
        self._sockets = 0
        self._first_sent_at: float | None = None

    # --- life ---

    @property
    def is_live(self) -> bool:
        return self._ready.is_set() and self._wire is not None and self._wire.is_open

    async def open(self) -> None:
        """Begins the conversation and waits until the session is ready. Raises `NotOpened`, and then is of no use."""
        began = time.perf_counter()
        try:
            await self._open(began)
        except Refused as refusal:
            self.hang_up()
            raise NotOpened(refusal.code, refused=refusal.status in (429, 503)) from refusal
        except (OSError, WireError, http.client.HTTPException) as error:
            # A timeout is an OSError too.
            self.hang_up()
            raise NotOpened(type(error).__name__, refused=False) from error
        except BaseException:
            self.hang_up()
            raise
        if not self.plan.reads and self._wire is not None:
            self._wire.stop_reading()

    async def _open(self, began: float) -> None:
        async with asyncio.timeout(OPEN_LIMIT_S):
            entry = await self.visitor.begin(self.plan.character)
            self.session_id = entry.session_id
            self.record.opened_ms["post"] = _ms_since(began)
            await self._connect(entry.url, entry.headers(self.visitor.url), SOCKET_LIMIT_S)
            self.record.opened_ms["socket"] = _ms_since(began)
            await self._until_ready()
            self.record.opened_ms["ready"] = _ms_since(began)

    async def end(self, limit_s: float = 10.0) -> None:
        """Says `troupe.end` and waits for the server to close."""
        self._ending = True
        if self._wire is not None and self._wire.is_open:
            self.send({"type": "troupe.end"})
            try:
                await asyncio.wait_for(self.over.wait(), limit_s)
            except TimeoutError:
                self.record.errors["end_not_confirmed"] += 1
        self.hang_up()

    def hang_up(self) -> None:
        """Leaves without a word: the socket closes with 1000."""
        self._ending = True
        if self._returning is not None:
            self._returning.cancel()
        if self._wire is not None:
            self._wire.close()

    def hang_up_silently(self) -> None:
        """The connection is gone, and the client does not come back."""
        self._ending = True
        self.lose_network()

    def lose_network(self) -> None:
        """The connection is gone; the call comes back, if it is one that does."""
        if self._wire is not None:
            self._wire.drop()

    def freeze(self) -> None:
        """The client neither reads nor sends nor hangs up, as behind a network that has vanished."""
        self.muted = True
        if self._wire is not None:
            self._wire.stop_reading()

    async def come_back(self) -> bool:
        """Resumes on a new socket while the old one stays as it is. Returns whether the session is back."""
        self.muted = False
        self.record.outages.append(Outage(time.perf_counter(), 0))
        await self._come_back()
        return self.is_live

    def send(self, event: dict[str, Any]) -> bool:
        return self._wire is not None and self._wire.send_text(json.dumps(event))

    def send_raw(self, frame: bytes) -> bool:
        return self._wire is not None and self._wire.send_frame(frame)

    def say(self, text: str) -> bool:
        """A typed turn."""
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        return self.send({"type": "conversation.item.create", "item": item}) and self.send({"type": "response.create"})

    def send_packet(self, now: float, *, late: bool) -> None:
        """One packet of the uplink, due now."""
        if self.muted or self._ending:
            return
        if not self.is_live:
            self.record.unsent += 1
            return
        assert self._wire is not None
        if not self._wire.send_frame(self._uplink.next_frame()):
            self.record.unsent += 1
            return
        if self._first_sent_at is None:
            self._first_sent_at = now
        self._uplink.sent()
        if self.plan.echoes:
            self.record.sent_at.append(now)
            self.record.sent_late.append(late)
        if self.plan.acknowledges and self._uplink.count % ACK_EVERY == 0:
            self._acknowledge(now)

    # --- sockets ---

    async def _connect(self, url: str, headers: dict[str, str], limit_s: float) -> None:
        self._ready.clear()
        self._sockets += 1
        number = self._sockets
        # A socket that another has replaced says nothing any more.
        listener = Listener(
            on_text=lambda text: self._text(text) if number == self._sockets else None,
            on_binary=lambda data: self._audio(data) if number == self._sockets else None,
            on_closed=lambda code: self._closed(code) if number == self._sockets else None,
        )
        self._wire = await open_wire(url, listener, headers=headers, limit_s=limit_s, small_window=not self.plan.reads)

    async def _until_ready(self) -> None:
        ready, over = asyncio.create_task(self._ready.wait()), asyncio.create_task(self.over.wait())
        try:
            await asyncio.wait({ready, over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            over.cancel()
        if not self._ready.is_set():
            code = self.record.close_code or 0
            reason = next(iter(self.record.errors), f"closed_{code}")
            raise NotOpened(reason, refused=code in REFUSED_CODES)

    def _closed(self, code: int) -> None:
        was_ready = self._ready.is_set()
        self._ready.clear()
        if self._ending or not was_ready or not self.plan.comes_back or code not in LOST_CODES:
            self.record.close_code = code
            if self._returning is None or self._returning.done():
                self.over.set()
            return
        self.record.outages.append(Outage(time.perf_counter(), code))
        if self._returning is None or self._returning.done():
            self._returning = asyncio.create_task(self._come_back(), name=f"call-{self.plan.number}:return")

    async def _come_back(self) -> None:
        deadline = time.perf_counter() + RESUME_LIMIT_S
        while time.perf_counter() < deadline:
            try:
                async with asyncio.timeout(READY_AGAIN_LIMIT_S):
                    entry = await self.visitor.come_back(self.session_id, SOCKET_LIMIT_S)
                    place = f"{entry.url}?after={self._sequence}"
                    await self._connect(place, entry.headers(self.visitor.url), SOCKET_LIMIT_S)
                    await self._ready.wait()
            except Refused as refusal:
                self.record.errors[f"resume_{refusal.code}"] += 1
                if refusal.status < 500 and refusal.status != 429:
                    break
            except (OSError, WireError, TimeoutError, http.client.HTTPException) as error:
                self.record.errors[f"resume_{type(error).__name__}"] += 1
            else:
                self.record.outages[-1].back_at = time.perf_counter()
                self.record.remembered += 1
                return
            await asyncio.sleep(RETRY_S)
        self.over.set()

    # --- from the server ---

    def _text(self, text: str) -> None:
        now = time.perf_counter()
        event = json.loads(text)
        self._count(event.get("sequence"))
        kind = event["type"]
        if kind == "troupe.session.ready":
            self._ready.set()
        elif kind == "troupe.dropped":
            self.record.dropped_uplink = event["uplink_packets"]
            self.record.dropped_downlink = event["downlink_frames"]
        elif kind == "error":
            self.record.errors[event["error"].get("code") or "error"] += 1
        elif kind == "troupe.session.closing":
            self.record.closing = event["reason"]
        elif kind == "troupe.response.started":
            self._responses[event["response"]] = event["response_id"]
        elif kind == "troupe.output.flush":
            self.player.flush(now)
            self._acknowledge(now)
        elif kind == "response.done":
            self.player.complete()
        if not self.plan.echoes:
            self.conversation.note(event, now)

    def _audio(self, data: bytes) -> None:
        now = time.perf_counter()
        _version, _kind, _flags, sequence, position, _epoch, ordinal = _DOWNLINK.unpack_from(data)
        self._count(sequence)
        self.last_arrival = now
        if self.record.first_audio_ms is None and self._first_sent_at is not None:
            self.record.first_audio_ms = (now - self._first_sent_at) * 1000
        self.player.arrived(now, ordinal, position, (len(data) - HEADER_BYTES) // SAMPLE_BYTES)
        if self.plan.echoes:
            for at in range(HEADER_BYTES, len(data), tones.PACKET_BYTES):
                self._echoed(now, data[at : at + tones.PACKET_BYTES])

    def _echoed(self, now: float, piece: bytes) -> None:
        if not tones.is_own(piece, self.hz):
            if len(self.record.foreign) < 100:
                owner = tones.tone_in(piece, tones.MOST_TONES) if len(piece) == tones.PACKET_BYTES else None
                self.record.foreign.append("unknown" if owner is None else f"caller {owner}")
            return
        newest = self._uplink.count - 1
        number = newest - (newest - tones.number_of(piece)) % tones.NUMBERS
        if number >= 0:
            self.record.returned.append(number)
            self.record.returned_at.append(now)

    def _count(self, sequence: int | None) -> None:
        if sequence is None:
            return
        if self._sequence and sequence > self._sequence + 1:
            self.record.sequence_jumps += sequence - self._sequence - 1
        self._sequence = max(self._sequence, sequence)

    def _acknowledge(self, now: float) -> None:
        response_id = self._responses.get(self.player.ordinal)
        if response_id is not None:
            played_ms = round(self.player.played_ms(now), 1)
            self.send({"type": "troupe.playback.ack", "response_id": response_id, "played_ms": played_ms})


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
