"""A checkpoint that reads phones, as a mouth.

Besides model, tokenizer and codec its folder holds the speakers it was taught, and its `config.json` says under
`speech` what the model does in each of its styles.
"""

from pathlib import Path
from typing import Any, cast

from inference.checkpoints.errors import BrokenFile
from inference.checkpoints.tensors import read_json
from inference.codec.source_filter.codec import MODEL_TYPE, SourceFilterCodec
from inference.engine.engine import StepEngine
from inference.errors import ModelFault
from inference.models.tokenizer import VoilaTokenizer
from inference.pronunciation.items import CLOSINGS, NEXT, beginning, hint
from inference.pronunciation.phones import PHONES, STRESS, VOWELS
from inference.pronunciation.pronouncer import Pronouncer
from inference.worker.phone_mouth import PhoneMouth
from inference.worker.phone_voice import NEUTRAL, MadeStyle, PhoneVoices
from inference.worker.shared_engine import SharedEngine
from inference.worker.speaker_book import SpeakerBook

_PLACE = "config.json: speech"
_BOUNDS = {"rate": (0.25, 4.0), "pitch_semitones": (-24.0, 24.0), "pitch_range": (0.0, 4.0), "level_db": (-40.0, 40.0)}


def reads_phones(folder: Path) -> bool:
    """Whether the checkpoint is one for `phone_mouth`: its text is phones, not words. Raises `CheckpointError`."""
    speech = read_json(folder / "config.json").get("speech")
    return isinstance(speech, dict) and speech.get("reads") == "phones"


def phone_mouth(engine: StepEngine, folder: Path) -> PhoneMouth:
    """A mouth over the engine of the checkpoint in `folder`. Raises `CheckpointError`, `ModelFault`."""
    styles = read_styles(folder)
    if engine.model.kind != "token":
        raise BrokenFile(f"{_PLACE}: only a token checkpoint can be a mouth, this is {engine.model.kind}")
    if not isinstance(engine.codec, SourceFilterCodec):
        raise BrokenFile(f"{_PLACE}: a mouth that reads phones needs a codec of model_type {MODEL_TYPE}")
    _check_vocabulary(engine.tokenizer, styles)
    voices = PhoneVoices(SpeakerBook.load(folder), styles)
    try:
        pronouncer = Pronouncer.load()
    except OSError as error:
        raise ModelFault(f"the pronouncing dictionary cannot be read: {error}") from error
    return PhoneMouth(SharedEngine(engine), voices, pronouncer)


def read_styles(folder: Path) -> dict[str, MadeStyle]:
    """The model's styles by name. Raises `CheckpointError` naming the entry that is wrong."""
    speech = read_json(folder / "config.json").get("speech")
    if not isinstance(speech, dict) or speech.get("reads") != "phones":
        raise BrokenFile(f"{_PLACE}: a checkpoint for this mouth says that it reads phones")
    styles = speech.get("styles")
    if not isinstance(styles, dict) or NEUTRAL not in styles:
        raise BrokenFile(f"{_PLACE}.styles: styles by name are wanted, {NEUTRAL} among them")
    return {name: _made_style(name, numbers) for name, numbers in styles.items()}


def _made_style(name: str, numbers: Any) -> MadeStyle:
    place = f"{_PLACE}.styles.{name}"
    if not isinstance(numbers, dict) or not set(numbers) <= set(_BOUNDS):
        raise BrokenFile(f"{place}: numbers for {', '.join(_BOUNDS)} are wanted")
    for key, value in numbers.items():
        low, high = _BOUNDS[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise BrokenFile(f"{place}: {key} must be a number in {low:g}..{high:g}, not {value!r}")
    return MadeStyle(**cast(dict[str, float], numbers))


def _check_vocabulary(tokenizer: VoilaTokenizer, styles: dict[str, MadeStyle]) -> None:
    """Raises `BrokenFile` for a tokenizer that would read one of the mouth's items as unknown."""
    stressed = [f"{vowel}{STRESS}" for vowel in sorted(VOWELS)]
    phones = [*sorted(PHONES), *stressed]
    items = [NEXT, *CLOSINGS, *map(beginning, CLOSINGS), *phones, *(f"|{phone}" for phone in phones), *styles]
    for item in [*items, *(hint(item) for item in (NEXT, *CLOSINGS, *phones))]:
        ids = tokenizer.encode(item)
        if len(ids) != 1 or tokenizer.decode(ids) != item:
            raise BrokenFile(f"tokenizer.json: {item} is no token, and a mouth that reads phones says it")
