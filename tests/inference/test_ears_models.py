"""Language models: what is built, kept and rebuilt."""

from pathlib import Path

import numpy as np
import pytest

from inference.ears.domain_model import domain_model
from inference.ears.mixture import mix
from inference.ears.model_cache import ModelCache
from inference.ears.pronunciation import Pronouncer
from inference.ears.spoken_text import sentences
from inference.ears.trigram_model import TrigramModel
from inference.ears.wheel import pronunciations
from inference.pronunciation.letter_to_sound import learn, pronounce

TALK = [
    ("the lantern is lit".split(), 4.0),
    ("light the lantern please".split(), 1.0),
    ("is the keeper here".split(), 2.0),
]
OTHER = [("the train is late".split(), 1.0), ("is the doctor here".split(), 3.0), ("please wait here".split(), 1.0)]


def total_after(model: TrigramModel, *context: str) -> float:
    """Sum of the probabilities of everything that may follow."""
    place = {word: index for index, word in enumerate(model.words)}
    following = [index for word, index in place.items() if word != "<s>"]
    rows = np.array([[*(place[word] for word in context), index] for index in following])
    logs = model.bigram_log(rows) if len(context) == 1 else model.trigram_log(rows)
    return float(np.power(10.0, logs).sum())


@pytest.mark.parametrize(
    "context", [("the",), ("<s>",), ("train",), ("<s>", "is"), ("the", "lantern"), ("train", "is")]
)
def test_a_mixture_is_a_probability_after_every_context(context: tuple[str, ...]) -> None:
    general, _ = domain_model(OTHER)
    domain, seen = domain_model(TALK)
    assert total_after(mix(general, domain, seen, 0.35), *context) == pytest.approx(1.0, abs=2e-3)


def test_a_mixture_keeps_the_general_model_where_the_script_is_silent() -> None:
    general, _ = domain_model(OTHER)
    domain, seen = domain_model(TALK)
    mixed = mix(general, domain, seen, 0.35)
    for model in (general, mixed):
        ids = np.array([[model.words.index(word) for word in ("doctor", "here")]])
        assert model.bigram_log(ids)[0] == pytest.approx(
            general.bigram_log(_ids(general, "doctor", "here"))[0], abs=1e-6
        )
    lantern = _ids(mixed, "the", "lantern")
    assert mixed.bigram_log(lantern)[0] > -1.0


def _ids(model: TrigramModel, *words: str) -> np.ndarray:
    return np.array([[model.words.index(word) for word in words]])


def test_text_becomes_the_words_one_would_say() -> None:
    text = "Don’t [pause 0.5] worry, {name}. The café\u2014open-air, of course!  讲故事 in 1850 it closed"
    assert list(sentences(text)) == [
        ["don't", "worry"],
        ["the", "cafe", "open", "air", "of", "course"],
        ["in"],
        ["it", "closed"],
    ]


def test_letters_are_spoken_as_the_dictionary_would() -> None:
    words = {word: ways for word, ways in pronunciations().items() if word.startswith(("b", "m"))}
    unheard = set(sorted(words)[::50])
    rules = learn((word, tuple(ways[0].split())) for word, ways in list(words.items())[::6] if word not in unheard)
    right = total = 0
    for word in sorted(unheard):
        if word.isalpha() and len(word) > 2:
            spoken = pronounce(word, rules).split()
            right += len(set(spoken) & set(words[word][0].split()))
            total += len(set(words[word][0].split()))
    assert right / total > 0.8


def test_unknown_words_are_spoken_by_their_parts_before_by_their_letters() -> None:
    speaker = Pronouncer({"gull": ("G AH L",), "rock": ("R AA K",)}, lambda: {"<q>": "K"})
    assert speaker.ways("gullrock") == ("G AH L R AA K",)
    assert speaker.ways("rock's") == ("R AA K S",)
    assert speaker.ways("q") == ("K",)
    assert speaker.ways("") == ()


def test_a_cached_file_is_trusted_only_while_it_is_what_was_written(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path / "deep" / "down")
    assert not cache.holds("a.json")
    cache.write_json("a.json", {"k": 1})
    assert cache.read_json("a.json") == {"k": 1}
    cache.path("a.json").write_text('{"k": 2}')
    assert cache.read_json("a.json") is None
    assert sorted(path.name for path in cache.path("").iterdir()) == ["a.json", "a.json.sha256"]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    cache.write_text("a.txt", "good")

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.write("a.txt", fail)
    assert cache.holds("a.txt")
    assert cache.path("a.txt").read_text() == "good"
    assert not list(tmp_path.glob(".draft-*"))
