"""The teacher itself, and its speech through the codec, on the same sentences: what the model is to be measured by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inference.codec.base import Codec
from inference.codec.source_filter.vocoder import LAG_SAMPLES
from inference.training.corpus import TEACHERS, features_of, resampled, speak
from inference.training.recognition import NO_ERRORS, Recogniser, WordErrors, word_errors
from inference.training.teaching import TeacherMissing
from inference.training.voices import VOICES

_SAMPLES = 640


@dataclass(slots=True)
class TeacherFigures:
    teacher: str
    spoken: WordErrors = NO_ERRORS
    coded: WordErrors = NO_ERRORS
    voicing_errors: list[NDArray[np.float32]] = field(default_factory=list)
    pitch_errors_cents: list[NDArray[np.float32]] = field(default_factory=list)

    def report(self) -> dict[str, Any]:
        return {
            "teacher": self.teacher,
            "wer": round(100 * self.spoken.rate, 1),
            "codec_wer": round(100 * self.coded.rate, 1),
            "codec_voicing_error": round(float(np.concatenate(self.voicing_errors).mean()), 3),
            "codec_f0_error_cents": round(float(np.median(np.concatenate(self.pitch_errors_cents))), 1),
        }


def teacher_figures(voice: str, sentences: Sequence[tuple[str, Sequence[str]]], codec: Codec) -> TeacherFigures | None:
    """None for a speaker that is a teacher moved, or whose teacher is not installed."""
    speaker = VOICES.get(voice)
    plan = next((plan for plan in TEACHERS if speaker is not None and plan.name == speaker.teacher), None)
    if plan is None:
        return None
    figures, recogniser = TeacherFigures(plan.name), Recogniser()
    try:
        for said, (_, words) in zip(speak(plan, [text for text, _ in sentences]), sentences, strict=True):
            pcm = resampled(said, plan.level)
            coded = through(codec, pcm)
            figures.spoken += word_errors(words, recogniser.words(pcm))
            figures.coded += word_errors(words, recogniser.words(coded))
            _compare(pcm, coded, figures)
    except TeacherMissing:
        return None
    return figures


@torch.inference_mode()
def through(codec: Codec, pcm: NDArray[np.float32]) -> NDArray[np.float32]:
    """A recording [S] at 16 kHz coded and decoded, in time with itself."""
    frames = -(-len(pcm) // _SAMPLES)
    padded = torch.zeros(1, (frames + codec.encoder_delay_frames) * _SAMPLES)
    padded[0, : len(pcm)] = torch.from_numpy(pcm)
    codes = codec.encode(padded, codec.encoder_state(1))[:, :, codec.encoder_delay_frames :]
    after = codes[:, :, -1:].expand(-1, -1, codec.decoder_delay_frames + 1)
    sound = codec.decode(torch.cat([codes, after], dim=2), codec.decoder_state(1))[0].numpy()
    start = codec.decoder_delay_frames * _SAMPLES + LAG_SAMPLES
    return np.ascontiguousarray(sound[start : start + len(pcm)])


def _compare(pcm: NDArray[np.float32], coded: NDArray[np.float32], figures: TeacherFigures) -> None:
    one, other = (features_of(sound).f0_hz.numpy() for sound in (pcm, coded))
    count = min(len(one), len(other))
    one, other = one[:count], other[:count]
    figures.voicing_errors.append(((one > 0) != (other > 0)).astype(np.float32))
    both = (one > 0) & (other > 0)
    figures.pitch_errors_cents.append(np.abs(1200 * np.log2(other[both] / one[both])).astype(np.float32))
