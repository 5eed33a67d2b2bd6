"""Which cue did the listener mean, given that the recogniser mishears."""

from characters.mind.matching.cues import ACCEPT, CLEAR, CueMatcher, Hearing, Match, answer_score
from characters.mind.matching.sounds import sound_key
from characters.mind.matching.words import is_chinese, words_of

__all__ = ["ACCEPT", "CLEAR", "CueMatcher", "Hearing", "Match", "answer_score", "is_chinese", "sound_key", "words_of"]
