"""One voice of the eSpeak mouth: a phrase of text in, 24 kHz audio with word times out."""

from dataclasses import dataclass, replace

import numpy as np
import soxr
from numpy.typing import NDArray

from inference.effects.f0 import median_f0
from inference.effects.retune import Retuner
from inference.effects.settings import MadeProsody
from inference.errors import InvalidSpec
from inference.mouth.espeak_library import (
    ESPEAK_RATE_HZ,
    FASTEST_WPM,
    SLOWEST_WPM,
    EspeakLibrary,
    EspeakSettings,
    Rendering,
)
from inference.mouth.espeak_pitch import CALIBRATION_POINTS, CALIBRATION_WPM, PitchModel
from inference.mouth.lyrics import LyricWord, TimedNote, perform, read_lyrics
from inference.mouth.phrases import Phrase, Run, Word, ends_clause, speakable, split_runs, split_words
from inference.mouth.singing import Phone, Retell, Score
from inference.protocol import AUDIO_RATE_HZ, Song, StyleSpec, VoiceSpec

_RATIO = AUDIO_RATE_HZ / ESPEAK_RATE_HZ
_READS_HAN = ("cmn", "yue", "hak", "nan", "ja")
VOICE_RMS = 0.1
HIGHEST_PEAK = 0.8
SUNG_WPM = 120
"""Slow enough for full vowels, quick enough for crisp consonants."""

_TAIL_S = 0.03
"""Sound kept after the last phoneme's end: formants still ring there."""

_SYLLABLE_BREAK = "_|"
"""Mandarin voices mark the end of each syllable."""

_CALIBRATION_TEXT = {False: "We were all away in the long warm morning.", True: "妈妈来了，我们要回家。"}


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word and its samples within its phrase's audio; offsets in the phrase's text."""

    word: Word
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class SpokenPhrase:
    """`pcm` float32 [S] at `AUDIO_RATE_HZ` without the pause that follows."""

    pcm: NDArray[np.float32]
    words: tuple[TimedWord, ...]
    made: MadeProsody


class EspeakVoice:
    """Speaks for one `VoiceSpec`. Han characters in a language without them are read by the Mandarin voice, Latin
    words in a Mandarin text by the English one, with the same timbre and pitch."""

    def __init__(self, library: EspeakLibrary, spec: VoiceSpec) -> None:
        """Finds settings that give `spec.pitch_hz`. Raises `InvalidSpec` for an unknown language or variant."""
        self._library = library
        self.spec = spec
        library.check(EspeakSettings(spec.language, spec.variant))
        self._gains: dict[bool, float] = {}
        self._pitches = {is_cjk: self._measured(is_cjk) for is_cjk in (False, True)}

    def speak(self, phrase: Phrase, style: StyleSpec) -> SpokenPhrase:
        """Say one phrase with the rate, pitch and range of `style`."""
        text = phrase.text
        chunks: list[NDArray[np.float32]] = []
        timed: list[TimedWord] = []
        words = split_words(text)
        plain = speakable(text)
        position = 0
        made = MadeProsody(style.rate, self.spec.pitch_hz, style.pitch_range)
        for run in split_runs(text):
            inside = [word for word in words if run.start <= word.start < run.end]
            if not inside:
                continue
            spoken = plain[run.start : run.end]
            if run.end < len(text) or (phrase.continues and not ends_clause(text)):
                spoken += ","
            settings = self._settings(style, run.is_cjk)
            made = self._made(settings, style, run.is_cjk)
            rendering = self._library.render(spoken, settings)
            pcm = _to_wire_rate(rendering, self._gains[run.is_cjk])
            timed += _place_words(inside, run, rendering, position, len(pcm))
            chunks.append(pcm)
            position += len(pcm)
        return SpokenPhrase(np.concatenate(chunks) if chunks else np.zeros(0, np.float32), tuple(timed), made)

    def score(self, song: Song, style: StyleSpec) -> Score:
        """A song ready to be sung at the tempo and pitch of `style`. Costs about as much as a phrase."""
        notes = perform(song, style.rate, style.pitch_semitones)
        words = read_lyrics(notes)
        if not words:
            return Score(notes, [], [], self._retelling(np.zeros(0, np.float32)))
        is_cjk = split_runs(words[0].pronounced)[0].is_cjk
        text = ("" if is_cjk else " ").join(word.pronounced for word in words)
        settings = replace(
            self._settings(style, is_cjk),
            words_per_minute=SUNG_WPM,
            pitch_range=0,
            pitch=self._pitches[is_cjk].parameters(_middle_hz(notes), 0.0)[0],
        )
        rendering = self._library.render(text, settings)
        phones = phones_by_word(rendering, words, text)
        return Score(notes, words, phones, self._retelling(_to_wire_rate(rendering, self._gains[is_cjk])))

    def _retelling(self, source: NDArray[np.float32]) -> Retell:
        return lambda curves, piece: iter(Retuner(source, curves, piece, self.spec.formant_ratio))

    def _language(self, is_cjk: bool) -> str:
        reads_han = self.spec.language in _READS_HAN
        if is_cjk:
            return self.spec.language if reads_han else "cmn"
        return "en-us" if reads_han else self.spec.language

    def _settings(self, style: StyleSpec, is_cjk: bool) -> EspeakSettings:
        pitch, pitch_range = self._pitches[is_cjk].parameters(
            self.spec.pitch_hz * 2.0 ** (style.pitch_semitones / 12.0), self.spec.pitch_range * style.pitch_range
        )
        return EspeakSettings(
            language=self._language(is_cjk),
            variant=self.spec.variant,
            words_per_minute=_clamped(self.spec.words_per_minute * style.rate, SLOWEST_WPM, FASTEST_WPM),
            pitch=pitch,
            pitch_range=pitch_range,
        )

    def _made(self, settings: EspeakSettings, style: StyleSpec, is_cjk: bool) -> MadeProsody:
        """What eSpeak, within its limits, makes of a style."""
        median_hz, movement = self._pitches[is_cjk].result(settings.pitch, settings.pitch_range)
        return MadeProsody(
            rate=settings.words_per_minute / self.spec.words_per_minute,
            median_hz=median_hz,
            pitch_range=movement / self.spec.pitch_range if self.spec.pitch_range > 0 else style.pitch_range,
        )

    def _measured(self, is_cjk: bool) -> PitchModel:
        """The pitch model of this timbre in one script, from three short renderings; its gain as well."""
        medians = []
        for pitch, pitch_range in CALIBRATION_POINTS:
            settings = EspeakSettings(
                self._language(is_cjk), self.spec.variant, CALIBRATION_WPM, pitch=pitch, pitch_range=pitch_range
            )
            rendering = self._library.render(_CALIBRATION_TEXT[is_cjk], settings)
            median = median_f0(rendering.pcm, ESPEAK_RATE_HZ, hop_s=0.02)
            if median is None:
                raise InvalidSpec(f"the variant {self.spec.variant!r} has no pitch: whisper is a style, not a voice")
            medians.append(median)
            self._gains[is_cjk] = _even_gain(rendering.pcm)
        return PitchModel.fitted(*medians)


def _clamped(value: float, low: int, high: int) -> int:
    return round(min(max(value, low), high))


def _even_gain(pcm: NDArray[np.float32]) -> float:
    """What brings a voice to the common loudness: timbres and languages differ by 6 dB, and some reach full scale."""
    loudness = float(np.sqrt(np.mean(pcm**2)))
    return min(VOICE_RMS / max(loudness, 1e-4), HIGHEST_PEAK / max(float(np.abs(pcm).max()), 1e-4))


def _to_wire_rate(rendering: Rendering, gain: float) -> NDArray[np.float32]:
    """The voiced stretch of a rendering at the wire's rate; it begins and ends in silence, so no state is carried."""
    tail = round(_TAIL_S * ESPEAK_RATE_HZ)
    end = min(rendering.voice_end + tail, len(rendering.pcm))
    pcm = rendering.pcm[:end] * np.float32(gain)
    fade = min(tail, end)
    pcm[end - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    resampled: NDArray[np.float32] = soxr.resample(pcm, ESPEAK_RATE_HZ, AUDIO_RATE_HZ, quality="HQ")
    return np.clip(resampled, -1.0, 1.0)


def _place_words(words: list[Word], run: Run, rendering: Rendering, offset: int, length: int) -> list[TimedWord]:
    """Times for the words of one run.

    A word starts at the first event inside it; words without an event of their own (eSpeak joins some) share the time
    of the word before them evenly. It ends where the next begins, or where the voice ends.
    """
    starts: list[int | None] = [None] * len(words)
    for mark in rendering.words:
        char = mark.char_start + run.start
        for index, word in enumerate(words):
            if word.start <= char < word.end and starts[index] is None:
                starts[index] = round(mark.sample * _RATIO)
    filled = _fill_starts(starts, min(round(rendering.voice_end * _RATIO), length))
    return [
        TimedWord(word, offset + filled[index], offset + max(filled[index], filled[index + 1]))
        for index, word in enumerate(words)
    ]


def _fill_starts(starts: list[int | None], end: int) -> list[int]:
    """Starts for all words, ascending, and the end of the last one."""
    known = [(0, starts[0] or 0)] + [(i, s) for i, s in enumerate(starts) if i > 0 and s is not None]
    known.append((len(starts), end))
    indices, samples = zip(*known, strict=True)
    ascending = np.maximum.accumulate(np.minimum(samples, end))
    return [round(value) for value in np.interp(np.arange(len(starts) + 1), indices, ascending)]


def _middle_hz(notes: list[TimedNote]) -> float:
    """The melody's median by time: said near it, the source needs the least shifting."""
    pitched = [note for note in notes if note.midi is not None]
    if not pitched:
        return 220.0
    midi = np.repeat([note.midi for note in pitched], [max(1, round(50 * (n.end_s - n.start_s))) for n in pitched])
    return float(440.0 * 2.0 ** ((np.median(midi) - 69.0) / 12.0))


def phones_by_word(rendering: Rendering, words: list[LyricWord], text: str) -> list[list[Phone]]:
    """The phones of each word, without pauses, in samples of the wire's rate."""
    marks = rendering.phonemes
    ends = [mark.sample for mark in marks[1:]] + [rendering.voice_end]
    groups: list[list[Phone]] = [[]]
    phones = []
    for mark, end in zip(marks, ends, strict=True):
        if mark.name == _SYLLABLE_BREAK and groups[-1]:
            groups.append([])
        if not mark.is_pause and end > mark.sample:
            phones.append(Phone(mark.name, round(mark.sample * _RATIO), round(end * _RATIO)))
            groups[-1].append(phones[-1])
    if len([group for group in groups if group]) == len(words):
        return [group for group in groups if group]
    starts = _word_starts(rendering, words, text)
    by_word: list[list[Phone]] = [[] for _ in words]
    for phone in phones:
        by_word[max(0, int(np.searchsorted(starts, phone.start, "right")) - 1)].append(phone)
    return by_word


def _word_starts(rendering: Rendering, words: list[LyricWord], text: str) -> list[int]:
    """First sample of each word at the wire's rate; `text` holds their pronunciations in order."""
    starts: list[int | None] = []
    char = 0
    for word in words:
        char = text.index(word.pronounced, char)
        end = char + len(word.pronounced)
        own = [mark.sample for mark in rendering.words if char <= mark.char_start < end]
        starts.append(round(own[0] * _RATIO) if own else None)
        char = end
    return _fill_starts(starts, round(rendering.voice_end * _RATIO))[:-1]
