"""Singing a score: eSpeak says the words flat and slowly, and they are retold on the notes (docs/decisions/singing.md).

Every vowel begins on its beat; the consonants before it take their time from the note before. A vowel's middle is
stretched to the length of its notes while its beginning and end keep their pace, so that diphthongs turn late, as
singers do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.effects.retune import CURVE_HOP, Telling
from inference.mouth.base import SpokenWord
from inference.mouth.lyrics import LyricWord, Syllable, TimedNote
from inference.protocol import AUDIO_RATE_HZ, FRAME_SAMPLES

LONGEST_CLUSTER_S = 0.32
CLUSTER_SHARE = 0.5
"""Consonants may take so much of the note before them."""

ATTACK_S = 0.02
RELEASE_S = 0.06
"""Fades where sound follows silence, or silence sound."""

_JOINED_S = 0.01
PORTAMENTO_S = 0.07
PORTAMENTO_LEAD_S = 0.03
"""The glide to a note is centred so long before its beat: the vowel begins on pitch."""

VIBRATO_HZ = 5.5
VIBRATO_CENTS = 30.0
VIBRATO_AFTER_S = 0.3
VIBRATO_RAMP_S = 0.3
_VOWEL_LETTERS = frozenset("aAeEiIoOuU03@VYyQ&")
_STRESS_MARKS = "',%="


@dataclass(frozen=True, slots=True)
class Phone:
    """A phoneme in the source at `AUDIO_RATE_HZ`."""

    name: str
    start: int
    end: int

    @property
    def is_vowel(self) -> bool:
        return self.name.lstrip(_STRESS_MARKS)[:1] in _VOWEL_LETTERS

    @property
    def is_diphthong(self) -> bool:
        letters = self.name.lstrip(_STRESS_MARKS)
        return len(letters) > 1 and letters[0] in _VOWEL_LETTERS and letters[1] in _VOWEL_LETTERS


Retell = Callable[[Telling, int], Iterator[NDArray[np.float32]]]
"""The source along these curves, in pieces of about so many samples at `AUDIO_RATE_HZ`."""


@dataclass(frozen=True, slots=True)
class Sung:
    """A song being sung: pieces of PCM to draw one after the other, and its words in the song's samples and text."""

    pieces: Iterator[NDArray[np.float32]]
    words: tuple[SpokenWord, ...]
    lead_s: float
    """How long before its first beat the song begins."""


@dataclass(slots=True)
class _Sound:
    """A stretch of the source and where it goes; seconds of the song, samples of the source."""

    start_s: float
    end_s: float
    first: float
    last: float


def lay_out(words: list[LyricWord], phones: list[list[Phone]]) -> list[tuple[Syllable, list[Phone], list[Phone]]]:
    """For each syllable the phones before its vowel and the vowel with what follows inside its own word.

    `phones` has the phones of each word. Surplus vowels go to the word's last syllable; a syllable left without a vowel
    lengthens the one before it.
    """
    placed: list[tuple[Syllable, list[Phone], list[Phone]]] = []
    for word, sounds in zip(words, phones, strict=True):
        vowels = [index for index, phone in enumerate(sounds) if phone.is_vowel] or [0]
        if not sounds:
            continue
        syllables = list(word.syllables)
        while len(syllables) > len(vowels):
            surplus = syllables.pop()
            syllables[-1] = Syllable(syllables[-1].start_s, surplus.end_s)
        nuclei = vowels[: len(syllables)]
        begins = [0] + [_onset(sounds, nuclei[i - 1], nuclei[i]) for i in range(1, len(nuclei))]
        for index, syllable in enumerate(syllables):
            end = begins[index + 1] if index + 1 < len(begins) else len(sounds)
            placed.append((syllable, sounds[begins[index] : nuclei[index]], sounds[nuclei[index] : end]))
    return placed


def _onset(sounds: list[Phone], vowel: int, following: int) -> int:
    """Where the second of two syllables begins: one consonant goes to it, of more the first stays behind."""
    between = following - vowel - 1
    return following - between if between < 2 else vowel + 2


def schedule(placed: list[tuple[Syllable, list[Phone], list[Phone]]], end_s: float) -> list[_Sound]:
    """Times for all sounds, the last ending by `end_s`; the consonants before the first beat may lie before 0."""
    sounds: list[_Sound] = []
    for index, (syllable, onset, rime) in enumerate(placed):
        following = placed[index + 1] if index + 1 < len(placed) else None
        note_s = syllable.end_s - syllable.start_s
        sounds += _paced(onset, syllable.start_s - _onset_s(onset), syllable.start_s)
        limit_s = min(syllable.end_s, end_s)
        if following is not None:
            limit_s = min(limit_s, following[0].start_s - _onset_s(following[1]))
        limit_s = max(limit_s, syllable.start_s + 0.25 * note_s)
        coda = rime[1:]
        coda_s = min(_natural_s(coda), CLUSTER_SHARE * (limit_s - syllable.start_s), LONGEST_CLUSTER_S)
        sounds += _stretched(rime[0], syllable.start_s, limit_s - coda_s)
        sounds += _paced(coda, limit_s - coda_s, limit_s)
    return sounds


def _natural_s(phones: list[Phone]) -> float:
    return sum(phone.end - phone.start for phone in phones) / AUDIO_RATE_HZ


def _onset_s(phones: list[Phone]) -> float:
    return min(_natural_s(phones), LONGEST_CLUSTER_S)


def _paced(phones: list[Phone], start_s: float, end_s: float) -> list[_Sound]:
    """Consonants at their natural proportions between two times."""
    natural = _natural_s(phones)
    sounds, at_s = [], start_s
    for phone in phones:
        share = (phone.end - phone.start) / AUDIO_RATE_HZ / max(natural, 1e-6)
        sounds.append(_Sound(at_s, at_s + share * (end_s - start_s), phone.start, phone.end))
        at_s = sounds[-1].end_s
    return sounds


def _stretched(vowel: Phone, start_s: float, end_s: float) -> list[_Sound]:
    """A vowel between two times: stretched in its middle when there is more time than it takes by itself."""
    natural = (vowel.end - vowel.start) / AUDIO_RATE_HZ
    if end_s - start_s <= natural:
        return [_Sound(start_s, end_s, vowel.start, vowel.end)]
    attack = 0.2 * natural
    release = (0.55 if vowel.is_diphthong else 0.3) * natural
    first, last = vowel.start + attack * AUDIO_RATE_HZ, vowel.end - release * AUDIO_RATE_HZ
    return [
        _Sound(start_s, start_s + attack, vowel.start, first),
        _Sound(start_s + attack, end_s - release, first, last),
        _Sound(end_s - release, end_s, last, vowel.end),
    ]


def melody(notes: list[TimedNote], lead_s: float, count: int) -> NDArray[np.float64]:
    """F0 in Hz at `count` curve points, the first `lead_s` before the first beat: notes joined by glides, vibrato."""
    times = np.arange(count) * CURVE_HOP / AUDIO_RATE_HZ - lead_s
    midi = np.full(count, np.nan)
    vibrato = np.zeros(count)
    for note in notes:
        if note.midi is None:
            continue
        inside = (times >= note.start_s - PORTAMENTO_LEAD_S) & (times < note.end_s - PORTAMENTO_LEAD_S)
        midi[inside] = note.midi
        since = times - note.start_s
        depth = np.clip((since - VIBRATO_AFTER_S) / VIBRATO_RAMP_S, 0.0, 1.0)
        vibrato += np.where(inside, depth * np.sin(2 * np.pi * VIBRATO_HZ * since), 0.0)
    midi = _filled(midi)
    kernel = np.hanning(max(3, round(PORTAMENTO_S * AUDIO_RATE_HZ / CURVE_HOP) | 1) + 2)
    margin = len(kernel) // 2
    glided = np.convolve(np.pad(midi, margin, mode="edge"), kernel / kernel.sum(), "valid")
    curve: NDArray[np.float64] = 440.0 * 2.0 ** ((glided + vibrato * VIBRATO_CENTS / 100.0 - 69.0) / 12.0)
    return curve


def _filled(midi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rests take the pitch of the note that follows (its consonants begin in them), the end that of the last note."""
    known = np.flatnonzero(~np.isnan(midi))
    if not len(known):
        return np.full(len(midi), 60.0)
    following = np.minimum(np.searchsorted(known, np.arange(len(midi))), len(known) - 1)
    return midi[known[following]]


def telling(sounds: list[_Sound], notes: list[TimedNote], lead_s: float, end_s: float) -> Telling:
    """The curves that retell the source as these sounds on this melody."""
    count = int(np.ceil((end_s + lead_s) * AUDIO_RATE_HZ / CURVE_HOP)) + 1
    times = np.arange(count) * CURVE_HOP / AUDIO_RATE_HZ - lead_s
    position, gain = np.zeros(count), np.zeros(count)
    for index, sound in enumerate(sounds):
        inside = (times >= sound.start_s) & (times < sound.end_s)
        share = (times[inside] - sound.start_s) / max(sound.end_s - sound.start_s, 1e-6)
        position[inside] = sound.first + share * (sound.last - sound.first)
        gain[inside] = 1.0
        if index == 0 or sound.start_s - sounds[index - 1].end_s > _JOINED_S:
            gain[inside] *= np.clip((times[inside] - sound.start_s) / ATTACK_S, 0.0, 1.0)
        if index + 1 == len(sounds) or sounds[index + 1].start_s - sound.end_s > _JOINED_S:
            gain[inside] *= np.clip((sound.end_s - times[inside]) / RELEASE_S, 0.0, 1.0)
    return Telling(position, melody(notes, lead_s, count), gain)


class Score:
    """A song with its words said: ready to be laid out and sung."""

    def __init__(
        self,
        notes: list[TimedNote],
        words: list[LyricWord],
        phones: list[list[Phone]],
        retell: Retell,
    ) -> None:
        """`phones` are the phones of each word in the source, which are its words said; `retell` turns it into song."""
        self._notes = notes
        self._words = words
        self._phones = phones
        self._retell = retell
        self._placed = lay_out(words, phones)

    @property
    def lead_s(self) -> float:
        """How long the consonants before the first beat take, if the song begins with a word."""
        if not self._placed:
            return 0.0
        syllable, onset, _ = self._placed[0]
        return max(0.0, _onset_s(onset) - syllable.start_s)

    def sing(self, cut_s: float = 0.0, piece: int = FRAME_SAMPLES) -> Sung:
        """Begin to sing, ending `cut_s` early so that the consonants of what follows find room."""
        end_s = max(0.05, (self._notes[-1].end_s if self._notes else 0.0) - cut_s)
        sounds = schedule(self._placed, end_s)
        curves = telling(sounds, self._notes, self.lead_s, end_s)
        return Sung(self._retell(curves, piece), self._timed(sounds), self.lead_s)

    def _timed(self, sounds: list[_Sound]) -> tuple[SpokenWord, ...]:
        """When each word is sung: from its first sound to its last."""
        timed = []
        for word, phones in zip(self._words, self._phones, strict=True):
            own = [sound for sound in sounds if phones and phones[0].start <= sound.first < phones[-1].end]
            if not own or not word.text:
                continue
            start, end = (round((at + self.lead_s) * AUDIO_RATE_HZ) for at in (own[0].start_s, own[-1].end_s))
            timed.append(SpokenWord(word.text, start, end, word.char_start, word.char_start + len(word.text)))
        return tuple(timed)
