"""`python -m inference.training.model_card --figures FILE... --to FILE`: the model card, its tables from evaluations.

FILE are JSON reports of `inference.training.evaluate`; later ones add to earlier ones.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from inference.training.variation import STYLES
from inference.training.voices import SHIPPED, VOICES, Speaker

TEXT = Path(__file__).with_name("model_card.md")
_PLACES = ("VOICES", "TEACHERS", "KINDS", "STYLES", "SINGING", "SPEED")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=Path, nargs="+", required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    figures = merged(json.loads(path.read_text(encoding="utf-8")) for path in options.figures)
    options.to.write_text(filled(TEXT.read_text(encoding="utf-8"), figures), encoding="utf-8")


def merged(reports: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One report of several."""
    total: dict[str, Any] = {"voices": {}, "styles": {}, "singing": {}, "speed": []}
    for report in reports:
        for name in ("voices", "styles", "singing"):
            for voice, found in report.get(name, {}).items():
                if voice not in SHIPPED:
                    continue
                total[name].setdefault(voice, {}).update(found | {"of": report["sentences"]})
        total["speed"] = report.get("speed", total["speed"])
    return total


def filled(text: str, figures: dict[str, Any]) -> str:
    """The card with a table in each of its places."""
    tables = (_voices, _teachers, _kinds, _styles, _singing, _speed)
    for place, table in zip(_PLACES, tables, strict=True):
        text = text.replace(f"<!-- {place} -->", "\n".join(table(figures)))
    return text


def _voices(figures: dict[str, Any]) -> list[str]:
    rows = [
        (
            name,
            _origin(VOICES[name]),
            f"{found['f0_median_hz']:.0f}",
            f"{found['wer']:.1f} ({found['of']})",
            f"{found['similarity']['own']:.2f} / {found['similarity']['nearest_other']:.2f}"
            f" ({found['similarity']['nearest_other_is']})",
            f"{found['skipped_words_per_100_sentences']:.0f} / {found['added_words_per_100_sentences']:.0f}",
            str(found["run_ons"]),
        )
        for name, found in figures["voices"].items()
    ]
    return _table(
        ("speaker", "made of", "F0, Hz", "WER % (sentences)", "similarity: own / nearest other",
         "words lost / added per 100 sentences", "run-ons"), rows)  # fmt: skip


def _origin(speaker: Speaker) -> str:
    moved = [f"formants x {speaker.formant_ratio:g}"] if speaker.formant_ratio != 1 else []
    moved += [f"{speaker.pitch_semitones:+g} semitones"] if speaker.pitch_semitones else []
    return ", ".join([speaker.teacher, *moved])


def _teachers(figures: dict[str, Any]) -> list[str]:
    rows = [
        (name, teacher["teacher"], f"{teacher['wer']:.1f}", f"{teacher['codec_wer']:.1f}", f"{found['wer']:.1f}",
         f"{100 * teacher['codec_voicing_error']:.1f}", f"{teacher['codec_f0_error_cents']:.0f}")
        for name, found in figures["voices"].items()
        if "wer" in (teacher := found.get("teacher", {}))
    ]  # fmt: skip
    heads = ("speaker", "teacher", "WER % of the teacher", "of the codec", "of the model", "codec: voicing error %",
             "codec: median F0 error, cents")  # fmt: skip
    return _table(heads, rows)


def _kinds(figures: dict[str, Any]) -> list[str]:
    kinds = sorted({kind for found in figures["voices"].values() for kind in found["wer_by_kind"]})
    rows = [
        (name, *(f"{found['wer_by_kind'].get(kind, float('nan')):.1f}" for kind in kinds))
        for name, found in figures["voices"].items()
        if "teacher" in found
    ]
    return _table(("speaker", *kinds), rows)


def _styles(figures: dict[str, Any]) -> list[str]:
    rows = [
        (
            voice,
            style,
            f"{found[style]['rate']:.2f} ({found[style]['asked_rate']:g})",
            f"{found[style].get('f0_moved_semitones', 0):+.1f} ({STYLES[style].pitch_semitones:+g})",
            f"{found[style].get('f0_range', 0):.2f} ({STYLES[style].pitch_range:g})",
            f"{100 * found[style]['voiced_share_of_loud']:.1f}",
        )
        for voice, found in figures["styles"].items()
        for style in STYLES
        if style != "neutral"
    ]
    return _table(
        ("speaker", "style", "rate (asked)", "F0 moved, semitones (asked)", "range (asked)", "voiced %"), rows
    )


def _singing(figures: dict[str, Any]) -> list[str]:
    rows = []
    for voice, found in figures["singing"].items():
        measured = ("median_pitch_error_cents", "p95_pitch_error_cents", "median_onset_error_ms")
        within = f"{100 * found['onsets_within_80_ms']:.0f}"
        rows.append((voice, str(found["songs"]), *(f"{found[name]:.0f}" for name in measured), within))
    heads = ("speaker", "songs", "median pitch error, cents", "95 %", "median onset error, ms", "within 80 ms, %")
    return _table(heads, rows)


def _speed(figures: dict[str, Any]) -> list[str]:
    rows = [
        (str(speed["streams"]), f"{speed['real_time_factor']:.1f}", f"{speed['ms_per_frame']:.1f}",
         f"{speed['first_audio_ms']:.0f}")
        for speed in figures["speed"]
    ]  # fmt: skip
    return _table(("streams", "x real time, all together", "ms per frame of all", "first audio, ms"), rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


if __name__ == "__main__":
    main()
