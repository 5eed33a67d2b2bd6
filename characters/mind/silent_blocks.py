"""Blocks of a model's text that are never spoken: its thoughts and code."""

_BLOCKS = {"<think>": "</think>", "```": "```"}


class SilentBlocks:
    """Takes thoughts and code out of a stream, wherever it is cut into pieces."""

    def __init__(self) -> None:
        self._held = ""
        self._closing = ""
        """What ends the block we are in; empty outside of one."""

    def feed(self, piece: str) -> str:
        """The text that certainly stands outside of any block."""
        self._held += piece
        given = ""
        while True:
            if self._closing:
                _, found, rest = self._held.partition(self._closing)
                if not found:
                    self._held = self._held[-len(self._closing) + 1 :]
                    return given
                self._held, self._closing = rest, ""
            opening = min((mark for mark in _BLOCKS if mark in self._held), key=self._held.index, default="")
            if not opening:
                kept = self._unsure()
                given += self._held[: len(self._held) - kept]
                self._held = self._held[len(self._held) - kept :]
                return given
            before, _, self._held = self._held.partition(opening)
            given += before
            self._closing = _BLOCKS[opening]

    def close(self) -> str:
        """What was held; a block that never ended is not spoken."""
        rest, self._held = ("" if self._closing else self._held), ""
        return rest

    def _unsure(self) -> int:
        """How many characters at the end may be the beginning of a block's mark."""
        lengths = (
            length
            for mark in _BLOCKS
            for length in range(min(len(mark) - 1, len(self._held)), 0, -1)
            if self._held.endswith(mark[:length])
        )
        return max(lengths, default=0)
