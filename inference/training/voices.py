"""Who is trained and shipped: speakers as points in the space that teachers, formants and pitch span."""

import random

from inference.training.variation import STYLES, Manner, Speaker

VOICES = {
    "rms": Speaker("rms"),
    "slt": Speaker("slt_hts"),
    "awb": Speaker("awb"),
    "alto": Speaker("slt", 0.97, -1.5),
    "kal": Speaker("kal16"),
    "ked": Speaker("ked", 1.02, 1.0),
    "bass": Speaker("rms", 0.94, -2.5),
    "youth": Speaker("rms", 1.07, 5.0, 1.2),
    "girl": Speaker("slt_hts", 1.09, 4.0, 1.2),
    "matron": Speaker("slt_hts", 0.94, -3.0, 0.9),
    "lad": Speaker("awb", 1.09, 6.0, 1.2),
    "elder": Speaker("awb", 0.95, -2.0, 0.8),
}
"""Speakers the model is taught, by name."""

SHIPPED = ("rms", "slt", "awb", "alto", "bass", "youth", "matron", "lad")
"""Of these the ones a listener understands well enough: at most forty of a hundred words lost on a recogniser."""

_NEUTRAL_SHARE = 0.5
_NAMED_SHARE = 0.7


def named_speaker(teacher: str, draw: random.Random) -> Speaker | None:
    """One of `VOICES` by this teacher, most of the time."""
    own = [speaker for speaker in VOICES.values() if speaker.teacher == teacher]
    return draw.choice(own) if own and draw.random() < _NAMED_SHARE else None


def random_speaker(teacher: str, draw: random.Random) -> Speaker:
    """A named voice of this teacher, or, so that the points between are known too, one near it."""
    named = named_speaker(teacher, draw)
    return named or Speaker(teacher, draw.uniform(0.93, 1.1), draw.uniform(-3.0, 6.0), draw.uniform(0.8, 1.3))


def random_style(draw: random.Random) -> tuple[str, Manner]:
    """A style's name and manner; every other time neutral."""
    name = "neutral" if draw.random() < _NEUTRAL_SHARE else draw.choice([name for name in STYLES if name != "neutral"])
    return name, STYLES[name]
