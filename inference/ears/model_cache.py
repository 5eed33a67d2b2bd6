"""Files that are costly to make: written whole or not at all, checked before use."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_KEPT = 64
"""Language models kept on disk (6 MB each), by last use."""


class ModelCache:
    """A directory of files named by what they were made from. Safe between threads and between processes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, name: str) -> Path:
        return self._directory / name

    def holds(self, name: str) -> bool:
        """True when the file is there and what `write` left."""
        path = self.path(name)
        try:
            expected = self._sum_path(path).read_text(encoding="ascii")
            intact = hashlib.sha256(path.read_bytes()).hexdigest() == expected
        except (OSError, UnicodeDecodeError):
            return False
        if intact:
            with contextlib.suppress(OSError):
                os.utime(path)
        return intact

    def write(self, name: str, fill: Callable[[Path], None]) -> Path:
        """Have `fill` write a file, then put it in place under `name`. Raises `OSError` when the disk refuses."""
        path = self.path(name)
        with self._temporary(path.suffix) as draft:
            fill(draft)
            checksum = hashlib.sha256(draft.read_bytes()).hexdigest()
            with self._temporary(".sha256") as sum_draft:
                sum_draft.write_text(checksum, encoding="ascii")
                draft.replace(path)
                sum_draft.replace(self._sum_path(path))
        return path

    def read_json(self, name: str) -> Any:
        """The content of an intact JSON file; None otherwise."""
        return json.loads(self.path(name).read_text(encoding="utf-8")) if self.holds(name) else None

    def write_json(self, name: str, content: Any) -> None:
        self.write_text(name, json.dumps(content))

    def write_text(self, name: str, text: str) -> None:
        self.write(name, lambda path: _write_text(path, text))

    def drop_old(self, suffix: str) -> None:
        """Delete the files of this suffix used longest ago, beyond a fixed number."""
        with contextlib.suppress(OSError):
            by_use = sorted(self._directory.glob(f"*{suffix}"), key=lambda path: path.stat().st_mtime, reverse=True)
            for path in by_use[_KEPT:]:
                path.unlink(missing_ok=True)
                self._sum_path(path).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _temporary(self, suffix: str) -> Iterator[Path]:
        self._directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=suffix, prefix=".draft-", dir=self._directory)
        os.close(handle)
        try:
            yield Path(name)
        finally:
            Path(name).unlink(missing_ok=True)

    @staticmethod
    def _sum_path(path: Path) -> Path:
        return path.with_name(path.name + ".sha256")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
