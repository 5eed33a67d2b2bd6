"""Each caller's own tone, so that sound of another caller is recognised wherever it turns up.

A packet is a stretch of the caller's sine wave. Its first sample is the packet's number modulo 65,536 instead, so that
what comes back also says which packet it was and how long it took. Frequencies are whole Hz, all different and 10 Hz
apart, so that a tone repeats every second: one second of packets is made beforehand.
"""

import os
import struct
from functools import lru_cache

import numpy as np

from inference.protocol import AUDIO_RATE_HZ, SAMPLE_BYTES

PACKET_MS = int(os.environ.get("LOADTEST_PACKET_MS", "20"))
"""What the page sends; 40 is a whole frame, as some clients send and as voices come back. A divisor of 1,000."""

PACKET_SAMPLES = AUDIO_RATE_HZ * PACKET_MS // 1000
PACKET_BYTES = PACKET_SAMPLES * SAMPLE_BYTES
PACKETS_PER_S = AUDIO_RATE_HZ // PACKET_SAMPLES
LOWEST_HZ = 301
STEP_HZ = 10
MOST_TONES = 800
AMPLITUDE = 6_000
FOREIGN_SHARE = 0.01
"""A stretch with more of its power beside the caller's own tone is not the caller's."""

_NUMBER = struct.Struct("<H")
NUMBERS = 1 << 16


def frequency_hz(caller: int) -> int:
    """The tone of caller number `caller`; after `MOST_TONES` callers the tones are given again."""
    return LOWEST_HZ + STEP_HZ * (caller % MOST_TONES)


@lru_cache(maxsize=MOST_TONES)
def packets(hz: int) -> tuple[bytes, ...]:
    """One second of this tone as packets of PCM16, their first samples 0."""
    place = np.arange(AUDIO_RATE_HZ)
    wave = np.round(AMPLITUDE * np.sin(2 * np.pi * hz * place / AUDIO_RATE_HZ)).astype("<i2")
    wave[::PACKET_SAMPLES] = 0
    pcm = wave.tobytes()
    return tuple(pcm[at : at + PACKET_BYTES] for at in range(0, len(pcm), PACKET_BYTES))


@lru_cache(maxsize=MOST_TONES)
def bodies(hz: int) -> frozenset[bytes]:
    """What packets of this tone hold after their number."""
    return frozenset(packet[_NUMBER.size :] for packet in packets(hz))


def write_number(buffer: bytearray, offset: int, number: int) -> None:
    _NUMBER.pack_into(buffer, offset, number % NUMBERS)


def number_of(packet: bytes) -> int:
    """Modulo `NUMBERS`."""
    return int(_NUMBER.unpack_from(packet)[0])


def is_own(packet: bytes, hz: int) -> bool:
    """Whether this packet holds the caller's own tone and nothing else (or silence)."""
    return packet[_NUMBER.size :] in bodies(hz) or foreign_share(packet, hz) <= FOREIGN_SHARE


def foreign_share(packet: bytes, hz: int) -> float:
    """Share of the power that no sine of this frequency explains, whatever its phase and level; 0 for silence."""
    samples = np.frombuffer(packet, dtype="<i2").astype(np.float64)[1:]
    power = float(samples @ samples)
    if power < len(samples):  # less than one step of the scale
        return 0.0
    angle = 2 * np.pi * hz * np.arange(len(samples)) / AUDIO_RATE_HZ
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    weights, *_rest = np.linalg.lstsq(basis, samples, rcond=None)
    rest = samples - basis @ weights
    return float(rest @ rest) / power


def tone_in(packet: bytes, num_callers: int) -> int | None:
    """The caller whose tone this is; None when it is nobody's, or silence."""
    shares = {caller: foreign_share(packet, frequency_hz(caller)) for caller in range(min(num_callers, MOST_TONES))}
    best = min(shares, key=lambda caller: shares[caller], default=None)
    return best if best is not None and 0 < shares[best] <= FOREIGN_SHARE else None
