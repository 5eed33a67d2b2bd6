"""One pocketsphinx decoder and the language models it has at hand."""

import contextlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from pocketsphinx import Decoder, NGramModel

from inference.ears.wheel import acoustic_model_dir

MODELS_PER_DECODER = 4
"""Language models a decoder keeps loaded; each costs it a few MB and 0.1 s to load."""


@dataclass(frozen=True, slots=True)
class CharacterModel:
    """A language model's name and the words it needs beyond the shared dictionary."""

    key: str
    pronunciations: tuple[tuple[str, str], ...] = ()
    """Word (an alternate as `word(2)`) and its phones, separated by spaces."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of the best path, filler or word. Frames are 10 ms of the decoder, counted from `start_utt`."""

    token: str
    start_frame: int
    end_frame: int
    posterior: float

    @property
    def frames(self) -> int:
        return self.end_frame - self.start_frame + 1


class Recogniser:
    """Not thread-safe: leased to one utterance at a time by the pool."""

    def __init__(self, dictionary: Path) -> None:
        """Raises `RuntimeError` when pocketsphinx cannot load the acoustic model or the dictionary."""
        self._decoder = Decoder(
            hmm=str(acoustic_model_dir()),
            dict=str(dictionary),
            lm=None,
            fwdflat=False,
            bestpath=True,
            loglevel="FATAL",
        )
        self._cepstral_mean = self._decoder.get_cmn()
        self._loaded: OrderedDict[str, None] = OrderedDict()
        self._in_utterance = False

    def has(self, model: CharacterModel) -> bool:
        return model.key in self._loaded

    def load(self, model: CharacterModel, ngrams: NGramModel) -> None:
        """Make `model` one of those at hand, dropping the one unused longest when there are too many."""
        if self.has(model):
            return
        for word, phones in model.pronunciations:
            self._learn(word, phones)
        self._decoder.add_lm(model.key, ngrams)
        self._loaded[model.key] = None
        while len(self._loaded) > MODELS_PER_DECODER:
            oldest = next(iter(self._loaded))
            del self._loaded[oldest]
            self._decoder.remove_search(oldest)

    def _learn(self, word: str, phones: str) -> None:
        """Put a word into the dictionary.

        pocketsphinx then offers the word to every language model already loaded; these are read-only and refuse, which
        it reports as a failure although the dictionary has the word by then - all that is wanted here.
        """
        if self._decoder.lookup_word(word) is None:
            with contextlib.suppress(RuntimeError):
                self._decoder.add_word(word, phones, False)
            if self._decoder.lookup_word(word) is None:
                raise ValueError(f"{phones!r} is no pronunciation for {word!r}")

    def start(self, model: CharacterModel, cepstral_mean: str = "") -> None:
        """Begin an utterance with a loaded model.

        Of earlier speakers (their noise, their mean) nothing is kept but the mean given.
        """
        self._loaded.move_to_end(model.key)
        self._decoder.activate_search(model.key)
        self._decoder.set_cmn(cepstral_mean or self._cepstral_mean)
        # Called deprecated, yet without it noise tracked in an earlier utterance changes the reading of this one.
        self._decoder.start_stream()
        self._decoder.start_utt()
        self._in_utterance = True

    def process(self, pcm16: bytes) -> None:
        """Decode samples. Holds the interpreter lock for about a fifteenth of their duration."""
        self._decoder.process_raw(pcm16)

    def hypothesis(self) -> str:
        """The best path so far as raw tokens."""
        best = self._decoder.hyp()
        return best.hypstr if best else ""

    def cepstral_mean(self) -> str:
        """The mean cepstrum after the utterance just ended, numbers with commas: its speaker's voice and microphone."""
        return str(self._decoder.get_cmn(True))

    def end(self) -> None:
        """Close the utterance, so that its reading is final."""
        self._decoder.end_utt()
        self._in_utterance = False

    def stop(self) -> None:
        """Close the utterance if one is open."""
        if self._in_utterance:
            self.end()

    def segments(self) -> list[Segment]:
        """The best path of the ended utterance."""
        if self._decoder.hyp() is None:
            return []
        return [Segment(item.word, item.start_frame, item.end_frame, float(item.prob)) for item in self._decoder.seg()]

    def readings(self, limit: int) -> list[str]:
        """Up to `limit` raw readings of the ended utterance, best first."""
        found: list[str] = []
        if self._decoder.hyp() is None:
            return found
        for best in self._decoder.nbest():
            if best is None or len(found) >= limit:
                break
            found.append(best.hypstr)
        return found
