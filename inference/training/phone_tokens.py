"""The text side of our checkpoint: phones, pauses and styles as tokens, and the tokenizer that knows them.

Items are those of `inference.pronunciation.items`. Where the next item is due, whichever it is, the text head is taught
to say `_`: the words are forced, only the moment is the model's.
"""

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from inference.models.tokenizer import CONTROL_TOKENS, VoilaTokenizer
from inference.pronunciation.items import CLOSINGS, NEXT, beginning, hint
from inference.pronunciation.phones import PHONES, VOWELS
from inference.training.variation import STYLES

EOS, PAD, UNKNOWN = "<eos>", "<pad>", "[unk]"


def text_vocabulary() -> list[str]:
    """Every text token; its place is its id."""
    beginnings = [beginning(mark) for mark in CLOSINGS]
    phones = [f"{edge}{name}" for edge in ("", "|") for name in sorted(PHONES)]
    stressed = [f"{edge}{name}1" for edge in ("", "|") for name in sorted(VOWELS)]
    hints = [hint(item) for item in (NEXT, *CLOSINGS, *sorted(PHONES))]
    return [UNKNOWN, NEXT, *CLOSINGS, *beginnings, *STYLES, *phones, *stressed, *hints]


def write_tokenizer(folder: Path, codebooks: int, codebook_size: int) -> None:
    """`tokenizer.json` and `tokenizer_config.json`."""
    vocabulary = {token: number for number, token in enumerate(text_vocabulary())}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (EOS, PAD, *CONTROL_TOKENS)])
    tokenizer.add_tokens([AddedToken(f"<|{code}|>") for code in range(codebooks * codebook_size)])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"eos_token": EOS, "pad_token": PAD, "model_max_length": 1024}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def text_choices(tokenizer: VoilaTokenizer) -> list[int]:
    """The ids that the text head is taught to choose from: the next item, a frame, the end, in this order."""
    return [*tokenizer.encode(NEXT), tokenizer.control["<au_token>"], tokenizer.eos_id]


def items_of(phones: tuple[str, ...], text: str) -> list[str]:
    """Items for a teacher's phones: silences become marks. Parallel to `phones` but for the beginning put in front."""
    mark = text.rstrip("\"' ")[-1:] or "."
    closing = mark if mark in CLOSINGS else "."
    inner = ["," if name == "pau" else name for name in phones]
    if inner and inner[-1] == ",":
        inner[-1] = closing
    return [beginning(closing), *inner]
