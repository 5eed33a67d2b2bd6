"""What a caller sends: prepared messages, of which only numbers change."""

import struct

from inference.protocol import HEADER_BYTES, Packet, PacketKind, pack
from scripts.calls import tones
from scripts.calls.wire import binary_frame

_SEQUENCE_AND_POSITION = struct.Struct("<IQ")
_SEQUENCE_OFFSET = 4


class Uplink:
    """Packets, one after another: the caller's tone with packet numbers in it, or silence."""

    def __init__(self, hz: int | None) -> None:
        pieces = tones.packets(hz) if hz is not None else (bytes(tones.PACKET_BYTES),)
        self._frames = [binary_frame(pack(Packet(PacketKind.AUDIO_IN, 0, 0, piece))) for piece in pieces]
        self._payload_at = len(self._frames[0]) - HEADER_BYTES - tones.PACKET_BYTES
        self._numbered = hz is not None
        self.count = 0

    def next_frame(self) -> bytes:
        """The message to send now; `sent` moves on."""
        frame = self._frames[self.count % len(self._frames)]
        at = self._payload_at
        position = self.count * tones.PACKET_SAMPLES
        _SEQUENCE_AND_POSITION.pack_into(frame, at + _SEQUENCE_OFFSET, self.count & 0xFFFFFFFF, position)
        if self._numbered:
            tones.write_number(frame, at + HEADER_BYTES, self.count)
        return bytes(frame)

    def sent(self) -> None:
        self.count += 1
