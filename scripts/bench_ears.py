"""How well and how fast the ears hear: prints JSON.

    .venv/bin/python -m scripts.bench_ears [--voices rms,slt,kal16,awb] [--cache-dir DIR]

Sentences spoken by flite are recognised with the general model as the wheel brings it, with the small general model
that characters share, and with the storyteller's own. `inside` is what people say to the storyteller, rarely as its
author wrote it; `outside` has nothing to do with it. `spurious` counts noises that were heard as words. The cache
directory is a fresh one unless given, so that building is measured too.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from inference.ears.base import EARS_RATE_HZ, Utterance
from inference.ears.decoder_pool import DecoderPool
from inference.ears.ngrams import read_ngrams
from inference.ears.pocketsphinx_ears import PocketsphinxEars
from inference.ears.recogniser import CharacterModel, Recogniser
from inference.ears.utterance import PocketsphinxUtterance
from inference.ears.vad import CHUNK_MS, VoiceDetector
from inference.ears.wheel import dictionary_path, general_model_path
from inference.protocol import EarsSpec
from scripts.spoken import spoken

Floats = NDArray[np.float32]

CAST_FILE = Path(__file__).parents[1] / "characters/cast/storyteller.yaml"
CHUNK_SAMPLES = 512
CUE_KEYS = ("cues", "expect", "heard", "keys")
PAUSE_SAMPLES = EARS_RATE_HZ // 4
SEED = 7

INSIDE = (
    "could you tell me the story about the lighthouse",
    "i would like to hear something scary tonight",
    "what other stories do you know",
    "please go on with the story",
    "do you have a cat",
    "where did you learn to tell stories",
    "what is your name",
    "how are you feeling today",
    "i can't sleep can you help me",
    "tell me a story about the sea",
    "that was a lovely story thank you",
    "who taught you all these stories",
    "did that really happen",
    "i am a bit sad today",
    "something funny would be nice",
    "stop for a moment please",
    "what happened next",
    "can you say that again",
    "how old are you",
    "my grandmother used to tell me stories",
    "do you believe in magic",
    "are you a real person or a computer",
    "a short one please",
    "i have to go now good night",
    "what does the keeper do in the lighthouse",
)
OUTSIDE = (
    "the train to boston leaves at a quarter past nine",
    "i need to buy a new battery for my phone",
    "the doctor said that i should drink more water",
    "we are planning to visit our friends in canada next summer",
    "my brother plays football every saturday morning",
    "the price of gasoline went up again last week",
    "could you explain how a computer works",
    "i think the government should spend more on schools",
    "she studied chemistry at the university",
    "our neighbor has painted his garage yellow",
    "there was a terrible accident on the highway",
    "which restaurant serves the best chicken soup",
    "they finished the project two months ago",
    "put the groceries in the refrigerator please",
    "the football team lost the game in the last minute",
    "he wants to become a professional photographer",
    "our meeting has been moved to wednesday afternoon",
    "i forgot my password and cannot open my account",
    "the museum is closed on public holidays",
    "it will probably rain in the evening",
)


def storyteller() -> EarsSpec:
    """Everything in the cast file a listener may say, and everything it says itself."""
    phrases: list[str] = []
    script: list[str] = []

    def walk(node: Any, key: str = "") -> None:
        if isinstance(node, dict):
            for name, child in node.items():
                walk(child, str(name))
        elif isinstance(node, list):
            for child in node:
                walk(child, key)
        elif isinstance(node, str):
            (phrases if key in CUE_KEYS else script).append(node)

    walk(yaml.safe_load(CAST_FILE.read_text(encoding="utf-8")))
    return EarsSpec(phrases=tuple(phrases), script=tuple(script))


def noises() -> dict[str, Floats]:
    """Sounds that are no speech, [S] at 16 kHz."""
    random = np.random.default_rng(SEED)
    found: dict[str, NDArray[np.float64]] = {}
    for index in range(4):
        found[f"cough {index}"] = _cough(random)
        found[f"burst {index}"] = _shaped(random, seconds=0.2 + 0.15 * index, low_hz=200 * (index + 1), level=0.3)
        found[f"hum {index}"] = _hum(50.0 + 10.0 * index, seconds=1.0)
        found[f"hiss {index}"] = _shaped(random, seconds=1.5, low_hz=40 * (index + 1), level=0.02 * (index + 1))
        found[f"knock {index}"] = _knock(random, knocks=index + 1)
    return {name: np.clip(pcm, -1, 1).astype(np.float32) for name, pcm in found.items()}


def _cough(random: np.random.Generator) -> NDArray[np.float64]:
    """Two or three bursts of breath through a vocal tract: sharp onset, noise with formants, a short voiced tail."""
    parts: list[NDArray[np.float64]] = []
    for _ in range(int(random.integers(2, 4))):
        samples = int(EARS_RATE_HZ * random.uniform(0.12, 0.3))
        time_s = np.arange(samples) / EARS_RATE_HZ
        noise = random.standard_normal(samples)
        tract = sum(_resonate(noise, hz * random.uniform(0.9, 1.1), 200.0) for hz in (600.0, 1400.0, 2600.0))
        voiced = np.sign(np.sin(2 * np.pi * 110 * time_s)) * np.exp(-time_s / 0.1) * 0.2
        burst = (tract / np.abs(tract).max() + voiced) * np.exp(-time_s / 0.08) * np.minimum(1, time_s / 0.005)
        parts += [burst * random.uniform(0.3, 0.7), np.zeros(int(EARS_RATE_HZ * random.uniform(0.05, 0.2)))]
    return np.concatenate(parts)


def _resonate(pcm: NDArray[np.float64], centre_hz: float, width_hz: float) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(pcm)
    hz = np.fft.rfftfreq(pcm.size, 1 / EARS_RATE_HZ)
    return np.fft.irfft(spectrum / (1 + ((hz - centre_hz) / width_hz) ** 2), pcm.size)


def _shaped(random: np.random.Generator, seconds: float, low_hz: float, level: float) -> NDArray[np.float64]:
    samples = int(EARS_RATE_HZ * seconds)
    spectrum = np.fft.rfft(random.standard_normal(samples))
    hz = np.fft.rfftfreq(samples, 1 / EARS_RATE_HZ)
    pcm = np.fft.irfft(spectrum / np.sqrt(1 + (hz / (10 * low_hz)) ** 2), samples)
    return pcm / np.abs(pcm).max() * level


def _hum(hz: float, seconds: float) -> NDArray[np.float64]:
    time_s = np.arange(int(EARS_RATE_HZ * seconds)) / EARS_RATE_HZ
    return sum(0.1 / k * np.sin(2 * np.pi * hz * k * time_s) for k in range(1, 8)) + 0.0 * time_s


def _knock(random: np.random.Generator, knocks: int) -> NDArray[np.float64]:
    time_s = np.arange(int(EARS_RATE_HZ * 0.18)) / EARS_RATE_HZ
    one = np.sin(2 * np.pi * 180 * time_s) * np.exp(-time_s / 0.015) + 0.3 * random.standard_normal(
        time_s.size
    ) * np.exp(-time_s / 0.004)
    return np.concatenate([0.6 * one] * knocks)


def padded(pcm: Floats) -> Floats:
    """With the quiet room around it that an utterance has."""
    random = np.random.default_rng(SEED)
    whole = np.concatenate([np.zeros(PAUSE_SAMPLES), pcm, np.zeros(PAUSE_SAMPLES)])
    return (whole + random.standard_normal(whole.size) * 0.0005).astype(np.float32)


def word_errors(said: str, heard: str) -> int:
    """Edit distance in words."""
    left, right = said.split(), heard.split()
    row = list(range(len(right) + 1))
    for i, word in enumerate(left, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(right, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


def wheel_ears() -> PocketsphinxEars:
    """Ears with the wheel's dictionary and model, untouched: the yardstick."""

    class Untouched(PocketsphinxEars):
        def __init__(self) -> None:
            self._model = CharacterModel("wheel")
            self._ngrams = read_ngrams(general_model_path())
            self._pool = DecoderPool(lambda: Recogniser(dictionary_path()), 1)

        def prepare(self, spec: EarsSpec) -> None:
            self._pool.warm(1)

        def listen(self, spec: EarsSpec, after: Utterance | None = None) -> PocketsphinxUtterance:
            recogniser = self._pool.lease(lambda item: True)
            recogniser.load(self._model, self._ngrams)
            acoustics = after.acoustics if isinstance(after, PocketsphinxUtterance) else ""
            return PocketsphinxUtterance(self._pool, recogniser, self._model, acoustics)

    return Untouched()


def hear(
    ears: PocketsphinxEars, spec: EarsSpec, pcm: Floats, last: PocketsphinxUtterance | None = None
) -> tuple[PocketsphinxUtterance, str, float, float]:
    """The utterance, its text, seconds spent feeding (with partial readings) and finishing."""
    utterance = ears.listen(spec, after=last)
    began = time.perf_counter()
    for start in range(0, pcm.size, CHUNK_SAMPLES):
        utterance.feed(pcm[start : start + CHUNK_SAMPLES])
        utterance.partial()
    fed = time.perf_counter()
    text = utterance.finish().text
    return utterance, text, fed - began, time.perf_counter() - fed


def measure(
    ears: PocketsphinxEars, spec: EarsSpec, sets: dict[str, dict[str, list[tuple[str, Floats]]]]
) -> dict[str, Any]:
    report: dict[str, Any] = {}
    feeding = audio = 0.0
    finishing: list[float] = []
    for name, voices in sets.items():
        rates: dict[str, float] = {}
        all_errors = all_words = 0
        for voice, sentences in voices.items():
            errors = words = 0
            last: PocketsphinxUtterance | None = None
            for text, pcm in sentences:
                last, heard, fed_s, finished_s = hear(ears, spec, pcm, last)
                errors += word_errors(text, heard)
                words += len(text.split())
                feeding, audio = feeding + fed_s, audio + pcm.size / EARS_RATE_HZ
                finishing.append(finished_s * 1000)
            rates[voice] = round(100 * errors / words, 1)
            all_errors, all_words = all_errors + errors, all_words + words
        report[f"wer_{name}"] = {"all": round(100 * all_errors / all_words, 1)} | rates
    report["spurious"] = [name for name, pcm in noises().items() if hear(ears, spec, padded(pcm))[1]]
    report["cost_per_audio_second"] = round(feeding / audio, 4)
    report["finish_ms"] = {"median": round(statistics.median(finishing), 1), "max": round(max(finishing), 1)}
    return report


def speak_all(sentences: Sequence[str], voices: Sequence[str]) -> dict[str, list[tuple[str, Floats]]]:
    return {
        voice: [(text, padded(spoken(text, voice=voice, rate_hz=EARS_RATE_HZ))) for text in sentences]
        for voice in voices
    }


def detector_cost(pcm: Floats) -> Iterator[tuple[str, float]]:
    """Milliseconds per chunk of 32 ms."""
    for name, signal in (("speech", pcm), ("silence", np.zeros_like(pcm))):
        detector = VoiceDetector()
        chunks = [
            signal[start : start + CHUNK_SAMPLES] for start in range(0, signal.size - CHUNK_SAMPLES, CHUNK_SAMPLES)
        ]
        began = time.perf_counter()
        for chunk in chunks:
            detector.detect(chunk)
        yield name, round((time.perf_counter() - began) * 1000 / len(chunks), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", default="rms,slt,kal16,awb")
    parser.add_argument("--cache-dir", type=Path)
    options = parser.parse_args()
    voices = options.voices.split(",")
    sets = {"inside": speak_all(INSIDE, voices), "outside": speak_all(OUTSIDE, voices)}
    spec = storyteller()
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as fresh:
        cache_dir = options.cache_dir or Path(fresh)
        ears = PocketsphinxEars(cache_dir)
        for name, wanted in (("first_of_all_s", EarsSpec()), ("character_s", spec), ("in_memory_s", spec)):
            began = time.perf_counter()
            ears.prepare(wanted)
            report.setdefault("prepare", {})[name] = round(time.perf_counter() - began, 3)
        began = time.perf_counter()
        PocketsphinxEars(cache_dir).prepare(spec)
        report["prepare"]["from_disk_s"] = round(time.perf_counter() - began, 3)
        yardstick = wheel_ears()
        yardstick.prepare(spec)
        report["wheel"] = measure(yardstick, spec, sets)
        report["general"] = measure(ears, EarsSpec(), sets)
        report["character"] = measure(ears, spec, sets)
    pcm = next(iter(sets["inside"].values()))[0][1]
    report["detector_ms_per_chunk"] = dict(detector_cost(pcm)) | {"chunk_ms": CHUNK_MS}
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
