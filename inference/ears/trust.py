"""How far a reading can be trusted."""

import math
from collections.abc import Sequence

from inference.ears.recogniser import Segment

_HOPELESS = ((2, 0.22), (4, 0.15))
_HOPELESS_LONG = 0.08
"""Confidence below which a reading of up to so many words, and of more, is dropped. Measured (docs/decisions/ears.md):
coughs read as one to three words at .05 to .21; of 40 short answers that were read right one fell below .22."""

_LONGEST_WORD_FRAMES = 95
"""Nobody says one word for so long: it is hum, hiss or a hand on the microphone."""

_LEAST_POSTERIOR = 1e-6


def is_word(segment: Segment) -> bool:
    """False for silence and noise: `<sil>`, `<s>`, `[NOISE]`, `++UM++`."""
    return is_word_token(segment.token)


def is_word_token(token: str) -> bool:
    return bool(token) and token[0] not in "<[+"


def confidence_of(words: Sequence[Segment]) -> float:
    """Geometric mean of the words' posterior probabilities, weighted by duration; 0 without words."""
    frames = sum(word.frames for word in words)
    if not frames:
        return 0.0
    logs = sum(word.frames * math.log(min(1.0, max(word.posterior, _LEAST_POSTERIOR))) for word in words)
    return math.exp(logs / frames)


def is_trusted(words: Sequence[Segment], confidence: float) -> bool:
    """False when the words are more likely a cough, a bang or hum than speech."""
    if not words:
        return False
    if sum(word.frames for word in words) > _LONGEST_WORD_FRAMES * len(words):
        return False
    limit = next((limit for most, limit in _HOPELESS if len(words) <= most), _HOPELESS_LONG)
    return confidence >= limit
