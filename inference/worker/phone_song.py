"""A phrase of a song: said by the model, then sung by the codec's decoder.

The model says the lyrics once, silently. What it said is envelopes and phones with their times; the score lays the
phones out on its beats (`mouth.singing`), and the decoder speaks the envelopes again at those times with the melody
as F0.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from inference.codec.source_filter.codec import SourceFilterCodec
from inference.codec.source_filter.grid import SUBFRAMES
from inference.effects.retune import CURVE_HOP, Telling
from inference.errors import InvalidSpec
from inference.mouth.base import SpokenWord
from inference.mouth.lyrics import LyricWord, perform, read_lyrics
from inference.mouth.singing import Phone, Score
from inference.mouth.speech_text import PlacedSong
from inference.mouth.styled_track import StyledTrack
from inference.pronunciation.items import PhraseItems, beginning
from inference.pronunciation.pronouncer import Pronouncer
from inference.protocol import AUDIO_RATE_HZ, FRAME_SAMPLES, StyleSpec
from inference.worker.model_sound import SpokenSound
from inference.worker.phrase_maker import PhraseMaker
from inference.worker.shared_engine import SharedEngine

_CUT_S = 0.1
"""A song that another follows ends so early: the consonants before the next first beat need room."""

_SUBFRAME = FRAME_SAMPLES // SUBFRAMES
"""Samples of one subframe at `AUDIO_RATE_HZ`."""

_OPEN_VOWEL = ("aa1",)
_CLOSING = "."


class SungPhrase:
    """One `Song` on its way from lyrics to sound."""

    def __init__(
        self, placed: PlacedSong, followed: bool, style: StyleSpec, pronouncer: Pronouncer, shared: SharedEngine
    ) -> None:
        """`followed`: another song comes right after this one. Raises `InvalidSpec` when the codec cannot sing."""
        if not isinstance(shared.codec, SourceFilterCodec):
            raise InvalidSpec("only a codec whose pitch can be given can sing")
        self._codec = shared.codec
        self._placed, self._cut_s = placed, _CUT_S if followed else 0.0
        self._notes = perform(placed.song, style.rate, style.pitch_semitones)
        self._words = read_lyrics(self._notes)
        self._phones = [_phones(word, pronouncer) for word in self._words]
        self.items = _items(self._phones)

    def silence(self) -> Iterator[NDArray[np.float32]]:
        """Of a song without words: its length in silence."""
        seconds = self._notes[-1].end_s if self._notes else 0.0
        return iter([np.zeros(round(seconds * AUDIO_RATE_HZ), np.float32)])

    def begin(self, maker: PhraseMaker, track: StyledTrack) -> Iterator[NDArray[np.float32]]:
        """Pieces of the song for `track`, whose words are told to it now. The lyrics must have been said."""
        said: list[list[tuple[int, int]]] = []
        for first, phones in zip(self.items.first_item, self._phones, strict=True):
            said.append(self._said(maker, first, len(phones), said[-1][-1][1] if said else 0))
        named = [
            [Phone(name, start, end) for name, (start, end) in zip(phones, times, strict=True)]
            for phones, times in zip(self._phones, said, strict=True)
        ]
        codes = maker.all_codes()
        score = Score(self._notes, self._words, named, lambda curves, _piece: self._sung(codes, curves))
        sung = score.sing(self._cut_s)
        for word in sung.words:
            self._tell(word, track)
        return sung.pieces

    def _tell(self, word: SpokenWord, track: StyledTrack) -> None:
        at = track.raw_made
        track.add_word(
            SpokenWord(
                word.text,
                at + word.start_sample,
                at + word.end_sample,
                self._placed.char_start + word.char_start,
                self._placed.char_start + word.char_end,
            )
        )

    def _said(self, maker: PhraseMaker, first: int, count: int, begin: int) -> list[tuple[int, int]]:
        """Where each phone of a word lies, in samples of what was said, from `begin` at the earliest. One that the
        model has left out is a moment where it should have been: it is sung all the same."""
        frames = [maker.item_frame(first + place) for place in range(count + 1)]
        edges = [(maker.frames if frame is None else frame) * FRAME_SAMPLES for frame in frames]
        times = []
        begin = max(begin, edges[0])
        for edge in edges[1:]:
            times.append((begin, max(edge, begin + _SUBFRAME)))
            begin = times[-1][1]
        return times

    @torch.inference_mode()
    def _sung(self, codes: torch.Tensor, curves: Telling) -> Iterator[NDArray[np.float32]]:
        """The codes [K, T] along the curves, a frame at a time."""
        envelope, f0 = self._codec.decode_features(codes[None])
        envelope, f0 = envelope[0].flatten(0, 1), f0[0].flatten()
        count = -(-curves.length // FRAME_SAMPLES) * SUBFRAMES
        times = (np.arange(count) + 0.5) * _SUBFRAME / CURVE_HOP
        grid = np.arange(len(curves.gain))
        source = np.interp(times, grid, curves.source_position) / _SUBFRAME - 0.5
        gain = np.interp(times, grid, curves.gain)
        melody = torch.from_numpy(np.interp(times, grid, curves.f0_hz).astype(np.float32))
        left = torch.from_numpy(np.clip(np.floor(source), 0, len(f0) - 1).astype(np.int64))
        right = (left + 1).clamp(max=len(f0) - 1)
        share = torch.from_numpy(np.clip(source, 0, len(f0) - 1).astype(np.float32)) - left
        moved = envelope[left] * (1 - share[:, None]) + envelope[right] * share[:, None]
        faded = moved + torch.from_numpy(2 * np.log(np.maximum(gain, 1e-4)).astype(np.float32))[:, None]
        voiced = (f0[torch.where(share < 0.5, left, right)] > 0).float()
        return self._vocoded(faded, torch.where(voiced > 0, melody, 0.0), voiced)

    def _vocoded(self, envelope: torch.Tensor, f0: torch.Tensor, voiced: torch.Tensor) -> Iterator[NDArray[np.float32]]:
        state = self._codec.decoder_state(1)
        sound = SpokenSound(self._codec)
        skipped = sound.held_samples + self._codec.decoder_lag_samples * AUDIO_RATE_HZ // self._codec.sample_rate_hz
        for at in range(0, len(f0), SUBFRAMES):
            here = slice(at, at + SUBFRAMES)
            with torch.inference_mode():
                pcm = self._codec.vocode(envelope[None, here], f0[None, here], voiced[None, here], state)[0]
            for piece in sound.frames(pcm):
                # What the decoder and the resampler hold back is cut off: the beat is where the score has it.
                yield piece[skipped:] if skipped else piece
                skipped = 0


def _phones(word: LyricWord, pronouncer: Pronouncer) -> list[str]:
    found = [phone for said in pronouncer.words(word.pronounced) for phone in said.phones]
    return found or list(_OPEN_VOWEL)


def _items(phones: list[list[str]]) -> PhraseItems:
    """Like `phrase_items`, of words whose phones are known; without pauses between them."""
    items, firsts = [beginning(_CLOSING)], []
    for word in phones:
        firsts.append(len(items))
        items += [f"|{word[0]}", *word[1:]]
    return PhraseItems((*items, _CLOSING), tuple(firsts))
