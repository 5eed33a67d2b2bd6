"""What the protocol looks like between two processes: one websocket is one stream.

The web side sends a `SessionSpec` first and is answered by `Opened` or `Failed`. Then commands and events travel as
text messages, JSON objects whose `t` names the type; audio travels as binary messages, bare PCM16 on the way to the
worker, `AudioOut` with a small header on the way back. Both sides send a `Beat` now and then. `Leave` asks for the end;
a stream that fails ends with a fatal `Fault` or, where it could not be read, with `Failed`.

Decoding is strict: a type or field that is not known, or has the wrong kind of value, raises `WireError` naming it.
"""

import struct
from dataclasses import dataclass
from typing import cast, get_args

from inference.errors import WireError
from inference.protocol.json_form import JsonForm
from inference.protocol.messages import AudioOut, Command, Event
from inference.protocol.specs import AUDIO_RATE_HZ, SAMPLE_BYTES, SessionSpec

TEXT_BYTES_MAX = 4_000_000
"""A spec with the whole script of a character fits."""

AUDIO_BYTES_MAX = 30 * AUDIO_RATE_HZ * SAMPLE_BYTES
"""Of one message."""

_AUDIO_VERSION = 1
_AUDIO = struct.Struct("<BxHIQ")
"""Version, bytes of the response's id, epoch, position; the id (UTF-8) and the PCM follow."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The sender is alive. The worker's come from the loop that owns the slots, so that a stuck one falls silent."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The worker's answer to a spec it takes."""

    stream_id: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The stream is over, or was never opened, with an `InferenceError` of this code."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Leave:
    """The web side gives the slot back."""


Uplink = Command | SessionSpec | Beat | Leave
Downlink = Event | Opened | Failed | Beat

_UPLINK = JsonForm(get_args(Uplink))
_DOWNLINK = JsonForm(each for each in get_args(Downlink) if each is not AudioOut)


def encode_uplink(message: Uplink) -> str:
    """Raises `WireError` for a message that does not travel this way."""
    return _UPLINK.encode(message)


def decode_uplink(text: str) -> Uplink:
    """Raises `WireError`."""
    return cast(Uplink, _UPLINK.decode(text))


def encode_downlink(message: Downlink) -> str:
    """Raises `WireError` for a message that does not travel this way; `AudioOut` goes through `pack_audio`."""
    return _DOWNLINK.encode(message)


def decode_downlink(text: str) -> Downlink:
    """Raises `WireError`."""
    return cast(Downlink, _DOWNLINK.decode(text))


def pack_audio(audio: AudioOut) -> bytes:
    """One copy. Raises `WireError` if a number does not fit its field."""
    response = audio.response_id.encode("utf-8", "surrogatepass")
    try:
        head = _AUDIO.pack(_AUDIO_VERSION, len(response), audio.epoch, audio.position)
    except struct.error as error:
        raise WireError(f"AudioOut cannot be written: {error}") from error
    return b"".join((head, response, audio.pcm))


def unpack_audio(data: bytes) -> AudioOut:
    """One copy. Raises `WireError`."""
    if len(data) < _AUDIO.size:
        raise WireError(f"{len(data)} bytes are shorter than the {_AUDIO.size}-byte header of audio")
    version, id_bytes, epoch, position = _AUDIO.unpack_from(data)
    begin = _AUDIO.size + id_bytes
    if version != _AUDIO_VERSION:
        raise WireError(f"audio of version {version} is not of version {_AUDIO_VERSION}")
    pcm = data[begin:]
    if begin > len(data) or len(pcm) % SAMPLE_BYTES:
        raise WireError(f"{len(data)} bytes are no header and whole 16-bit samples")
    try:
        return AudioOut(data[_AUDIO.size : begin].decode("utf-8", "surrogatepass"), epoch, position, pcm)
    except UnicodeDecodeError as error:
        raise WireError("the id of the response is no UTF-8") from error


def check_uplink_audio(data: bytes) -> bytes:
    """The PCM16 of a binary message to the worker. Raises `WireError`."""
    if not data or len(data) % SAMPLE_BYTES or len(data) > AUDIO_BYTES_MAX:
        raise WireError(f"{len(data)} bytes are no whole 16-bit samples of at most 30 s")
    return data
