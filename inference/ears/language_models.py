"""A language model for each character, by content: in memory, on disk, or built now."""

import json
import logging
import subprocess
import sys
import threading
from collections import OrderedDict, defaultdict
from pathlib import Path

from pocketsphinx import NGramModel

from inference.ears.model_builder import DICTIONARY, model_key
from inference.ears.model_cache import ModelCache
from inference.ears.ngrams import read_ngrams
from inference.ears.recogniser import CharacterModel
from inference.errors import ModelFault
from inference.protocol import EarsSpec

log = logging.getLogger(__name__)

BUILD_LIMIT_S = 180.0
_ROOT = Path(__file__).resolve().parents[2]
_IN_MEMORY = 32


class LanguageModels:
    """Thread-safe: one character's model is built once, others meanwhile."""

    def __init__(self, cache_dir: Path) -> None:
        self._directory = cache_dir
        self._cache = ModelCache(cache_dir)
        self._lock = threading.Lock()
        self._building: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._ready: OrderedDict[str, tuple[CharacterModel, NGramModel]] = OrderedDict()
        self._keys: dict[EarsSpec, str] = {}

    def prepare(self, spec: EarsSpec) -> tuple[CharacterModel, NGramModel]:
        """The model of `spec`: at once if it is in memory, in 50 ms from disk, else built in about three seconds by a
        process of its own.

        Raises `ModelFault` when it cannot be built, for instance because the disk is full.
        """
        key = self._key(spec)
        if found := self._in_memory(key):
            return found
        with self._lock:
            building = self._building[key]
        with building:
            if found := self._in_memory(key):
                return found
            found = self._from_disk(key) or self._built(key, spec)
            self._remember(key, found)
            return found

    def dictionary(self) -> Path:
        """The file with the pronunciations of the general vocabulary; made when missing or damaged."""
        with self._lock:
            building = self._building[DICTIONARY]
        with building:
            for _attempt in range(2):
                name = self._cache.read_json(DICTIONARY)
                if isinstance(name, str) and self._cache.holds(name):
                    return self._cache.path(name)
                self._run_builder(None)
        raise ModelFault("the recogniser's dictionary cannot be kept on disk")

    def _in_memory(self, key: str) -> tuple[CharacterModel, NGramModel] | None:
        with self._lock:
            found = self._ready.get(key)
            if found is not None:
                self._ready.move_to_end(key)
            return found

    def _remember(self, key: str, found: tuple[CharacterModel, NGramModel]) -> None:
        with self._lock:
            self._ready[key] = found
            self._building.pop(key, None)
            while len(self._ready) > _IN_MEMORY:
                self._ready.popitem(last=False)

    def _key(self, spec: EarsSpec) -> str:
        with self._lock:
            if len(self._keys) >= 4 * _IN_MEMORY:
                self._keys.clear()
            if spec not in self._keys:
                self._keys[spec] = model_key(spec)
            return self._keys[spec]

    def _from_disk(self, key: str) -> tuple[CharacterModel, NGramModel] | None:
        words = self._cache.read_json(f"{key}.json")
        if words is None or not self._cache.holds(f"{key}.bin"):
            return None
        extra = tuple((token, phones) for token, phones in words)
        try:
            return CharacterModel(key, extra), read_ngrams(self._cache.path(f"{key}.bin"))
        except (OSError, RuntimeError, ValueError) as error:
            raise ModelFault(f"cannot read a language model: {error}") from error

    def _built(self, key: str, spec: EarsSpec) -> tuple[CharacterModel, NGramModel]:
        self._run_builder(spec)
        found = self._from_disk(key)
        if found is None:
            raise ModelFault("a language model was built and is not there")
        log.info("built a language model from %d phrases and %d lines", len(spec.phrases), len(spec.script))
        return found

    def _run_builder(self, spec: EarsSpec | None) -> None:
        """Builds in another process: here it would hold the interpreter lock for seconds."""
        wanted = spec and {"phrases": spec.phrases, "script": spec.script, "general_weight": spec.general_weight}
        command = [sys.executable, "-m", "inference.ears.model_builder", str(self._directory.resolve())]
        try:
            done = subprocess.run(
                command,
                cwd=_ROOT,
                input=json.dumps(wanted),
                capture_output=True,
                text=True,
                timeout=BUILD_LIMIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ModelFault(f"cannot build a language model: {error}") from error
        if done.returncode:
            raise ModelFault(f"cannot build a language model: {done.stderr.strip()[-300:]}")
