"""Choosing among lines that say the same, without saying one twice in a row."""

import random
from collections.abc import Sequence
from typing import Any


class VariantPicker:
    """Seeded per session, so that a conversation can be replayed; its state is plain data."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._picks = 0
        self._last: dict[str, str] = {}

    def pick(self, key: str, lines: Sequence[str]) -> str:
        """One of `lines` (at least one), not the one picked last under this key if there is another."""
        self._picks += 1
        open_lines = [line for line in lines if line != self._last.get(key)] or list(lines)
        chosen = random.Random(f"{self._seed}:{self._picks}").choice(open_lines)
        self._last[key] = chosen
        return chosen

    def snapshot(self) -> dict[str, Any]:
        return {"seed": self._seed, "picks": self._picks, "last": dict(self._last)}

    def restore(self, data: dict[str, Any]) -> None:
        self._seed, self._picks = int(data["seed"]), int(data["picks"])
        self._last = {str(key): str(line) for key, line in data["last"].items()}
