"""Language models as pocketsphinx reads them."""

from pathlib import Path

from pocketsphinx import Config, LogMath, NGramModel


def read_ngrams(path: Path) -> NGramModel:
    """A language model that any number of decoders may share, as decoding holds the interpreter lock.

    Read with a configuration: without one pocketsphinx leaves out the language weight and recognises nonsense.
    Raises `ValueError` when the file is not there or no model.
    """
    return NGramModel(Config(loglevel="FATAL"), LogMath(), str(path))
