"""What the effects cost and what they do: prints JSON.

    .venv/bin/python -m scripts.bench_effects [--seconds 20]

Speech of the eSpeak mouth goes through each effect in frames, as in the worker. `real_time_factor` is the processor
time per second of sound on one core, `frame_ms` that of single frames (40 ms of sound). The facts say what came out.
"""

import argparse
import json
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.effects.chain import Chain
from inference.effects.f0 import median_f0, track_f0, voiced_share
from inference.effects.settings import EffectSettings
from inference.mouth.espeak_mouth import EspeakMouth
from inference.protocol import AUDIO_RATE_HZ, FRAME_SAMPLES, StyleSpec, VoiceSpec, Words

TEXT = (
    "The old lighthouse keeper climbed the winding stairs slowly, and the wind was howling all around him. "
    "Nobody had ever seen a storm like this one in the whole long history of the island. "
)
SETTINGS = {
    "neutral": EffectSettings(),
    "slow": EffectSettings(rate=0.7),
    "fast": EffectSettings(rate=1.5),
    "lower": EffectSettings(pitch_ratio=2 ** (-5 / 12)),
    "higher": EffectSettings(pitch_ratio=2 ** (5 / 12)),
    "monotone": EffectSettings(pitch_range=0.0),
    "dramatic": EffectSettings(pitch_range=2.0),
    "smaller_speaker": EffectSettings(formant_ratio=1.15),
    "whisper": EffectSettings(whisper=1.0),
    "half_whisper": EffectSettings(whisper=0.5),
    "loud": EffectSettings(level_db=9.0),
    "everything": EffectSettings(1.2, 1.2, 1.5, 1.1, 0.5, 3.0),
}
STYLES = {
    "slower": StyleSpec(rate=0.7),
    "faster": StyleSpec(rate=1.5),
    "higher": StyleSpec(pitch_semitones=5.0),
    "lower": StyleSpec(pitch_semitones=-5.0),
    "dramatic": StyleSpec(pitch_range=2.0),
    "whisper": StyleSpec(whisper=1.0),
}
Floats = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="speech that goes through each effect")
    options = parser.parse_args()
    mouth, voice = EspeakMouth(), VoiceSpec()
    speech, cost = _spoken(mouth, voice, StyleSpec(), TEXT)
    copies = int(np.ceil(options.seconds * AUDIO_RATE_HZ / len(speech)))
    long_speech = np.tile(speech, copies)
    median_hz = median_f0(speech, AUDIO_RATE_HZ) or 0.0
    effects = {name: _measured(settings, long_speech, median_hz) for name, settings in SETTINGS.items()}
    styles = {}
    for name, style in STYLES.items():
        styled, styled_cost = _spoken(mouth, voice, style, TEXT)
        styles[name] = {**_facts(speech, styled), **styled_cost}
    print(json.dumps({"mouth": cost, "effects": effects, "mouth_in_style": styles}, indent=2))


def _spoken(mouth: EspeakMouth, voice: VoiceSpec, style: StyleSpec, text: str) -> tuple[Floats, dict[str, Any]]:
    """A speech, and what it cost."""
    mouth.prepare(voice)
    began = time.perf_counter()
    speech = mouth.begin(voice, style)
    speech.add(Words(text))
    speech.end()
    frames, times = [], []
    while not speech.finished:
        start = time.thread_time()
        frame = speech.frame()
        times.append(time.thread_time() - start)
        if frame is not None:
            frames.append(frame.pcm)
        if len(frames) == 1:
            first_s = time.perf_counter() - began
    return np.concatenate(frames), {"first_frame_ms": round(1000 * first_s, 2), **_cost(times, len(frames))}


def _measured(settings: EffectSettings, speech: Floats, median_hz: float) -> dict[str, Any]:
    chain = Chain(EffectSettings(**{**_as_dict(settings), "median_hz": median_hz}))
    out, times, held, fed, given = [], [], 0, 0, 0
    for first in range(0, len(speech), FRAME_SAMPLES):
        piece = speech[first : first + FRAME_SAMPLES]
        start = time.thread_time()
        out.append(chain.process(piece))
        times.append(time.thread_time() - start)
        fed, given = fed + len(piece), given + len(out[-1])
        held = max(held, int(fed / settings.rate) - given)
    out.append(chain.flush())
    cost = _cost(times, len(times))
    return {**cost, "held_back_ms": round(1000 * held / AUDIO_RATE_HZ, 1), **_facts(speech, np.concatenate(out))}


def _as_dict(settings: EffectSettings) -> dict[str, float]:
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}


def _cost(times: list[float], frames: int) -> dict[str, Any]:
    milliseconds = 1000 * np.array(times)
    return {
        "real_time_factor": round(float(np.sum(times)) / (frames * FRAME_SAMPLES / AUDIO_RATE_HZ), 4),
        "frame_ms": {
            "mean": round(float(milliseconds.mean()), 3),
            "p99": round(float(np.percentile(milliseconds, 99)), 3),
            "max": round(float(milliseconds.max()), 3),
        },
    }


def _facts(before: Floats, after: Floats) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "length_ratio": round(len(after) / len(before), 3),
        "voiced_share": round(voiced_share(after, AUDIO_RATE_HZ), 3),
        "level_change_db": round(_rms_db(after) - _rms_db(before), 1),
        "peak": round(float(np.abs(after).max()), 3),
    }
    if facts["voiced_share"] > 0.1:
        medians = [median_f0(pcm, AUDIO_RATE_HZ) or 1.0 for pcm in (before, after)]
        facts["pitch_change_semitones"] = round(float(12 * np.log2(medians[1] / medians[0])), 2)
        facts["movement_ratio"] = round(_movement(after) / _movement(before), 2)
    return facts


def _rms_db(pcm: Floats) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(pcm**2)) + 1e-9))


def _movement(pcm: Floats) -> float:
    f0 = track_f0(pcm, AUDIO_RATE_HZ)
    low, high = np.percentile(f0[(f0 > 0) & (f0 < 450)], [10, 90])
    return float(12 * np.log2(high / low))


if __name__ == "__main__":
    main()
