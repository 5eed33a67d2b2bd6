"""How truly a checkpoint sings: melodies drawn at random, pitch and onsets read from the sound."""

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.codec.source_filter.grid import HOP, SAMPLE_RATE_HZ
from inference.protocol import Note, Song, StyleSpec, VoiceSpec
from inference.training.corpus import features_of
from inference.training.speaking import speak_parts
from inference.worker.phone_mouth import PhoneMouth

_SYLLABLES = "low may no ray moon long mine well now name lay mean wall yes roll one you near warm line".split()
"""All begin with a voiced sound that carries pitch, so that where a note begins can be read from F0."""

_REST_S = 0.6
"""Before the first note: the song then begins at a known time."""

_NOTES = 8
_LEAST_STEP = 2
"""Semitones between neighbours, so that the change can be found."""


@dataclass(frozen=True, slots=True)
class _Beat:
    start_s: float
    seconds: float
    midi: float


def singing_figures(mouth: PhoneMouth, voice: VoiceSpec, songs: int, seed: int = 1) -> dict[str, Any]:
    """Pitch error in the middle of each note, in cents, and how far from its beat F0 changes, in ms."""
    draw = random.Random(seed)
    scores = {f"song {number}": _song(voice, draw) for number in range(songs)}
    speeches = [(name, (song,)) for name, (song, _) in scores.items()]
    cents: list[float] = []
    onsets_ms: list[float] = []
    for sung in speak_parts(mouth, speeches, voice, StyleSpec(), 2):
        f0 = features_of(sung.pcm).f0_hz.numpy()
        _measure(f0, scores[sung.text][1], cents, onsets_ms)
    return {
        "songs": songs,
        "median_pitch_error_cents": round(float(np.median(np.abs(cents))), 1),
        "p95_pitch_error_cents": round(float(np.percentile(np.abs(cents), 95)), 1),
        "onsets": len(onsets_ms),
        "median_onset_error_ms": round(float(np.median(np.abs(onsets_ms))), 1),
        "onsets_within_80_ms": round(float(np.mean(np.abs(onsets_ms) <= 80)), 3),
    }


def _song(voice: VoiceSpec, draw: random.Random) -> tuple[Song, list[_Beat]]:
    """A melody within a sixth around the voice's own pitch and the beats of its notes."""
    centre = round(69 + 12 * math.log2(voice.pitch_hz / 440.0)) + 3
    notes, beats, at_s, midi = [Note(_REST_S, None)], [], _REST_S, centre
    for _ in range(_NOTES):
        seconds = draw.choice((0.4, 0.5, 0.6, 0.8))
        midi = draw.choice([pitch for pitch in range(centre - 5, centre + 5) if abs(pitch - midi) >= _LEAST_STEP])
        notes.append(Note(seconds, midi, draw.choice(_SYLLABLES)))
        beats.append(_Beat(at_s, seconds, midi))
        at_s += seconds
    return Song(tuple(notes)), beats


def _measure(f0: NDArray[np.float32], beats: list[_Beat], cents: list[float], onsets_ms: list[float]) -> None:
    rate = SAMPLE_RATE_HZ / HOP
    for number, beat in enumerate(beats):
        wanted = 440.0 * 2.0 ** ((beat.midi - 69) / 12)
        middle = f0[
            round((beat.start_s + 0.3 * beat.seconds) * rate) : round((beat.start_s + 0.7 * beat.seconds) * rate)
        ]
        cents += (1200 * np.log2(middle[middle > 0] / wanted)).tolist()
        if number:
            before = 440.0 * 2.0 ** ((beats[number - 1].midi - 69) / 12)
            onset = _change(f0, math.sqrt(before * wanted), beat.start_s, wanted > before, rate)
            if onset is not None:
                onsets_ms.append(1000 * (onset - beat.start_s))


def _change(f0: NDArray[np.float32], between_hz: float, near_s: float, rises: bool, rate: float) -> float | None:
    """When F0 crosses half-way to the new note, looked for a quarter of a second around its beat."""
    first = max(1, round((near_s - 0.25) * rate))
    for at in range(first, min(len(f0), round((near_s + 0.25) * rate))):
        one, other = f0[at - 1], f0[at]
        if one > 0 and other > 0 and (one < between_hz <= other if rises else one > between_hz >= other):
            return at / rate
    return None
