"""One response being spoken by eSpeak: parts in, frames with word times out."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inference.effects.settings import EffectSettings, MadeProsody
from inference.mouth.base import SpokenFrame, SpokenWord
from inference.mouth.espeak_voice import EspeakVoice
from inference.mouth.phrases import NEUTRAL_WPM, Phrase
from inference.mouth.speech_text import PlacedSong, SpeechText
from inference.mouth.styled_track import StyledTrack
from inference.protocol import Deliver, Pause, SpeechPart, StyleSpec, VoiceSpec


class EspeakSpeech:
    """Text waits until it is needed: a phrase is synthesised when the one before it has gone into the effects.

    A phrase is made with rate, pitch and range as they are at its start, which sounds best; the effect chain turns it
    into the style of the moment, so a change is heard in the middle of a word.
    """

    def __init__(self, voice_for: Callable[[VoiceSpec], EspeakVoice], voice: VoiceSpec, style: StyleSpec) -> None:
        self._voice_for = voice_for
        self._voice = voice
        self._made_voice = voice
        self._session_style = style
        self._delivered_style: StyleSpec | None = None
        self._made = MadeProsody(style.rate, voice.pitch_hz, style.pitch_range)
        self._sings = False
        self._singing: Iterator[NDArray[np.float32]] | None = None
        self._text = SpeechText()
        self._track = StyledTrack(self._effects())

    def add(self, part: SpeechPart) -> None:
        """The next part. Raises `InvalidSpec` when it asks for a voice that cannot be spoken."""
        if isinstance(part, Deliver) and part.voice is not None:
            self._voice_for(part.voice)
        self._text.add(part)

    def end(self) -> None:
        self._text.end()
        self._finish_if_done()

    def set_style(self, style: StyleSpec) -> None:
        self._session_style = style
        self._track.set(self._effects())

    @property
    def finished(self) -> bool:
        return self._track.over

    def close(self) -> None:
        """Holds nothing that others wait for."""

    def frame(self) -> SpokenFrame | None:
        found = self._track.frame()
        while found is None and not self._track.over:
            made = self._make_more()
            self._finish_if_done()
            found = self._track.frame()
            if not made:
                break
        if not self._track.holds_raw:
            # With the last frame one knows that it was the last.
            self._sings_on()
            self._finish_if_done()
        return found

    @property
    def _style(self) -> StyleSpec:
        return self._delivered_style or self._session_style

    def _effects(self) -> EffectSettings:
        settings = EffectSettings.between(self._made, self._style, self._made_voice)
        # A melody is not the voice's own movement: widening it would sing out of tune. The formants are in it already.
        return replace(settings, pitch_range=1.0, formant_ratio=1.0) if self._sings else settings

    def _finish_if_done(self) -> None:
        if self._singing is None and self._text.is_over:
            self._track.finish()

    def _sings_on(self) -> bool:
        """Whether the song has another piece; it is then on its way."""
        piece = next(self._singing, None) if self._singing is not None else None
        if piece is None:
            self._singing = None
            return False
        self._track.add(piece)
        return True

    def _make_more(self) -> bool:
        """Make the next piece of raw speech. False when nothing is ready to be said."""
        if self._sings_on():
            return True
        piece = self._text.take()
        if piece is None:
            return False
        match piece:
            case Phrase():
                self._speak(piece)
            case Pause(seconds):
                self._track.add_silence(seconds * self._style.pause_scale * self._track.rate)
            case PlacedSong():
                self._sing(piece)
            case Deliver():
                self._deliver(piece)
        return True

    def _speak(self, phrase: Phrase) -> None:
        style = self._style
        spoken = self._voice_for(self._voice).speak(phrase, style)
        self._made, self._made_voice, self._sings = spoken.made, self._voice, False
        self._track.set(self._effects())
        for timed in spoken.words:
            start = phrase.char_start + timed.word.start
            self._track.add_word(
                SpokenWord(
                    text=timed.word.text,
                    start_sample=self._track.raw_made + timed.start_sample,
                    end_sample=self._track.raw_made + timed.end_sample,
                    char_start=start,
                    char_end=start + len(timed.word.text),
                )
            )
        self._track.add(spoken.pcm)
        slowness = NEUTRAL_WPM / (self._voice.words_per_minute * style.rate)
        self._track.add_silence(phrase.pause_s * style.pause_scale * slowness)

    def _sing(self, placed: PlacedSong) -> None:
        """Begin a song; its pieces are drawn as they are needed. Songs in a row keep one beat."""
        style, voice = self._style, self._voice_for(self._voice)
        score = voice.score(placed.song, style)
        following = self._text.next_song
        cut_s = voice.score(following.song, style).lead_s if following is not None else 0.0
        sung = score.sing(cut_s)
        self._singing = sung.pieces
        self._made = MadeProsody(
            style.rate, self._voice.pitch_hz * 2 ** (style.pitch_semitones / 12), style.pitch_range
        )
        self._made_voice, self._sings = self._voice, True
        self._track.set(self._effects())
        for word in sung.words:
            self._track.add_word(
                replace(
                    word,
                    start_sample=self._track.raw_made + word.start_sample,
                    end_sample=self._track.raw_made + word.end_sample,
                    char_start=placed.char_start + word.char_start,
                    char_end=placed.char_start + word.char_end,
                )
            )

    def _deliver(self, change: Deliver) -> None:
        if change.style is not None:
            # Back in the session's own style, later changes of that style are heard again.
            self._delivered_style = None if change.style == self._session_style else change.style
        if change.voice is not None:
            self._voice = change.voice
        self._track.set(self._effects())
