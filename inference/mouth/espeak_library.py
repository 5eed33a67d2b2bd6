"""eSpeak NG through ctypes: text in, 22,050 Hz PCM with word and phoneme times out.

The library comes from the optional package `espeakng-loader` (GPL-3), found at run time and never linked. It keeps all
its state in globals, so a process has one `EspeakLibrary` and one lock.
"""

import ctypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import InvalidSpec, ModelFault

ESPEAK_RATE_HZ = 22_050
SLOWEST_WPM, FASTEST_WPM = 80, 450
HIGHEST_PITCH = 99
WIDEST_RANGE = 99
NATURAL_RANGE = 50
"""eSpeak's own value for the F0 movement it finds natural."""

# Values of espeak-ng/speak_lib.h.
_OUTPUT_SYNCHRONOUS = 2
_PHONEME_EVENTS, _DONT_EXIT = 0x0001, 0x8000
_CHARS_UTF8, _PHONEME_MARKS = 1, 0x100
_RATE, _PITCH, _RANGE, _WORD_GAP = 1, 3, 4, 7
_EVENT_END_OF_LIST, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", re.ASCII)
_REMEDY = "install the optional package espeakng-loader (pip install 'troupe[espeak]' or `make serve`)"


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_void_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.POINTER(ctypes.c_char)),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class EspeakSettings:
    """How eSpeak speaks, in its own units."""

    language: str
    variant: str = ""
    words_per_minute: int = 165
    pitch: int = 50
    """0..99; F0 goes from half to about twice that of 50."""

    pitch_range: int = NATURAL_RANGE
    word_gap: int = 0
    """Extra pause between words in units of 10 ms."""


@dataclass(frozen=True, slots=True)
class WordMark:
    """A word begins at `sample`; `char_start` is its place in the text given."""

    sample: int
    char_start: int


@dataclass(frozen=True, slots=True)
class PhonemeMark:
    """A phoneme begins at `sample`; `name` in eSpeak's own alphabet, stress marks included."""

    sample: int
    name: str

    @property
    def is_pause(self) -> bool:
        return self.name.startswith("_")


@dataclass(frozen=True, slots=True)
class Rendering:
    """One utterance: `pcm` float32 [S] at `ESPEAK_RATE_HZ`, and where its words and phonemes begin."""

    pcm: NDArray[np.float32]
    words: tuple[WordMark, ...]
    phonemes: tuple[PhonemeMark, ...]

    @property
    def voice_end(self) -> int:
        """Sample where the closing pause begins."""
        end = len(self.pcm)
        for mark in reversed(self.phonemes):
            if not mark.is_pause:
                break
            end = mark.sample
        return end


class EspeakLibrary:
    """The one loaded library of this process; get it from `espeak_library()`."""

    def __init__(self, library_path: Path, data_path: Path) -> None:
        """Loads and initialises it. Raises `ModelFault` if either fails."""
        self._lock = Lock()
        self._data_path = data_path
        self._chunks: list[bytes] = []
        self._words: list[WordMark] = []
        self._phonemes: list[PhonemeMark] = []
        self._current: EspeakSettings | None = None
        try:
            self._lib = ctypes.CDLL(str(library_path))
        except OSError as error:
            raise ModelFault(f"eSpeak NG does not load ({error}); {_REMEDY}") from error
        rate = self._lib.espeak_Initialize(
            _OUTPUT_SYNCHRONOUS, 0, str(data_path).encode(), _PHONEME_EVENTS | _DONT_EXIT
        )
        if rate != ESPEAK_RATE_HZ:
            raise ModelFault(f"eSpeak NG finds no data in {data_path} (answer {rate}); {_REMEDY}")
        # ctypes keeps no reference to callbacks: this attribute does.
        self._callback = _Callback(self._collect)
        self._lib.espeak_SetSynthCallback(self._callback)
        self._voices = self._listed()

    def check(self, settings: EspeakSettings) -> None:
        """Raises `InvalidSpec` for a language or variant eSpeak does not have; loads its data otherwise."""
        if not _LANGUAGE.fullmatch(settings.language):
            raise InvalidSpec(f"{settings.language!r} is no language tag like en-us, en-gb or cmn")
        if settings.language not in self._voices:
            raise InvalidSpec(f"eSpeak NG has no language {settings.language!r}; it has {', '.join(self._voices)}")
        if settings.variant and settings.variant not in self._variants():
            known = ", ".join(sorted(self._variants()))
            raise InvalidSpec(f"eSpeak NG has no variant {settings.variant!r}; it has {known}")
        with self._lock:
            self._apply(settings)

    def render(self, text: str, settings: EspeakSettings, *, phoneme_marks: bool = False) -> Rendering:
        """Speak `text` (plain, no NUL). About 1.5 ms per second of speech. Raises `InvalidSpec` as `check`.

        With `phoneme_marks`, text in `[[...]]` is eSpeak's phoneme alphabet.
        """
        encoded = text.encode() + b"\0"
        flags = _CHARS_UTF8 | (_PHONEME_MARKS if phoneme_marks else 0)
        with self._lock:
            self._apply(settings)
            self._chunks, self._words, self._phonemes = [], [], []
            status = self._lib.espeak_Synth(encoded, len(encoded), 0, 1, 0, flags, None, None)
            chunks, words, phonemes = self._chunks, self._words, self._phonemes
        if status != 0:
            raise ModelFault(f"eSpeak NG failed with status {status}")
        pcm = np.frombuffer(b"".join(chunks), dtype=np.int16).astype(np.float32) / 32768.0
        return Rendering(pcm, tuple(words), tuple(phonemes))

    def _listed(self) -> dict[str, str]:
        """The preferred voice's identifier for each language."""
        self._lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        best: dict[str, tuple[int, str]] = {}
        listed = self._lib.espeak_ListVoices(None)
        index = 0
        while listed[index]:
            voice = listed[index].contents
            for priority, language in _languages(voice.languages):
                found = (priority, voice.identifier.decode())
                best[language] = min(found, best.get(language, found), key=lambda item: item[0])
            index += 1
        return {language: identifier for language, (_, identifier) in sorted(best.items())}

    def _variants(self) -> frozenset[str]:
        folder = self._data_path / "voices" / "!v"
        return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()

    def _apply(self, settings: EspeakSettings) -> None:
        """Set voice and parameters; the lock is held."""
        current = self._current
        if current == settings:
            return
        self._current = None
        voice = (settings.language, settings.variant)
        if current is None or (current.language, current.variant) != voice:
            name = self._voices[settings.language] + (f"+{settings.variant}" if settings.variant else "")
            if self._lib.espeak_SetVoiceByName(name.encode()) != 0:
                raise ModelFault(f"eSpeak NG does not load its voice {name!r}")
        for parameter, value, low, high in (
            (_RATE, settings.words_per_minute, SLOWEST_WPM, FASTEST_WPM),
            (_PITCH, settings.pitch, 0, HIGHEST_PITCH),
            (_RANGE, settings.pitch_range, 0, WIDEST_RANGE),
            (_WORD_GAP, settings.word_gap, 0, 100),
        ):
            self._lib.espeak_SetParameter(parameter, min(max(value, low), high), 0)
        self._current = settings

    def _collect(self, wav: Any, num_samples: int, events: Any) -> int:
        """The library's callback: a piece of audio and the events that lie in it."""
        if num_samples > 0:
            self._chunks.append(ctypes.string_at(wav, num_samples * 2))
        index = 0
        while events[index].type != _EVENT_END_OF_LIST:
            event = events[index]
            if event.type == _EVENT_WORD:
                self._words.append(WordMark(event.sample, event.text_position - 1))
            elif event.type == _EVENT_PHONEME:
                name = event.id.string.decode("utf-8", "replace")
                self._phonemes.append(PhonemeMark(event.sample, name))
            index += 1
        return 0


def _languages(packed: Any) -> list[tuple[int, str]]:
    """A voice's languages as eSpeak packs them: priority byte, name, NUL; again; NUL."""
    found, at = [], 0
    while packed[at] != b"\0":
        name = ctypes.string_at(ctypes.addressof(packed.contents) + at + 1)
        found.append((ord(packed[at]), name.decode()))
        at += len(name) + 2
    return found


def _installed_paths() -> tuple[Path, Path]:
    if find_spec("espeakng_loader") is None:
        raise ModelFault(f"the mouth needs eSpeak NG: {_REMEDY}")
    loader: Any = import_module("espeakng_loader")
    library: Callable[[], str] = loader.get_library_path
    data: Callable[[], str] = loader.get_data_path
    return Path(library()), Path(data())


@cache
def espeak_library() -> EspeakLibrary:
    """The process's library, loaded at the first call. Raises `ModelFault` naming the remedy when it is missing."""
    return EspeakLibrary(*_installed_paths())
