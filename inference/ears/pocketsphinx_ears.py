"""The default ears: pocketsphinx, with a language model for each character."""

import logging
from pathlib import Path

from inference.ears.base import Utterance
from inference.ears.decoder_pool import DecoderPool
from inference.ears.language_models import LanguageModels
from inference.ears.recogniser import Recogniser
from inference.ears.utterance import PocketsphinxUtterance
from inference.protocol import EarsSpec

log = logging.getLogger(__name__)


class PocketsphinxEars:
    """English ears that many streams share. Thread-safe.

    A recogniser is leased only while an utterance lasts, so `bound` limits how many people are heard speaking at the
    same moment, not how many calls there are. Other languages than English are heard as English: pocketsphinx brings
    no other model, and a call with a Chinese character relies on typed text.
    """

    def __init__(self, cache_dir: Path, warm: int = 2, bound: int = 16) -> None:
        """`cache_dir` keeps language models between runs; `warm` recognisers are made by the first `prepare`."""
        self._models = LanguageModels(cache_dir)
        self._warm = warm
        self._pool = DecoderPool(lambda: Recogniser(self._models.dictionary()), bound)

    def prepare(self, spec: EarsSpec) -> None:
        """Build or load the language model of `spec` and have idle recognisers load it. Thread-safe, off the tick loop.

        Raises `ModelFault` when the model cannot be made.
        """
        if not spec.language.lower().startswith("en"):
            log.warning("no recogniser for language %r: hearing it as English", spec.language)
        model, ngrams = self._models.prepare(spec)
        self._pool.warm(self._warm)
        while (recogniser := self._pool.take_idle(lambda item: not item.has(model))) is not None:
            try:
                recogniser.load(model, ngrams)
            finally:
                self._pool.give_back(recogniser)

    def listen(self, spec: EarsSpec, after: Utterance | None = None) -> PocketsphinxUtterance:
        """Begin an utterance, adapted to the speaker of `after`; slow if `spec` was not prepared.

        Raises `AtCapacity` when every recogniser is in use, `ModelFault` when there is no model and none can be made.
        """
        acoustics = after.acoustics if isinstance(after, PocketsphinxUtterance) else ""
        model, ngrams = self._models.prepare(spec)
        recogniser = self._pool.lease(lambda item: item.has(model))
        try:
            recogniser.load(model, ngrams)
            return PocketsphinxUtterance(self._pool, recogniser, model, acoustics)
        except BaseException:
            self._pool.give_back(recogniser)
            raise
