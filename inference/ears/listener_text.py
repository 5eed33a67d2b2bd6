"""What a listener may say to a character, as weighted sentences."""

from collections.abc import Iterator

from inference.ears.spoken_text import sentences
from inference.protocol import EarsSpec

WeightedSentence = tuple[list[str], float]

_PHRASE_WEIGHT = 4.0
_EXPANSION_WEIGHT = 0.25
_SCRIPT_WEIGHT = 0.3
_COMMON_WEIGHT = 4.0

_EXPANDED_WORDS = 7
"""Longer phrases are whole sentences (a lesson's answers) that nobody wraps in a request."""

_MOST_WORDS = 200_000
"""Words of text taken into a model, phrases first: bounds the time and memory of building it."""

_OPENERS = (
    "please",
    "can you",
    "could you",
    "i want",
    "i'd like",
    "i would like",
    "let's",
    "tell me",
    "okay",
    "yes",
    "no",
    "um",
    "uh",
    "well",
    "so",
    "and",
)
_CLOSERS = ("please", "now", "again", "for me", "thank you", "then")

_COMMON = """
hello. hi. hey. hi there. hello there. good morning. good evening. good night. how are you. how are you today.
i'm fine. i'm fine thank you. i am good. what's your name. who are you. my name is. i am. i'm. nice to meet you.
thank you. thank you very much. thanks. you're welcome. sorry. excuse me. goodbye. bye. bye bye. see you.
see you later. yes. no. yeah. yes please. no thank you. no thanks. okay. sure. of course. maybe. i don't know.
i think so. i don't think so. right. that's right. i see. really. wow. great. nice. good. not bad. what.
what did you say. say that again. can you repeat that. repeat that please. again please. i didn't understand.
i don't understand. what do you mean. what does that mean. why. why not. how. when. where. who. stop. stop it. wait.
wait a minute. hold on. pause. be quiet. enough. that's enough. go on. continue. keep going. next. skip. skip it.
start over. start again. from the beginning. what are you doing. what can you do. help. help me. slower please.
speak slower. faster please. speak faster. louder please. speak louder. whisper please. can you whisper.
tell me a story. tell me another story. another one. sing a song. sing me a song. tell me a joke. let's talk.
let's play. what do you think. tell me about yourself. tell me more. tell me about it. i like it. i like that.
i love it. i don't like it. i want to. i would like to. can you. could you. do you like. do you know. do you have.
have you ever. are you a robot. are you real. are you there. can you hear me. how old are you. where are you from.
where do you live. what time is it. i have a question. one more time. one more. mhm. uh huh. mm.
"""


def weighted_sentences(spec: EarsSpec) -> Iterator[WeightedSentence]:
    """Phrases with their likely wrappings, small talk, and the character's own script, most telling first."""
    left = _MOST_WORDS
    for words, weight in _all(spec):
        left -= len(words)
        if left < 0:
            return
        yield words, weight


def _all(spec: EarsSpec) -> Iterator[WeightedSentence]:
    for words in sentences(_COMMON):
        yield words, _COMMON_WEIGHT
    for phrase in spec.phrases:
        for words in sentences(phrase):
            yield words, _PHRASE_WEIGHT
    for line in spec.script:
        for words in sentences(line):
            yield words, _SCRIPT_WEIGHT
    for phrase in spec.phrases:
        for words in sentences(phrase):
            if len(words) <= _EXPANDED_WORDS:
                yield from _wrapped(words)


def _wrapped(words: list[str]) -> Iterator[WeightedSentence]:
    for opener in _OPENERS:
        yield [*opener.split(), *words], _EXPANSION_WEIGHT
    for closer in _CLOSERS:
        yield [*words, *closer.split()], _EXPANSION_WEIGHT
