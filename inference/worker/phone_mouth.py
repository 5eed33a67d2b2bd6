"""The bundled voice model as a mouth: phones are forced into it as text while it makes the sound.

Streams are drawn, not driven: the engine ticks when a speech has no frame left and is asked for one, and all phrases
being made advance with it, up to a little ahead of their listeners. A phrase is a stream of its own, so a slot is
taken only while something is made, and every phrase begins as the model was taught, right after the prompt.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from inference.codec.source_filter.vocoder import LAG_SAMPLES
from inference.errors import AtCapacity
from inference.mouth.base import SpokenFrame, SpokenWord
from inference.mouth.phrases import NEUTRAL_WPM, Phrase, pause_after
from inference.mouth.speech_text import PlacedSong, SpeechText
from inference.mouth.styled_track import StyledTrack
from inference.pronunciation.items import PhraseItems, phrase_items
from inference.pronunciation.pronounced_word import PronouncedWord
from inference.pronunciation.pronouncer import Pronouncer
from inference.protocol import AUDIO_RATE_HZ, FRAME_SAMPLES, Deliver, Pause, SpeechPart, StyleSpec, VoiceSpec
from inference.worker.model_sound import SpokenSound
from inference.worker.phone_song import SungPhrase
from inference.worker.phone_voice import PhoneVoice, PhoneVoices
from inference.worker.phrase_maker import PhraseMaker
from inference.worker.shared_engine import SharedEngine

AHEAD_SAMPLES = 12 * FRAME_SAMPLES
"""Made beyond what was taken before a phrase waits for its listener: about half a second."""

TICKS_PER_CALL = 2
"""Of the engine, that one `frame` may ask for: the others on the loop want their turn."""

MOST_WAIT_S = 3.0
"""For a slot, before the speech fails."""


_LAG = LAG_SAMPLES * AUDIO_RATE_HZ // 16_000


class PhoneMouth:
    """A `mouth.base.Mouth` over a shared engine whose checkpoint reads phones."""

    def __init__(
        self,
        shared: SharedEngine,
        voices: PhoneVoices,
        pronouncer: Pronouncer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shared, self.voices, self.pronouncer, self.clock = shared, voices, pronouncer, clock
        self._seeds = itertools.count(1)

    def prepare(self, voice: VoiceSpec) -> None:
        """Raises `InvalidSpec` for a timbre that is none."""
        self.voices.voice(voice)

    def begin(self, voice: VoiceSpec, style: StyleSpec) -> "PhoneSpeech":
        """A new speech. Raises `InvalidSpec`."""
        return PhoneSpeech(self, voice, style)

    def next_seed(self) -> int:
        return next(self._seeds)


class _Words:
    """The words of a phrase in the making: where each begins and ends is told to the track as it becomes known."""

    def __init__(
        self, words: list[PronouncedWord], first_items: tuple[int, ...], char_start: int, raw_start: int
    ) -> None:
        self._left = deque(zip(words, first_items, strict=True))
        self._char_start, self._raw_start = char_start, raw_start
        self._begun: tuple[PronouncedWord, int] | None = None

    def tell(self, track: StyledTrack, maker: PhraseMaker) -> None:
        while self._left:
            word, item = self._left[0]
            frame = maker.item_frame(item)
            if frame is None:
                return
            self._left.popleft()
            self.end(track, frame)
            self._begun = word, frame

    def end(self, track: StyledTrack, frame: int) -> None:
        """The word begun last ends before this frame."""
        if self._begun is None:
            return
        word, begin = self._begun
        start, end = (self._raw_start + at * FRAME_SAMPLES for at in (begin, frame))
        char = self._char_start + word.char_start
        track.add_word(SpokenWord(word.text, start, max(start, end), char, char + len(word.text)))
        self._begun = None


class PhoneSpeech:
    """One response being spoken (`mouth.base.Speech`)."""

    def __init__(self, mouth: PhoneMouth, voice: VoiceSpec, style: StyleSpec) -> None:
        self._mouth = mouth
        self._text = SpeechText()
        self._voice: PhoneVoice = mouth.voices.voice(voice)
        self._session_style = style
        self._delivered_style: StyleSpec | None = None
        self._model_style = self._voice.model_style(style)
        self._track = StyledTrack(self._voice.effects(style, self._model_style))
        self._next: Phrase | PlacedSong | None = None
        """Waits for a slot."""

        self._waits_since: float | None = None
        self._maker: PhraseMaker | None = None
        self._words: _Words | None = None
        self._sound: SpokenSound | None = None
        self._phrase: Phrase | None = None
        self._song: SungPhrase | None = None
        self._pieces: Iterator[NDArray[np.float32]] | None = None
        self._closed = False

    # --- mouth.base.Speech ---

    def add(self, part: SpeechPart) -> None:
        """The next part. Raises `InvalidSpec` when it asks for a voice that cannot be spoken."""
        if isinstance(part, Deliver) and part.voice is not None:
            self._mouth.voices.voice(part.voice)
        self._text.add(part)

    def end(self) -> None:
        self._text.end()
        self._finish_if_done()

    def set_style(self, style: StyleSpec) -> None:
        self._session_style = style
        self._apply_style()

    def frame(self) -> SpokenFrame | None:
        for _ in range(TICKS_PER_CALL):
            found = self._track.frame()
            if found is not None:
                return found
            if not self._make_more():
                break
        return self._track.frame()

    @property
    def finished(self) -> bool:
        return self._track.over

    def close(self) -> None:
        self._closed = True
        if self._maker is not None:
            self._maker.close()
        self._maker = self._pieces = self._next = None

    # --- making ---

    @property
    def _style(self) -> StyleSpec:
        return self._delivered_style or self._session_style

    def _apply_style(self) -> None:
        """What can change in the middle of a phrase does; the model's own part waits for the next."""
        self._track.set(self._voice.effects(self._style, self._model_style))
        if self._maker is not None and self._song is None:
            voice, style, made = self._voice, self._style, self._model_style
            self._maker.steer(lambda steering, slot: voice.steer(steering, slot, style, made))

    def _make_more(self) -> bool:
        """Brings the next sound nearer. False when nothing can be made now."""
        if self._closed or self._track.over:
            return False
        if self._maker is not None:
            self._mouth.shared.advance(self._mouth.clock())
            self._collect(self._maker)
        elif self._pieces is not None:
            self._sing_on(self._pieces)
        elif not self._begin_next():
            return False
        self._finish_if_done()
        return True

    def _collect(self, maker: PhraseMaker) -> None:
        maker.check()
        if self._sound is not None:
            while maker.sounds:
                for pcm in self._sound.frames(maker.sounds.popleft()):
                    self._track.add(pcm)
        if self._words is not None:
            self._words.tell(self._track, maker)
        if maker.done:
            self._end_phrase(maker)

    def _end_phrase(self, maker: PhraseMaker) -> None:
        maker.close()
        if self._song is not None:
            self._pieces = self._song.begin(maker, self._track)
        elif self._phrase is not None and self._words is not None and self._sound is not None:
            # What the resampler holds back; and the last word is told with a frame that is still to come.
            for pcm in self._sound.frames(torch.zeros(self._mouth.shared.codec.samples_per_frame)):
                self._track.add(pcm)
            self._words.end(self._track, maker.frames)
            style = self._style
            slowness = NEUTRAL_WPM / (self._voice.spec.words_per_minute * style.rate)
            self._track.add_silence(self._phrase.pause_s * style.pause_scale * slowness)
        self._maker = self._words = self._sound = self._phrase = self._song = None

    def _sing_on(self, pieces: Iterator[NDArray[np.float32]]) -> None:
        piece = next(pieces, None)
        if piece is None:
            self._pieces = None
        else:
            self._track.add(piece)

    def _begin_next(self) -> bool:
        """Takes up the next piece of the speech. False when there is none yet, or no slot for it."""
        if self._next is None:
            piece = self._text.take()
            match piece:
                case None:
                    return False
                case Pause(seconds):
                    self._track.add_silence(seconds * self._style.pause_scale * self._track.rate)
                    return True
                case Deliver():
                    self._deliver(piece)
                    return True
            self._next = piece
        return self._open(self._next)

    def _open(self, piece: Phrase | PlacedSong) -> bool:
        self._model_style = self._voice.model_style(self._style)
        try:
            if isinstance(piece, Phrase):
                self._open_words(piece)
            else:
                self._open_song(piece)
        except AtCapacity:
            now = self._mouth.clock()
            self._waits_since = self._waits_since or now
            if now - self._waits_since > MOST_WAIT_S:
                raise
            return False
        self._next, self._waits_since = None, None
        self._apply_style()
        return True

    def _open_words(self, phrase: Phrase) -> None:
        words = self._mouth.pronouncer.words(phrase.text)
        if not words:
            self._track.add_silence(phrase.pause_s)
            return
        items = phrase_items(words, _closing(phrase))
        self._maker = self._new_maker(items)
        self._sound = SpokenSound(self._mouth.shared.codec)
        start = self._track.raw_made + self._sound.held_samples + _LAG
        self._words = _Words(words, items.first_item, phrase.char_start, start)
        self._phrase = phrase

    def _open_song(self, placed: PlacedSong) -> None:
        song = SungPhrase(
            placed, self._text.next_song is not None, self._style, self._mouth.pronouncer, self._mouth.shared
        )
        if not song.items.first_item:
            self._pieces = song.silence()
            return
        self._maker = self._new_maker(song.items)
        self._song = song

    def _new_maker(self, items: PhraseItems) -> PhraseMaker:
        return PhraseMaker(
            self._mouth.shared,
            items,
            self._voice.embedding,
            self._model_style,
            prefix_key=(self._voice.spec.slug, self._voice.spec.timbre, self._voice.spec.pitch_hz),
            seed=self._mouth.next_seed(),
            wants_more=self._wants_more,
        )

    def _wants_more(self) -> bool:
        return self._song is not None or self._track.waiting_samples < AHEAD_SAMPLES

    def _deliver(self, change: Deliver) -> None:
        if change.style is not None:
            # Back in the session's own style, later changes of that style are heard again.
            self._delivered_style = None if change.style == self._session_style else change.style
        if change.voice is not None:
            self._voice = self._mouth.voices.voice(change.voice)
        self._apply_style()

    def _finish_if_done(self) -> None:
        busy = self._maker is not None or self._pieces is not None or self._next is not None
        if not busy and self._text.is_over:
            self._track.finish()


def _closing(phrase: Phrase) -> str:
    """How the phrase ends, as an item."""
    end = phrase.text.rstrip().rstrip("\"'”’»)]*_")[-1:]
    if end in ("?", "!"):
        return end
    return "." if pause_after(phrase.text) > 0 and end not in (",", ";", ":", "-") else "," if phrase.continues else "."
