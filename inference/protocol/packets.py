"""Binary framing of audio, shared by browser and worker (docs/protocol.md, "Binary packets").

Little endian, 24 bytes of header, then PCM16 at `AUDIO_RATE_HZ`:

    0  u8   version, 1
    1  u8   kind: 1 audio in, 2 audio out
    2  u16  flags, 0
    4  u32  sequence: uplink counts packets; downlink shares the count of the session's events
    8  u64  position of the first sample: uplink in the stream's input, downlink in the response
    16 u32  epoch (0 on the uplink)
    20 u32  ordinal of the response in the session (0 on the uplink)
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from inference.protocol.specs import AUDIO_RATE_HZ, SAMPLE_BYTES

VERSION = 1
_HEADER = struct.Struct("<BBHIQII")
HEADER_BYTES = _HEADER.size
MAX_PAYLOAD_BYTES = AUDIO_RATE_HZ * SAMPLE_BYTES
"""One second: more than any live packet should hold."""


class PacketKind(IntEnum):
    AUDIO_IN = 1
    AUDIO_OUT = 2


_KINDS = {kind.value: kind for kind in PacketKind}


class PacketError(ValueError):
    """Bytes that are no audio packet; the message says why."""


@dataclass(frozen=True, slots=True)
class Packet:
    kind: PacketKind
    sequence: int
    position: int
    pcm: bytes
    epoch: int = 0
    response: int = 0


def pack(packet: Packet) -> bytes:
    """The packet as bytes. Raises `PacketError` if a number does not fit its field."""
    try:
        head = _HEADER.pack(VERSION, packet.kind, 0, packet.sequence, packet.position, packet.epoch, packet.response)
    except struct.error as error:
        raise PacketError(str(error)) from error
    return head + packet.pcm


def unpack(data: bytes) -> Packet:
    """The packet in these bytes. Raises `PacketError` naming what is wrong with them."""
    if len(data) < HEADER_BYTES:
        raise PacketError(f"{len(data)} bytes are shorter than the {HEADER_BYTES}-byte header")
    version, kind, flags, sequence, position, epoch, response = _HEADER.unpack_from(data)
    if version != VERSION:
        raise PacketError(f"version {version} is not {VERSION}")
    known = _KINDS.get(kind)
    if known is None:
        raise PacketError(f"kind {kind} is unknown")
    if flags:
        raise PacketError(f"flags {flags:#06x} are not defined")
    pcm = data[HEADER_BYTES:]
    if not pcm or len(pcm) % SAMPLE_BYTES:
        raise PacketError(f"{len(pcm)} bytes of PCM are not a positive number of 16-bit samples")
    if len(pcm) > MAX_PAYLOAD_BYTES:
        raise PacketError(f"{len(pcm)} bytes of PCM are more than the {MAX_PAYLOAD_BYTES} a packet may hold")
    return Packet(known, sequence, position, pcm, epoch, response)
