"""Token ids as text, whole characters only."""

from inference.models.tokenizer import VoilaTokenizer

_BROKEN = "\ufffd"
_LONGEST_CHARACTER = 4
"""Bytes of a character, hence tokens, that may have to come together."""


class WrittenText:
    """A character whose bytes are spread over tokens appears when the last of them does; control tokens never do."""

    def __init__(self, tokenizer: VoilaTokenizer) -> None:
        self._tokenizer = tokenizer
        self._silent = {*tokenizer.control.values(), tokenizer.eos_id, tokenizer.pad_id}
        self._held: list[int] = []

    def write(self, token: int) -> str:
        if token in self._silent:
            return self.flush()
        self._held.append(token)
        text = self._tokenizer.decode(self._held)
        if text.endswith(_BROKEN) and len(self._held) < _LONGEST_CHARACTER:
            return ""
        self._held.clear()
        return text

    def flush(self) -> str:
        text = self._tokenizer.decode(self._held) if self._held else ""
        self._held.clear()
        return text
