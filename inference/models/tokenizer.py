"""The checkpoint's tokenizer: control tokens by name, text that can never become one."""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from inference.checkpoints.errors import BrokenFile, CheckpointMissing
from inference.checkpoints.tensors import read_json

CONTROL_TOKENS = (
    "<SYSTEM>", "</SYSTEM>", "<asr>", "<tts>", "<chat>", "<stream_chat>", "<asr_text_output>", "<tts_audio_output>",
    "<chat_text_output>", "<chat_audio_output>", "<au_chat_ref_start>", "<au_chat_ref>", "<au_chat_ref_end>",
    "<au_tts_ref_start>", "<au_tts_ref>", "<au_tts_ref_end>", "<|HUMAN|>", "<|VOILA|>", "<au_token>",
)  # fmt: skip


class VoilaTokenizer:
    """Ids come from the files, never from this code."""

    def __init__(self, folder: Path, num_codebooks: int, codebook_size: int) -> None:
        """Raises `CheckpointMissing` or `BrokenFile` naming the token that is not there."""
        path = folder / "tokenizer.json"
        try:
            content = path.read_text(encoding="utf-8")
            self._controlled = Tokenizer.from_str(content)
            self._plain = Tokenizer.from_str(_without_added_tokens(content))
        except FileNotFoundError as error:
            raise CheckpointMissing(f"{folder} has no tokenizer.json") from error
        except Exception as error:  # the library raises bare `Exception` for a file it cannot use
            raise BrokenFile(f"tokenizer.json: {error}") from error
        settings = read_json(folder / "tokenizer_config.json")
        self.control = {token: self._id(token) for token in CONTROL_TOKENS}
        self.eos_id = self._id(_content(settings.get("eos_token")))
        self.pad_id = self._id(_content(settings.get("pad_token")))
        self.max_length = int(settings.get("model_max_length") or 0) or None
        self.audio_first_id = self._id("<|0|>")
        self.num_codebooks, self.codebook_size = num_codebooks, codebook_size
        last = num_codebooks * codebook_size - 1
        if self._id(f"<|{last}|>") != self.audio_first_id + last:
            raise BrokenFile("tokenizer.json: the audio tokens <|0|> ... are not contiguous")
        self.audio_end_id = self.audio_first_id + last + 1
        """One past the last audio id."""

    def __len__(self) -> int:
        return int(self._controlled.get_vocab_size(with_added_tokens=True))

    def encode(self, text: str) -> list[int]:
        """Ids of text from people. A control token written in it stays ordinary characters."""
        return list(self._plain.encode(text, add_special_tokens=False).ids)

    def encode_with_control(self, text: str) -> list[int]:
        """Ids of text in which control tokens count: for our own strings and for comparing with the reference."""
        return list(self._controlled.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int]) -> str:
        return str(self._controlled.decode(ids, skip_special_tokens=False))

    def audio_id(self, codebook: int, code: int) -> int:
        return self.audio_first_id + codebook * self.codebook_size + code

    def is_audio(self, token_id: int) -> bool:
        return self.audio_first_id <= token_id < self.audio_end_id

    def _id(self, token: str) -> int:
        found = self._controlled.token_to_id(token)
        if found is None:
            raise BrokenFile(f"tokenizer.json: there is no token {token}")
        return int(found)


def _content(token: Any) -> str:
    """A token as newer files write it (text) or older ones (an object with `content`)."""
    value = token.get("content") if isinstance(token, dict) else token
    if not isinstance(value, str):
        raise BrokenFile("tokenizer_config.json: eos_token and pad_token must both be there")
    return value


def _without_added_tokens(content: str) -> str:
    """The same tokenizer knowing no token outside its own vocabulary."""
    data = json.loads(content)
    data["added_tokens"] = []
    data["post_processor"] = None
    return json.dumps(data)
