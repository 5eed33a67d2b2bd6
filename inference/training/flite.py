"""The teacher flite, through its C library: sentences spoken with the times of words and phones.

flite (Carnegie Mellon University, BSD-like licence) keeps an utterance as relations of items: a Word has its
syllables as daughters in SylStructure, a syllable its Segments, and a Segment carries its end time in seconds.
"""

import ctypes
import ctypes.util
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from inference.training.teaching import Phone, SpokenSentence, TeacherMissing

_LIBRARY = "libflite.so.1"
_PAUSE = "pau"


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


_POINTER_RESULTS = ("flite_synth_text", "utt_relation", "relation_head", "item_next", "item_as", "item_parent")


@lru_cache(maxsize=1)
def _flite() -> Any:
    try:
        library = ctypes.CDLL(_LIBRARY, mode=ctypes.RTLD_GLOBAL)
        for part in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
            ctypes.CDLL(part, mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise TeacherMissing(f"flite's library is not installed ({error}); on Debian: apt install flite") from error
    for name in _POINTER_RESULTS:
        getattr(library, name).restype = ctypes.c_void_p
    library.utt_wave.restype = ctypes.POINTER(_Wave)
    library.item_feat_string.restype = ctypes.c_char_p
    library.flite_ffeature_string.restype = ctypes.c_char_p
    library.item_feat_float.restype = ctypes.c_float
    library.feat_set_float.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float)
    library.flite_init()
    return library


@dataclass(frozen=True, slots=True)
class FliteVoice:
    """One of flite's compiled-in voices: `rms`, `slt`, `awb`, `kal16`."""

    name: str

    def speak(self, text: str) -> SpokenSentence:
        """Raises `TeacherMissing` when the voice is not installed."""
        flite = _flite()
        utterance = flite.flite_synth_text(text.encode("ascii", "ignore"), ctypes.c_void_p(_voice(self.name)))
        try:
            wave = flite.utt_wave(ctypes.c_void_p(utterance)).contents
            pcm = np.ctypeslib.as_array(wave.samples, shape=(wave.num_samples,)).astype(np.float32) / np.float32(32768)
            return SpokenSentence(text, pcm, wave.sample_rate, tuple(_phones(utterance)))
        finally:
            flite.delete_utterance(ctypes.c_void_p(utterance))


@lru_cache(maxsize=8)
def _voice(name: str) -> int:
    _flite()
    try:
        library = ctypes.CDLL(f"libflite_cmu_us_{name}.so.1")
    except OSError as error:
        raise TeacherMissing(f"flite has no voice {name} here ({error}); on Debian: apt install flite") from error
    register = getattr(library, f"register_cmu_us_{name}")
    register.restype = ctypes.c_void_p
    voice = register(None)
    if not voice:
        raise TeacherMissing(f"flite's voice {name} does not load")
    return int(voice)


def _phones(utterance: int) -> list[Phone]:
    flite = _flite()
    phones: list[Phone] = []
    relation = flite.utt_relation(ctypes.c_void_p(utterance), b"Segment")
    item = flite.relation_head(ctypes.c_void_p(relation))
    start, last_word = 0.0, None
    while item:
        here = ctypes.c_void_p(item)
        name = flite.item_feat_string(here, b"name").decode()
        end = float(flite.item_feat_float(here, b"end"))
        stress = flite.flite_ffeature_string(here, b"R:SylStructure.parent.stress").decode()
        word = flite.flite_ffeature_string(here, b"R:SylStructure.parent.parent.name").decode()
        syllable = flite.item_as(here, b"SylStructure")
        owner = flite.item_parent(ctypes.c_void_p(syllable)) if syllable else None
        word_item = flite.item_parent(ctypes.c_void_p(owner)) if owner else None
        begins = name != _PAUSE and word_item != last_word
        phones.append(Phone(name, stress == "1", begins, word if name != _PAUSE else "", start, end))
        start, last_word = end, word_item
        item = flite.item_next(here)
    return phones
