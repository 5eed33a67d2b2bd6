"""How truly the mouth sings its scores: prints JSON.

    .venv/bin/python -m scripts.bench_singing [--character soul-singer] [--songs 3] [--wav-dir DIR]

Every phrase of the character's songs is sung in its voice. `pitch`: F0 of the sound (YIN) against the score in the
middle of each note. `onset`: where a recogniser, aligned to the lyrics, finds each vowel begin, against its beat; it
loses its place in some phrases, so the share within 80 ms says more than the tail. `chosen`: how often the recogniser
picks the right phrase out of all of the character's phrases, sung and spoken.
"""

import argparse
import json
import statistics
import wave
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import yaml
from numpy.typing import NDArray
from pocketsphinx import Decoder

from characters.cast_file import read_cast_file
from characters.cast_file.activities import SongActivity
from inference.effects.f0 import track_f0
from inference.mouth.espeak_mouth import EspeakMouth
from inference.mouth.lyrics import perform, read_lyrics
from inference.protocol import AUDIO_RATE_HZ, Song, StyleSpec, VoiceSpec, Words

ROOT = Path(__file__).resolve().parent.parent
EARS_RATE_HZ = 16_000
HOP_S = 0.01
Floats = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--character", default="soul-singer")
    parser.add_argument("--songs", type=int, default=99, help="measure so many songs only")
    parser.add_argument("--wav-dir", type=Path, help="write the songs here as well")
    options = parser.parse_args()
    cast = read_cast_file(ROOT / "characters" / "cast" / f"{options.character}.yaml")
    songs = [activity for activity in cast.activities if isinstance(activity, SongActivity)][: options.songs]
    mouth, voice = EspeakMouth(), _voice(cast.voice)
    phrases = [song for activity in songs for song in activity.score()]
    chooser = _Chooser(phrases)
    report = {}
    onsets: list[float] = []
    for activity in songs:
        pcm = _render(mouth, voice, list(activity.score()))
        if options.wav_dir:
            _write_wav(options.wav_dir / f"{activity.slug}.wav", pcm)
        report[activity.slug], off = _measure(mouth, voice, activity.score(), pcm, chooser)
        onsets += off
    print(json.dumps({"voice": voice.slug, "songs": report, "all": _overall(report, onsets)}, indent=2))


def _voice(slug: str) -> VoiceSpec:
    library = yaml.safe_load((ROOT / "voices" / "library.yaml").read_text(encoding="utf-8"))
    entry = next(item for item in library["voices"] if item["slug"] == slug)
    known = {field.name for field in fields(VoiceSpec)}
    return VoiceSpec(**{key: value for key, value in entry.items() if key in known})


def _render(mouth: EspeakMouth, voice: VoiceSpec, parts: list[Any]) -> Floats:
    """The speech as PCM."""
    speech = mouth.begin(voice, StyleSpec())
    for part in parts:
        speech.add(part)
    speech.end()
    frames = []
    while (frame := speech.frame()) is not None:
        frames.append(frame.pcm)
    return np.concatenate(frames)


def _measure(
    mouth: EspeakMouth, voice: VoiceSpec, phrases: tuple[Song, ...], pcm: Floats, chooser: "_Chooser"
) -> tuple[dict[str, Any], list[float]]:
    at_s = mouth.voice(voice).score(phrases[0], StyleSpec()).lead_s
    cents: list[float] = []
    onsets: list[float] = []
    voiced: list[float] = []
    chosen = {"sung": 0, "spoken": 0}
    for phrase in phrases:
        length_s = sum(note.seconds for note in phrase.notes)
        first = round(max(0.0, at_s - 0.25) * AUDIO_RATE_HZ)
        sound = pcm[first : round((at_s + length_s) * AUDIO_RATE_HZ)]
        before_s = at_s - first / AUDIO_RATE_HZ
        cents += _pitch_errors(phrase, sound, before_s, voiced)
        # Alone: in the song a phrase carries the consonants of the next.
        alone = _render(mouth, voice, [phrase])
        onsets += chooser.onset_errors(phrase, alone, mouth.voice(voice).score(phrase, StyleSpec()).lead_s)
        spoken = _render(mouth, voice, [Words(phrase.lyrics)])
        chosen["sung"] += chooser.picks(phrase, alone)
        chosen["spoken"] += chooser.picks(phrase, spoken)
        at_s += length_s
    facts = {
        "phrases": len(phrases),
        "seconds": round(len(pcm) / AUDIO_RATE_HZ, 1),
        "pitch": {
            "median_abs_cents": _rounded(statistics.median(np.abs(cents))),
            "p95_abs_cents": _rounded(float(np.percentile(np.abs(cents), 95))),
            "share_off_50_cents": _rounded(float(np.mean(np.abs(cents) > 50)), 4),
            "voiced_share": _rounded(statistics.mean(voiced), 3),
        },
        "onset": {
            "vowels": len(onsets),
            "median_abs_ms": _rounded(statistics.median(np.abs(onsets))) if onsets else None,
            "median_ms": _rounded(statistics.median(onsets)) if onsets else None,
            "share_within_80_ms": _rounded(float(np.mean(np.abs(onsets) <= 80)), 3) if onsets else None,
        },
        "chosen": {key: round(count / len(phrases), 3) for key, count in chosen.items()},
    }
    return facts, onsets


def _pitch_errors(phrase: Song, sound: Floats, before_s: float, voiced: list[float]) -> list[float]:
    """Cents off the score of every voiced window in the middle of the notes."""
    f0 = track_f0(sound, AUDIO_RATE_HZ, HOP_S, highest_hz=1200.0)
    errors: list[float] = []
    at_s = before_s
    for note in phrase.notes:
        first, last = (round((at_s + share * note.seconds) / HOP_S) for share in (0.15, 0.7))
        at_s += note.seconds
        if note.midi is None or last <= first:
            continue
        found = f0[first:last]
        voiced.append(float(np.mean(found > 0)))
        wanted_hz = 440.0 * 2.0 ** ((note.midi - 69) / 12.0)
        errors += (1200.0 * np.log2(found[found > 0] / wanted_hz)).tolist()
    return errors


class _Chooser:
    """A recogniser told what may be sung."""

    def __init__(self, phrases: list[Song]) -> None:
        self._decoder = Decoder(loglevel="FATAL", lm=None)
        self._texts = {phrase.lyrics: self._known_words(phrase.lyrics) for phrase in phrases}
        choices = " | ".join(sorted({text for text in self._texts.values() if text}))
        self._decoder.add_jsgf_string("all", f"#JSGF V1.0; grammar all; public <phrase> = {choices};")

    def _known_words(self, lyrics: str) -> str:
        words = ["".join(c for c in word if c.isalpha() or c == "'") for word in lyrics.lower().split()]
        return " ".join(word for word in words if self._decoder.lookup_word(word))

    def picks(self, phrase: Song, sound: Floats) -> bool:
        """Whether of all phrases this one is heard."""
        self._decoder.activate_search("all")
        self._decode(self._decoder, sound)
        heard = self._decoder.hyp()
        return heard is not None and heard.hypstr == self._texts[phrase.lyrics]

    def onset_errors(self, phrase: Song, sound: Floats, before_s: float) -> list[float]:
        """Milliseconds from each beat to its vowel, where dictionary and score agree on the number of vowels."""
        words = [word for word in read_lyrics(perform(phrase, 1.0, 0.0)) if word.text]
        spelled = ["".join(c for c in word.text.lower() if c.isalpha() or c == "'") for word in words]
        if not words or any(self._decoder.lookup_word(word) is None for word in spelled):
            return []
        aligner = Decoder(loglevel="FATAL", lm=None, beam=1e-120, wbeam=1e-120, pbeam=1e-120)
        aligner.set_align_text(" ".join(spelled))
        try:
            self._decode(aligner, sound)
            aligner.set_alignment()
            self._decode(aligner, sound)
        except RuntimeError:
            return []
        aligned = aligner.get_alignment()
        if aligned is None:
            return []
        # An entry of the alignment is valid only while the iteration stands on it.
        found = [(item.name, [phone.start * 10.0 for phone in item if phone.name[0] in "AEIOU"]) for item in aligned]
        found = [(name, vowels) for name, vowels in found if name[0].isalpha() or name[0] == "'"]
        errors = []
        for word, (_, vowels) in zip(words, found, strict=False):
            if len(vowels) == len(word.syllables):
                beats = [1000.0 * (before_s + syllable.start_s) for syllable in word.syllables]
                errors += [vowel - beat for vowel, beat in zip(vowels, beats, strict=True)]
        return errors

    @staticmethod
    def _decode(decoder: Decoder, sound: Floats) -> None:
        pcm = soxr.resample(sound, AUDIO_RATE_HZ, EARS_RATE_HZ)
        decoder.start_utt()
        decoder.process_raw((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()


def _overall(report: dict[str, Any], onsets: list[float]) -> dict[str, Any]:
    songs = list(report.values())
    return {
        "worst_median_abs_cents": max(song["pitch"]["median_abs_cents"] for song in songs),
        "vowels_aligned": len(onsets),
        "median_abs_onset_ms": _rounded(statistics.median(np.abs(onsets))) if onsets else None,
        "onset_within_80_ms": _rounded(float(np.mean(np.abs(onsets) <= 80)), 3) if onsets else None,
        "chosen_sung": _rounded(statistics.mean(song["chosen"]["sung"] for song in songs), 3),
        "chosen_spoken": _rounded(statistics.mean(song["chosen"]["spoken"] for song in songs), 3),
    }


def _rounded(value: float, digits: int = 1) -> float:
    return round(float(value), digits)


def _write_wav(path: Path, pcm: Floats) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(AUDIO_RATE_HZ)
        wav.writeframes((np.clip(pcm, -1, 1) * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
