"""What each style does to a speaker: measured against the same sentences said neutrally."""

import math
from collections.abc import Sequence
from typing import Any

from inference.protocol import StyleSpec, VoiceSpec
from inference.training.speaking import speak_all
from inference.training.variation import STYLES
from inference.training.voice_figures import heard, pitch_facts
from inference.worker.phone_mouth import PhoneMouth


def style_figures(mouth: PhoneMouth, voice: VoiceSpec, texts: Sequence[str], at_once: int) -> dict[str, dict[str, Any]]:
    """Per style: rate against neutral and against what is asked, F0's move in semitones and its range, voiced share."""
    facts = {
        name: pitch_facts([heard(s.pcm) for s in speak_all(mouth, texts, voice, asked(name), at_once)])
        for name in STYLES
    }
    neutral = facts["neutral"]
    report: dict[str, dict[str, Any]] = {}
    for name, found in facts.items():
        rate = neutral["seconds_per_sentence"] / found["seconds_per_sentence"]
        entry: dict[str, Any] = {
            "rate": round(rate, 3),
            "asked_rate": STYLES[name].rate,
            "rate_error": round(rate / STYLES[name].rate - 1, 3),
            "voiced_share_of_loud": found["voiced_share_of_loud"],
        }
        if found["f0_median_hz"]:
            moved = 12 * math.log2(found["f0_median_hz"] / neutral["f0_median_hz"])
            entry["f0_moved_semitones"] = round(moved, 2)
            entry["f0_range"] = round(found["f0_spread_semitones"] / neutral["f0_spread_semitones"], 2)
        report[name] = entry
    return report


def asked(name: str) -> StyleSpec:
    """A style as the library asks for it, with nothing beside what the model itself does."""
    manner = STYLES[name]
    return StyleSpec(
        slug=name,
        rate=manner.rate,
        pitch_semitones=manner.pitch_semitones,
        pitch_range=manner.pitch_range,
        level_db=manner.level_db,
        whisper=1.0 if manner.whispered else 0.0,
    )
