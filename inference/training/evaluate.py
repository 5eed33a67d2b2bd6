"""`python -m inference.training.evaluate --sentences FILE [--voice V] [--style S]`: what the shipped checkpoint can do.

FILE has a sentence a line; or, with tabs between, kind, sentence and the words as said where it is written otherwise.
Prints JSON. Word error rates are pocketsphinx's with its general model, which knows nothing of the sentences.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from inference.pronunciation.pronouncer import Pronouncer
from inference.protocol import VoiceSpec
from inference.training.recognition import NO_ERRORS, Recogniser, WordErrors, normal_words, word_errors
from inference.training.singing_figures import singing_figures
from inference.training.speaker_embedding import SpeakerSpace
from inference.training.speaking import measure_speed, speak_all
from inference.training.style_figures import asked, style_figures
from inference.training.teacher_figures import TeacherFigures, teacher_figures
from inference.training.variation import STYLES
from inference.training.voice_figures import VoiceFigures
from inference.training.wav_file import write_wav
from inference.worker.bundled_voice import BUNDLED, open_mouth
from inference.worker.phone_mouth import PhoneMouth

AT_ONCE = 4
STREAMS = (1, 4, 8, 16)
STYLE_SENTENCES, SONGS = 25, 8


@dataclass(frozen=True, slots=True)
class Sentence:
    kind: str
    text: str
    words: tuple[str, ...]
    """As they are said."""


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    mouth = open_mouth(options.checkpoint, slots=max(STREAMS))
    sentences = read_sentences(options.sentences, mouth.pronouncer)
    chosen = sentences[:: max(1, len(sentences) // options.limit)][: options.limit] if options.limit else sentences
    voices = options.voice or mouth.voices.names
    if unknown := sorted(set(voices) - set(mouth.voices.names)):
        sys.exit(f"the checkpoint has no {', '.join(unknown)}; it has {', '.join(mouth.voices.names)}")
    space = SpeakerSpace.load(options.checkpoint)
    report: dict[str, Any] = {"checkpoint": str(options.checkpoint), "sentences": len(chosen), "voices": {}}
    for name in voices:
        found = evaluate_voice(mouth, name, options.style, chosen, space, options.out)
        report["voices"][name] = found | ({"teacher": teacher_report(name, chosen, mouth)} if options.teachers else {})
    if options.styles:
        texts = [sentence.text for sentence in chosen][:STYLE_SENTENCES]
        report["styles"] = {name: style_figures(mouth, voice_spec(mouth, name), texts, AT_ONCE) for name in voices}
    if options.singing:
        report["singing"] = {name: singing_figures(mouth, voice_spec(mouth, name), SONGS) for name in voices}
    if options.speed:
        report["speed"] = speed_figures(mouth, voices[0], options.style)
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--voice", action="append", help="a speaker of the checkpoint; may be given again; all without")
    parser.add_argument("--style", default="neutral", choices=list(STYLES), help="one of the model's styles")
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    parser.add_argument("--limit", type=int, default=0, help="only so many of the sentences, evenly taken")
    parser.add_argument("--teachers", action="store_true", help="also the teacher's own speech, and the codec's of it")
    parser.add_argument("--styles", action="store_true", help="also what each style does to rate, pitch and voicing")
    parser.add_argument("--singing", action="store_true", help="also pitch and onsets of melodies drawn at random")
    parser.add_argument("--speed", action="store_true", help="also real-time factors with 1, 4, 8 and 16 streams")
    parser.add_argument("--out", type=Path, help="a folder for WAV files of what was said")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def read_sentences(path: Path, pronouncer: Pronouncer) -> list[Sentence]:
    """Raises `OSError`; lines without a word are passed over."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, text, *said = line.split("\t") if "\t" in line else ("", line)
        words = normal_words(said[0] if said else " ".join(pronouncer.spoken(text)))
        if words:
            found.append(Sentence(kind, text.strip(), tuple(words)))
    return found


def evaluate_voice(
    mouth: PhoneMouth, name: str, style: str, sentences: Sequence[Sentence], space: SpeakerSpace, out: Path | None
) -> dict[str, Any]:
    """Everything measured of one speaker in one style. Raises `InvalidSpec` for a speaker who is none."""
    recogniser = Recogniser()
    errors: dict[str, WordErrors] = defaultdict(lambda: NO_ERRORS)
    by_text = {sentence.text: sentence for sentence in sentences}
    figures = VoiceFigures(mouth.voices, space)
    run_ons, worst = 0, []
    texts = list(by_text)
    spoken_ = speak_all(mouth, texts, voice_spec(mouth, name), asked(style), AT_ONCE)
    for number, spoken in enumerate(tqdm(spoken_, total=len(texts), desc=f"{name} {style}", file=sys.stderr)):
        sentence = by_text[spoken.text]
        heard = recogniser.words(spoken.pcm)
        found = word_errors(sentence.words, heard)
        errors["all"] += found
        errors[sentence.kind] += found
        run_ons += spoken.run_on
        figures.add(spoken.pcm)
        worst.append((found.rate, spoken.text, " ".join(heard)))
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            write_wav(out / f"{name}-{style}-{number:03d}.wav", spoken.pcm)
    return {
        "wer": _percent(errors["all"]),
        "wer_by_kind": {kind: _percent(found) for kind, found in sorted(errors.items()) if kind not in ("", "all")},
        "skipped_words_per_100_sentences": round(100 * errors["all"].deleted / len(texts), 1),
        "added_words_per_100_sentences": round(100 * errors["all"].inserted / len(texts), 1),
        "run_ons": run_ons,
        **figures.report(name),
        "worst": [{"said": text, "heard": heard} for _, text, heard in sorted(worst, reverse=True)[:3]],
    }


def voice_spec(mouth: PhoneMouth, name: str) -> VoiceSpec:
    """A speaker of the checkpoint as it is, nothing steered."""
    plain = VoiceSpec(slug=name, timbre=name)
    return VoiceSpec(slug=name, timbre=name, pitch_hz=mouth.voices.voice(plain).own_pitch_hz)


def teacher_report(name: str, sentences: Sequence[Sentence], mouth: PhoneMouth) -> dict[str, Any]:
    figures: TeacherFigures | None = teacher_figures(name, [(s.text, s.words) for s in sentences], mouth.shared.codec)
    return {"missing": "this speaker has no teacher of its own here"} if figures is None else figures.report()


def speed_figures(mouth: PhoneMouth, name: str, style: str) -> list[dict[str, float]]:
    text = "Good morning, and welcome back. We have a long day before us, so let us begin with something easy."
    spec, wanted = voice_spec(mouth, name), asked(style)
    measure_speed(mouth, text, spec, wanted, 1)
    measured = (measure_speed(mouth, text, spec, wanted, streams) for streams in STREAMS)
    return [
        {
            "streams": speed.streams,
            "real_time_factor": round(speed.real_time_factor, 1),
            "ms_per_frame": round(speed.ms_per_frame, 2),
            "first_audio_ms": round(speed.first_audio_ms, 1),
        }
        for speed in measured
    ]


def _percent(found: WordErrors) -> float:
    return round(100 * found.rate, 1)


if __name__ == "__main__":
    main()
