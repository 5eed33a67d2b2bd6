"""Stage 1, `python -m inference.training.corpus --work DIR`: the teachers speak, and their speech is analysed.

Shards of sentences in DIR/corpus/<teacher>/<number>.npz; what is there is not made again.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from inference.codec.source_filter.analysis import SpeechFeatures, analyse, windows_of
from inference.codec.source_filter.grid import HOP, SAMPLE_RATE_HZ
from inference.training.festival import speak_all
from inference.training.flite import FliteVoice
from inference.training.sentences import sentences
from inference.training.teaching import SpokenSentence, TeacherError

SHARD = 100
"""Sentences of one file."""

HELD_OUT = 10
"""First sentences of every teacher, kept for validation."""

VOICELESS = frozenset("pau p t k f th s sh ch hh".split())
_STRAY_OCTAVES = 0.4
_FAINT = 5.0
"""Log power under the loud parts at which even a voiced phone is over."""

TARGET_LEVEL = 0.08
"""Root mean square to which each teacher's speech is brought, so that voices are equally loud."""


class CorpusMissing(RuntimeError):
    """There is no speech to learn from."""


@dataclass(frozen=True, slots=True)
class TeacherPlan:
    """A voice of flite or festival (`kind`), and how much of the corpus it speaks."""

    name: str
    kind: str
    voice: str
    share: float
    """Of the corpus's sentences."""

    level: float
    """Root mean square of the teacher's own speech, measured once."""

    rough: bool = False
    """Its periods are too irregular for the analysis: voicing is taken from the phones, F0 from where it was found."""


TEACHERS = (
    TeacherPlan("rms", "flite", "rms", 0.25, 0.092),
    TeacherPlan("slt_hts", "festival", "cmu_us_slt_arctic_hts", 0.27, 0.067),
    TeacherPlan("awb", "flite", "awb", 0.17, 0.101),
    TeacherPlan("slt", "flite", "slt", 0.14, 0.173),
    TeacherPlan("kal16", "flite", "kal16", 0.09, 0.039, rough=True),
    TeacherPlan("ked", "festival", "ked_diphone", 0.08, 0.09),
)


@dataclass(frozen=True, slots=True, eq=False)
class Utterance:
    """One sentence as the stages after this one see it. N subframes of 10 ms, P phones."""

    text: str
    envelope: NDArray[np.float16]
    """[N, bands]"""

    f0_hz: NDArray[np.float16]
    """[N], 0 where unvoiced."""

    phones: tuple[str, ...]
    """[P]: `ow1` stressed, `|m` beginning a word, `pau`."""

    ends: NDArray[np.int32]
    """[P], the subframe where each phone ends."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cast", type=Path, default=Path("characters/cast"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    try:
        for number, plan in enumerate(TEACHERS):
            count, seed = max(SHARD, int(options.sentences * plan.share)), options.seed * 100 + number
            texts = sentences(count, seed, options.cast, options.work / "cache")
            make(plan, texts, options.work / "corpus" / plan.name)
    except TeacherError as error:
        sys.exit(str(error))


def make(plan: TeacherPlan, texts: Sequence[str], folder: Path) -> None:
    """The shards of one teacher that are not there yet. Raises a `TeacherError`."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = [texts[start : start + SHARD] for start in range(0, len(texts), SHARD)]
    for number, shard in enumerate(tqdm(shards, desc=plan.name, unit="shard")):
        path = folder / f"{number:04d}.npz"
        if not path.exists():
            _store(path, [_analysed(spoken, plan.level) for spoken in speak(plan, shard)])


def speak(plan: TeacherPlan, texts: Sequence[str]) -> Iterator[SpokenSentence]:
    """Each sentence, spoken by the teacher. Raises a `TeacherError`."""
    if plan.kind == "festival":
        yield from speak_all(plan.voice, texts)
    else:
        voice = FliteVoice(plan.voice)
        for text in texts:
            yield voice.speak(text)


def _analysed(spoken: SpokenSentence, level: float) -> Utterance:
    features = features_of(resampled(spoken, level))
    size = len(features.f0_hz)
    names = tuple(
        ("|" if phone.begins_word else "") + phone.name + ("1" if phone.stressed and phone.name[0] in "aeiou" else "")
        for phone in spoken.phones
    )
    ends = np.array([round(phone.end_s * SAMPLE_RATE_HZ / HOP) for phone in spoken.phones], np.int32)
    return Utterance(
        spoken.text,
        features.envelope.numpy().astype(np.float16),
        features.f0_hz.numpy().astype(np.float16),
        names,
        np.minimum(ends, size).astype(np.int32),
    )


def resampled(spoken: SpokenSentence, level: float) -> NDArray[np.float32]:
    """[S] at 16 kHz, as loud as all teachers are made."""
    pcm = np.asarray(spoken.pcm, np.float32) * np.float32(TARGET_LEVEL / level)
    if spoken.sample_rate_hz == SAMPLE_RATE_HZ:
        return pcm
    moved: NDArray[np.float32] = soxr.resample(pcm, spoken.sample_rate_hz, SAMPLE_RATE_HZ)
    return moved


def features_of(pcm: NDArray[np.float32]) -> SpeechFeatures:
    """Analysis of a whole recording [S] at 16 kHz in -1..1."""
    with torch.inference_mode():
        return analyse(windows_of(torch.from_numpy(np.ascontiguousarray(pcm, np.float32))))


def _store(path: Path, made: Sequence[Utterance]) -> None:
    lengths = np.array([[len(u.f0_hz), len(u.phones)] for u in made], np.int32)
    temporary = path.with_suffix(".part.npz")
    np.savez(
        temporary,
        lengths=lengths,
        texts=np.array([u.text for u in made]),
        envelope=np.concatenate([u.envelope for u in made]),
        f0_hz=np.concatenate([u.f0_hz for u in made]),
        phones=np.array([name for u in made for name in u.phones]),
        ends=np.concatenate([u.ends for u in made]),
    )
    temporary.rename(path)


def load_all(work: Path) -> dict[str, list[Utterance]]:
    """What each teacher said, of those who said enough to learn from. Raises `CorpusMissing`."""
    found: dict[str, list[Utterance]] = {}
    for plan in TEACHERS:
        utterances = load(work / "corpus" / plan.name)
        if len(utterances) > HELD_OUT:
            found[plan.name] = [voiced_by_phones(u) for u in utterances] if plan.rough else utterances
    if not found:
        raise CorpusMissing(
            f"{work}/corpus has no teacher with more than {HELD_OUT} sentences; "
            f"`python -m inference.training.corpus --work {work}` makes them"
        )
    return found


def voiced_by_phones(utterance: Utterance) -> Utterance:
    """Voiced wherever a voiced phone is heard, with F0 carried over from where it was measured."""
    f0 = utterance.f0_hz.astype(np.float32)
    measured = np.flatnonzero(f0 > 0)
    if not len(measured):
        return utterance
    middle = np.median(f0[measured])
    measured = measured[np.abs(np.log2(f0[measured] / middle)) < _STRAY_OCTAVES]
    track = np.interp(np.arange(len(f0)), measured, f0[measured])
    which = np.minimum(np.searchsorted(utterance.ends, np.arange(len(f0)), side="right"), len(utterance.phones) - 1)
    voiced = np.array([name.lstrip("|").rstrip("1") not in VOICELESS for name in utterance.phones])[which]
    level = utterance.envelope.astype(np.float32).mean(axis=1)
    voiced &= level > np.percentile(level, 90) - _FAINT
    return replace(utterance, f0_hz=np.where(voiced, track, 0.0).astype(np.float16))


def load(folder: Path) -> list[Utterance]:
    """All utterances of a teacher's folder, in order."""
    return [
        utterance for path in sorted(folder.glob("[0-9]*.npz")) if ".part" not in path.name for utterance in _read(path)
    ]


def _read(path: Path) -> Iterator[Utterance]:
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    frame_at = phone_at = 0
    for text, (frames, phones) in zip(arrays["texts"].tolist(), arrays["lengths"].tolist(), strict=True):
        here, there = slice(frame_at, frame_at + frames), slice(phone_at, phone_at + phones)
        yield Utterance(
            text,
            arrays["envelope"][here],
            arrays["f0_hz"][here],
            tuple(arrays["phones"][there].tolist()),
            arrays["ends"][there],
        )
        frame_at, phone_at = frame_at + frames, phone_at + phones


if __name__ == "__main__":
    main()
