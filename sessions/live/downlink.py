"""What a session says to its client: numbered, remembered for a while, handed to the socket of the moment."""

import itertools
import json
from collections.abc import Callable
from typing import Any

from inference.protocol import FRAME_MS, Packet, PacketKind, pack
from sessions.live.closing import REPLACED, CloseCode, Closing
from sessions.live.outbox import Entry, Outbox
from sessions.live.replay import Replay
from sessions.realtime import troupe
from sessions.realtime.errors import error_event

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
"""Made once: `json.dumps` with options makes one for every message."""


class Downlink:
    """One per session; it outlives the sockets. Only the tier numbers its events and can be resumed."""

    def __init__(self, *, tier: bool) -> None:
        self.tier = tier
        self.sequence = 0
        """The last number given."""

        self.dropped_ms = 0.0
        """Audio that was made and that no socket took in time."""

        self._worker_frames = 0

        self._replay = Replay()
        self._outbox: Outbox | None = None
        self._event_ids = itertools.count(1)

    def count_on_from(self, sequence: int) -> None:
        """The client has numbers up to here from another process."""
        self.sequence = sequence

    @property
    def attached(self) -> bool:
        return self._outbox is not None

    @property
    def dropped_frames(self) -> int:
        """All that the client never got, since the start."""
        return self._worker_frames + round(self.dropped_ms / FRAME_MS)

    def emit(self, event: dict[str, Any], on_sent: Callable[[], None] | None = None) -> None:
        """Sends a JSON event."""
        self.sequence += 1
        self._put(Entry(self.sequence, self._text(event, self.sequence), on_sent=on_sent))

    def emit_all(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            self.emit(event)

    def packet(
        self, *, pcm: bytes, position: int, epoch: int, ordinal: int, on_sent: Callable[[], None] | None
    ) -> None:
        """Sends audio of response number `ordinal` as a binary packet."""
        self.sequence += 1
        packet = Packet(PacketKind.AUDIO_OUT, self.sequence, position, pcm, epoch, ordinal)
        self._put(Entry(self.sequence, pack(packet), audio_ms=len(pcm) / 48, on_sent=on_sent))

    def attach(self, outbox: Outbox, *, after: int | None) -> None:
        """From now on to this socket, beginning with what came after number `after`. The socket before it is closed."""
        self.replace()
        if after is not None:
            outbox.put_replay(self._replay.after(after))
        self._outbox = outbox

    def covers(self, after: int) -> bool:
        """Whether a client that has everything up to this number can be given all text after it."""
        return after <= self.sequence and self._replay.covers(after)

    def replace(self) -> None:
        """The socket of the moment learns that another takes over."""
        outbox = self._outbox
        if outbox is None:
            return
        self._outbox = None
        self._say_closing(outbox, REPLACED)

    def detach(self, outbox: Outbox) -> bool:
        """Whether this was the socket of the moment."""
        if self._outbox is not outbox:
            return False
        self._outbox = None
        return True

    def close(self, closing: Closing) -> Outbox | None:
        """Says why and closes the socket of the moment; returns it."""
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            self._say_closing(outbox, closing)
        return outbox

    def drop(self, milliseconds: float) -> None:
        """The socket could not take this much audio in time."""
        self.dropped_ms += milliseconds

    def drop_worker_frames(self, num_frames: int) -> None:
        """The worker has dropped so many in all."""
        self._worker_frames = num_frames

    def _say_closing(self, outbox: Outbox, closing: Closing) -> None:
        # Not remembered: it concerns this socket only, and the next event takes the same number elsewhere.
        if self.tier:
            event = troupe.session_closing(reason=closing.reason, message=closing.message)
            outbox.put(Entry(self.sequence + 1, self._text(event, self.sequence + 1)))
        elif closing.code != CloseCode.DONE:
            event = error_event(f"session_{closing.reason}", closing.message, kind="server_error")
            outbox.put(Entry(self.sequence + 1, self._text(event, self.sequence + 1)))
        outbox.close(closing.code)

    def _put(self, entry: Entry) -> None:
        if self.tier:
            forgotten_ms = self._replay.keep(entry)
            if self._outbox is None:
                self.dropped_ms += forgotten_ms
        if self._outbox is not None:
            self._outbox.put(entry)

    def _text(self, event: dict[str, Any], sequence: int) -> str:
        numbered = {"sequence": sequence} if self.tier else {}
        whole = {"event_id": f"event_{next(self._event_ids):06d}", **numbered, **event}
        return _ENCODER.encode(whole)
