"""`python -m inference.training.report --work DIR --to DIR`: pictures of a training run.

Loss curves of codec and model, and one sentence as the teacher, the codec and the model say it. Needs matplotlib.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from inference.codec.source_filter.grid import SAMPLE_RATE_HZ
from inference.training.corpus import TEACHERS, features_of, resampled, speak
from inference.training.evaluate import voice_spec
from inference.training.speaking import speak_all
from inference.training.style_figures import asked
from inference.training.teacher_figures import through
from inference.training.voices import VOICES
from inference.training.wav_file import write_wav
from inference.worker.bundled_voice import BUNDLED, open_mouth

SENTENCE = "The thief returned everything except one spoon."
_SMOOTH = 20
_CODEBOOKS = ("c0", "c1", "c2", "c3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, default=BUNDLED)
    parser.add_argument("--voice", default="rms", choices=sorted(VOICES))
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    curves(options.work, options.to / "voice_training.png")
    comparison(options.checkpoint, options.voice, options.to)


def curves(work: Path, to: Path) -> None:
    """Losses over steps. Raises `OSError` when a stage has left no curve."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    codec, model = (_lines(work / stage / "curve.jsonl") for stage in ("codec", "model"))
    steps = [line["step"] for line in codec]
    for name in ("distance", "movement"):
        left.plot(steps, _smoothed([line[name] for line in codec]), label=name)
    left.set(title="codec: squared error of log power", xlabel="step", yscale="log")
    steps = [line["step"] for line in model]
    for number, name in enumerate(_CODEBOOKS):
        right.plot(steps, _smoothed([line[name] for line in model]), f"C{number}", label=name)
        held = [(line["step"], line["held_out"][name]) for line in model if "held_out" in line]
        right.plot(*zip(*held, strict=True), f"C{number}o", markersize=3)
    right.set(title="model: cross-entropy, nats (dots: held out)", xlabel="step")
    for axes in (left, right):
        axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(to, dpi=110)
    plt.close(figure)


def comparison(checkpoint: Path, voice: str, to: Path) -> None:
    """Spectrograms with F0 and WAV files of one sentence: teacher, codec, model."""
    mouth = open_mouth(checkpoint, slots=1)
    speaker = VOICES[voice]
    plan = next(plan for plan in TEACHERS if plan.name == speaker.teacher)
    said = resampled(next(iter(speak(plan, [SENTENCE]))), plan.level)
    made = next(iter(speak_all(mouth, [SENTENCE], voice_spec(mouth, voice), asked("neutral"), 1))).pcm
    sounds = {"teacher": said, "codec": through(mouth.shared.codec, said), "model": made}
    figure, rows = plt.subplots(len(sounds), 1, figsize=(11, 8), layout="constrained")
    for axes, (name, pcm) in zip(rows, sounds.items(), strict=True):
        _draw(axes, name, pcm)
        write_wav(to / f"voice_{voice}_{name}.wav", pcm)
    figure.savefig(to / "voice_spectrograms.png", dpi=100)
    plt.close(figure)


def _draw(axes: Axes, name: str, pcm: NDArray[np.float32]) -> None:
    axes.specgram(pcm + 1e-6, NFFT=512, Fs=SAMPLE_RATE_HZ, noverlap=384, vmin=-140, vmax=-40, cmap="magma")
    f0 = features_of(pcm).f0_hz.numpy()
    times = (np.arange(len(f0)) + 0.5) * 0.01
    # Ten times as high, to be seen above the first harmonics.
    axes.plot(times[f0 > 0], 10 * f0[f0 > 0], "c.", markersize=3)
    axes.set(title=f"{name} (dots: ten times F0)", ylabel="Hz", xlim=(0, len(pcm) / SAMPLE_RATE_HZ))


def _lines(path: Path) -> list[dict[str, Any]]:
    """The curve as it stands: a sitting that went back to an earlier step replaces what came after it."""
    kept: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        while kept and kept[-1]["step"] >= entry["step"]:
            kept.pop()
        kept.append(entry)
    return kept


def _smoothed(values: list[float]) -> NDArray[np.float64]:
    kernel = np.ones(min(_SMOOTH, len(values)))
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


if __name__ == "__main__":
    main()
