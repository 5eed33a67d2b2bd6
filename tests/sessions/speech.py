"""Speech for tests, spoken by eSpeak NG through the product's own mouth."""

from functools import lru_cache

import numpy as np

from inference.mouth import open_espeak
from inference.protocol import StyleSpec, VoiceSpec, Words

MAX_EMPTY_FRAMES = 200


@lru_cache(maxsize=16)
def spoken(text: str) -> bytes:
    """The words as PCM16 at the wire's rate."""
    voice = VoiceSpec(slug="listener", language="en-us", pitch_hz=110.0)
    mouth = open_espeak()
    mouth.prepare(voice)
    speech = mouth.begin(voice, StyleSpec())
    speech.add(Words(text))
    speech.end()
    pieces: list[bytes] = []
    while not speech.finished:
        frame = speech.frame()
        if frame is not None:
            pieces.append((np.clip(frame.pcm, -1, 1) * 32767).astype("<i2").tobytes())
    return b"".join(pieces)
