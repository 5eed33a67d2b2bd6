"""The ears a worker uses unless told otherwise."""

import os
from pathlib import Path

from inference.ears.base import Ears
from inference.ears.pocketsphinx_ears import PocketsphinxEars

CACHE_DIR_VARIABLE = "TROUPE_CACHE_DIR"
DEFAULT_CACHE_DIR = Path("var/cache")


def default_ears(cache_dir: Path | None = None) -> Ears:
    """Pocketsphinx ears caching under `cache_dir`, else `$TROUPE_CACHE_DIR`, else `var/cache` of the working directory.

    Nothing is loaded before the first `prepare`.
    """
    root = cache_dir or Path(os.environ.get(CACHE_DIR_VARIABLE) or DEFAULT_CACHE_DIR)
    return PocketsphinxEars(root / "ears")
