"""What a recogniser makes of sound that was recorded, compared with a caption."""

import re

import numpy as np
import soxr
from numpy.typing import NDArray
from pocketsphinx import Decoder

EARS_HZ = 16_000
DECOYS = (
    "the committee approved a budget for roads",
    "seven engineers repaired the northern railway",
    "my doctor prefers green vegetables at lunch",
)
"""Sentences the recogniser may hear as well as the caption's: only real speech of the caption decides for it."""


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def recognised(pcm: NDArray[np.float32], rate_hz: int, *, vocabulary: list[str]) -> list[str]:
    """The words heard, of these and no others, in any order."""
    decoder = Decoder(lm=None, loglevel="FATAL")
    known = [word for word in dict.fromkeys(vocabulary) if decoder.lookup_word(word)]
    decoder.add_jsgf_string("any", f"#JSGF V1.0; grammar any; public <any> = ({' | '.join(known)})+;")
    decoder.activate_search("any")
    sound = np.clip(soxr.resample(pcm, rate_hz, EARS_HZ), -1, 1)
    decoder.start_utt()
    decoder.process_raw((sound * 32767).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return hypothesis.hypstr.split() if hypothesis else []


def shares_recognised(pcm: NDArray[np.float32], rate_hz: int, *, caption: str) -> tuple[float, float]:
    """Share of the caption's words, and share of the decoys' words, that were heard in their order; each 0..1.

    The recogniser may hear any word of both: noise and other speech give both shares alike.
    """
    wanted, decoys = _words(caption), _words(" ".join(DECOYS))
    heard = recognised(pcm, rate_hz, vocabulary=wanted + decoys)
    right, wrong = (_longest_common(words, heard) / max(1, len(words)) for words in (wanted, decoys))
    return right, wrong


def _longest_common(one: list[str], other: list[str]) -> int:
    lengths = [0] * (len(other) + 1)
    for word in one:
        diagonal = 0
        for at, candidate in enumerate(other, start=1):
            above = lengths[at]
            lengths[at] = diagonal + 1 if word == candidate else max(above, lengths[at - 1])
            diagonal = above
    return lengths[-1]
