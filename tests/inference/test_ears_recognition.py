"""Real recognition of sentences spoken by flite."""

import shutil
import threading
import wave
from collections.abc import Callable
from pathlib import Path
from subprocess import run

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.ears import default_ears
from inference.ears.base import EARS_RATE_HZ, Transcript, Utterance
from inference.ears.language_models import LanguageModels
from inference.ears.pocketsphinx_ears import PocketsphinxEars
from inference.errors import AtCapacity, StreamClosed
from inference.protocol import EarsSpec

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="the flite program is not installed")

Floats = NDArray[np.float32]

KEEPER = EarsSpec(
    phrases=("tell me about the keeper anselm", "the lantern of ambleford", "wind the clockwork heron", "讲个故事"),
    script=("Anselm climbed the spiral stairs of Ambleford. [pause 0.5] His clockwork heron slept, {name}.",) * 3,
)
BAKER = EarsSpec(phrases=("knead the sourdough with zorblatt", "how much flour"), script=("Zorblatt bakes at dawn.",))

SOURDOUGH = "knead the sourdough with zorblatt"


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "ears"


@pytest.fixture(scope="module")
def ears(cache_dir: Path) -> PocketsphinxEars:
    made = PocketsphinxEars(cache_dir, warm=1, bound=3)
    for spec in (KEEPER, BAKER):
        made.prepare(spec)
    return made


@pytest.fixture(scope="module")
def say(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Floats]:
    folder = tmp_path_factory.mktemp("spoken")

    def speak(text: str, voice: str = "rms") -> Floats:
        path = folder / "spoken.wav"
        run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=60)
        with wave.open(str(path), "rb") as wav:
            assert wav.getframerate() == EARS_RATE_HZ
            pcm = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").astype(np.float32) / 32768
        quiet = np.zeros(EARS_RATE_HZ // 5, np.float32)
        return np.concatenate([quiet, pcm, quiet])

    return speak


def hear(ears: PocketsphinxEars, spec: EarsSpec, pcm: Floats, after: Utterance | None = None) -> Transcript:
    utterance = ears.listen(spec, after)
    feed(utterance, pcm)
    return utterance.finish()


def feed(utterance: Utterance, pcm: Floats) -> None:
    for start in range(0, pcm.size, 512):
        utterance.feed(pcm[start : start + 512])


def drain(ears: PocketsphinxEars, spec: EarsSpec, limit: int = 20) -> list[Utterance]:
    """Begin utterances until the ears refuse."""
    begun: list[Utterance] = []
    with pytest.raises(AtCapacity):
        for _ in range(limit):
            begun.append(ears.listen(spec))
    return begun


def test_words_no_dictionary_has_are_heard_when_the_character_knows_them(
    ears: PocketsphinxEars, say: Callable[..., Floats]
) -> None:
    heard = hear(ears, KEEPER, say("please tell me about the keeper Anselm"))
    assert heard.text == "please tell me about the keeper anselm"
    assert 0.2 < heard.confidence <= 1.0


def test_a_sentence_outside_the_script_survives(ears: PocketsphinxEars, say: Callable[..., Floats]) -> None:
    heard = hear(ears, KEEPER, say("he wants to become a professional photographer"))
    assert heard.text == "he wants to become a professional photographer"


def test_words_carry_times_in_order_within_the_utterance(ears: PocketsphinxEars, say: Callable[..., Floats]) -> None:
    pcm = say("knead the sourdough with Zorblatt")
    heard = hear(ears, BAKER, pcm)
    assert [word for word, _, _ in heard.words] == SOURDOUGH.split()
    edges = [edge for _, start, end in heard.words for edge in (start, end)]
    assert edges == sorted(edges)
    assert edges[0] >= 100
    assert edges[-1] <= pcm.size * 1000 / EARS_RATE_HZ


def test_partial_readings_grow_while_the_listener_speaks(ears: PocketsphinxEars, say: Callable[..., Floats]) -> None:
    pcm = say("tell me about the keeper Anselm")
    utterance = ears.listen(KEEPER)
    assert utterance.partial() == ""
    seen = []
    for start in range(0, pcm.size, 512):
        utterance.feed(pcm[start : start + 512])
        seen.append(utterance.partial())
    utterance.abandon()
    assert any(reading.startswith("tell me") for reading in seen)
    assert len(set(seen)) > 3
    assert not any(mark in reading for reading in seen for mark in "<[(+")


def test_alternatives_are_other_readings(ears: PocketsphinxEars, say: Callable[..., Floats]) -> None:
    heard = hear(ears, KEEPER, say("our neighbor has painted his garage yellow", "slt"))
    assert heard.alternatives
    assert heard.text not in heard.alternatives
    assert not any(mark in reading for reading in heard.alternatives for mark in "<[(+")


@pytest.mark.parametrize("seed", range(4))
def test_a_cough_gives_no_words(ears: PocketsphinxEars, seed: int) -> None:
    assert hear(ears, KEEPER, cough(np.random.default_rng(seed))).text == ""


def test_a_sound_held_for_seconds_gives_no_words(ears: PocketsphinxEars) -> None:
    time_s = np.arange(2 * EARS_RATE_HZ) / EARS_RATE_HZ
    hum = sum(0.1 / k * np.sin(2 * np.pi * 60 * k * time_s) for k in range(1, 8))
    hiss = np.random.default_rng(1).standard_normal(time_s.size) * 0.03
    assert hear(ears, KEEPER, np.asarray(hum, np.float32)).text == ""
    assert hear(ears, KEEPER, hiss.astype(np.float32)).text == ""


def test_silence_and_nothing_at_all_give_no_words(ears: PocketsphinxEars) -> None:
    assert hear(ears, KEEPER, np.zeros(EARS_RATE_HZ, np.float32)) == Transcript(text="", confidence=0.0)
    assert hear(ears, KEEPER, np.zeros(0, np.float32)).text == ""


def test_samples_that_are_no_numbers_do_no_harm(ears: PocketsphinxEars, say: Callable[..., Floats]) -> None:
    utterance = ears.listen(KEEPER)
    utterance.feed(np.array([np.nan, np.inf, -np.inf, 7.0] * 200, np.float32))
    utterance.finish()
    assert hear(ears, BAKER, say("knead the sourdough with Zorblatt")).text == SOURDOUGH


def test_one_character_does_not_hear_with_the_words_of_another(
    ears: PocketsphinxEars, cache_dir: Path, say: Callable[..., Floats]
) -> None:
    pcm = say("knead the sourdough with Zorblatt")
    assert hear(ears, BAKER, pcm).text == SOURDOUGH
    assert "zorblatt" not in hear(ears, KEEPER, pcm).text
    alone = PocketsphinxEars(cache_dir, warm=1, bound=1)
    alone.prepare(KEEPER)
    assert hear(alone, KEEPER, pcm) == hear(ears, KEEPER, pcm)


def test_a_full_house_is_refused_and_every_way_out_makes_room(ears: PocketsphinxEars) -> None:
    begun = drain(ears, BAKER)
    assert len(begun) == 3
    begun[0].abandon()
    begun[0].abandon()
    begun[1].finish()
    del begun[2]
    again = drain(ears, BAKER)
    assert len(again) == 3
    for utterance in again:
        utterance.abandon()


def test_an_ended_utterance_says_so(ears: PocketsphinxEars) -> None:
    utterance = ears.listen(KEEPER)
    utterance.finish()
    utterance.abandon()
    with pytest.raises(StreamClosed):
        utterance.finish()
    with pytest.raises(StreamClosed):
        utterance.feed(np.zeros(512, np.float32))


def test_speakers_at_the_same_time_are_heard_as_if_alone(ears: PocketsphinxEars, say: Callable[..., Floats]) -> None:
    talks = [
        (KEEPER, say("the lantern of Ambleford")),
        (BAKER, say("knead the sourdough")),
        (KEEPER, say("hello there")),
    ]
    alone = [hear(ears, spec, pcm) for spec, pcm in talks]
    together: dict[int, Transcript] = {}

    def listen(index: int) -> None:
        together[index] = hear(ears, *talks[index])

    threads = [threading.Thread(target=listen, args=(index,)) for index in range(len(talks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [together[index] for index in range(len(talks))] == alone


def test_what_is_learned_of_a_voice_is_carried_on_and_a_cough_teaches_nothing(
    ears: PocketsphinxEars, say: Callable[..., Floats]
) -> None:
    first = ears.listen(KEEPER)
    feed(first, say("i think the government should spend more on schools", "awb"))
    first.finish()
    assert first.acoustics
    second = ears.listen(KEEPER, after=first)
    feed(second, cough(np.random.default_rng(0)))
    second.finish()
    assert second.acoustics == first.acoustics
    heard = hear(ears, KEEPER, say("i need to buy a new battery for my phone", "awb"), after=second)
    assert heard.text == "i need to buy a new battery for my phone"


def test_a_very_long_speech_is_kept_whole(ears: PocketsphinxEars, say: Callable[..., Floats]) -> None:
    pcm = np.concatenate([say("knead the sourdough with zorblatt")] * 14)
    assert pcm.size > 30 * EARS_RATE_HZ
    heard = hear(ears, BAKER, pcm)
    assert heard.text.split().count("zorblatt") >= 12
    starts = [start for _, start, _ in heard.words]
    assert starts == sorted(starts)
    assert starts[-1] > 30_000


def test_the_default_ears_hear_any_language_as_english(cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TROUPE_CACHE_DIR", str(cache_dir.parent))
    made = default_ears()
    spec = EarsSpec(language="zh", phrases=("你好", "讲个故事"))
    made.prepare(spec)
    utterance = made.listen(spec)
    feed(utterance, np.zeros(4096, np.float32))
    assert utterance.finish().text == ""


def test_models_are_built_once_reused_from_disk_and_rebuilt_when_damaged(cache_dir: Path) -> None:
    spec = EarsSpec(phrases=("light the lantern",), script=("The keeper sleeps.",))
    first, ngrams = LanguageModels(cache_dir).prepare(spec)
    stored = cache_dir / f"{first.key}.bin"
    written, content = stored.stat().st_ino, stored.read_bytes()

    again, same = LanguageModels(cache_dir).prepare(spec)
    assert again == first
    assert stored.stat().st_ino == written
    assert same.prob(["lantern", "the", "light"]) == ngrams.prob(["lantern", "the", "light"])

    stored.write_bytes(content[:1000] + b"\0" * 1000 + content[2000:])
    models = LanguageModels(cache_dir)
    rebuilt, sound = models.prepare(spec)
    assert rebuilt == first
    assert stored.stat().st_ino != written
    assert sound.prob(["lantern", "the", "light"]) == ngrams.prob(["lantern", "the", "light"])
    assert models.prepare(spec)[1] is sound


def cough(random: np.random.Generator) -> Floats:
    """Bursts of breath through a vocal tract with a short voiced tail."""
    parts = [np.zeros(EARS_RATE_HZ // 5)]
    for _ in range(int(random.integers(2, 4))):
        samples = int(EARS_RATE_HZ * random.uniform(0.12, 0.3))
        time_s = np.arange(samples) / EARS_RATE_HZ
        spectrum, hz = np.fft.rfft(random.standard_normal(samples)), np.fft.rfftfreq(samples, 1 / EARS_RATE_HZ)
        tract = sum(1 / (1 + ((hz - centre * random.uniform(0.9, 1.1)) / 200) ** 2) for centre in (600, 1400, 2600))
        breath = np.fft.irfft(spectrum * tract, samples)
        voiced = np.sign(np.sin(2 * np.pi * 110 * time_s)) * np.exp(-time_s / 0.1) * 0.2
        burst = (breath / np.abs(breath).max() + voiced) * np.exp(-time_s / 0.08) * np.minimum(1, time_s / 0.005)
        parts += [burst * random.uniform(0.3, 0.7), np.zeros(int(EARS_RATE_HZ * random.uniform(0.05, 0.2)))]
    return np.concatenate([*parts, np.zeros(EARS_RATE_HZ // 5)]).astype(np.float32)
