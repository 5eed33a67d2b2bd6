"""What the user's words mean while the character speaks."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inference.protocol import TurnTaking
from inference.turns.wording import PhraseSet, similar, tokens

SAID_WORDS = 40
"""Words of the character that may still come back as echo: about fifteen seconds."""

_NEGATIONS = {"don't", "not", "never", "can't", "cannot", "didn't", "won't", "别", "不"}
_STOP_REACH = 4

TELLING_LETTERS = 4
"""A shorter word that the character has just used too ("the", "you") tells nothing about who spoke it."""

MISHEARD_SHARE = 0.4
"""So much of a stretch of echo may be misheard."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a reading of an overlapping voice amounts to."""

    stop: bool = False
    real_words: int = 0
    """Words that are neither the character's own nor back-channel."""

    echoed_words: int = 0
    """Words that are the character's own."""

    echo: bool = False
    """There are words and all are the character's own."""

    backchannel: bool = False
    """There are words of the user and all are sounds of listening."""


class OverlapRules:
    """Weighs words against a profile and against what the character is saying."""

    def __init__(self, profile: TurnTaking) -> None:
        self._backchannels = PhraseSet(profile.backchannels)
        self._stop_words = PhraseSet(profile.stop_words)
        self._said: deque[str] = deque(maxlen=SAID_WORDS)

    def said(self, text: str) -> None:
        """Words of the character on their way to the player."""
        self._said.extend(tokens(text))

    def silent(self) -> None:
        """The character's words can come back no more."""
        self._said.clear()

    def weigh(self, text: str) -> Evidence:
        words = tokens(text)
        if not words:
            return Evidence()
        echoed = echoed_words(words, self._said)
        own = [word for at, word in enumerate(words) if at not in echoed]
        if not own:
            return Evidence(echoed_words=len(echoed), echo=True)
        real = self._backchannels.without(own)
        stop = self._asks_to_stop(own)
        telling = [word for word in real if len(word) >= TELLING_LETTERS or word not in self._said]
        return Evidence(stop, len(telling), len(echoed), backchannel=not real and not stop)

    def _asks_to_stop(self, words: Sequence[str]) -> bool:
        # "Stop" opens or closes what is said, or stands in a short remark; "I can't wait" and "don't stop" do not ask.
        for start, end in self._stop_words.places(words):
            if start and words[start - 1] in _NEGATIONS:
                continue
            if start == 0 or end == len(words) or len(words) <= _STOP_REACH:
                return True
        return False


def echoed_words(heard: Sequence[str], said: Iterable[str]) -> set[int]:
    """Places in `heard` that repeat `said` fuzzily and in order.

    Taken from the best local alignment (Smith and Waterman 1981: match 1, mismatch -0.6, gap -0.5), with the few
    misheard words inside it. It counts when it holds two words, or all that was heard if that is a telling word.
    """
    found = _aligned(heard, list(said))
    if len(found) == 1:
        alone = len(heard) == 1 and len(heard[0]) >= TELLING_LETTERS
        return set(found) if alone else set()
    if not found:
        return set()
    stretch = range(min(found), max(found) + 1)
    return set(stretch) if len(found) >= (1 - MISHEARD_SHARE) * len(stretch) else set(found)


def _aligned(heard: Sequence[str], said: Sequence[str]) -> list[int]:
    score = [[0.0] * (len(said) + 1) for _ in range(len(heard) + 1)]
    best_at = (0, 0)
    for i, word in enumerate(heard, 1):
        for j, own in enumerate(said, 1):
            paired = score[i - 1][j - 1] + (1.0 if similar(word, own) else -0.6)
            score[i][j] = max(0.0, paired, score[i - 1][j] - 0.5, score[i][j - 1] - 0.5)
            if score[i][j] >= score[best_at[0]][best_at[1]]:
                best_at = (i, j)
    found: list[int] = []
    i, j = best_at
    while i and j and score[i][j] > 0:
        match = similar(heard[i - 1], said[j - 1])
        if score[i][j] == score[i - 1][j - 1] + (1.0 if match else -0.6):
            if match:
                found.append(i - 1)
            i, j = i - 1, j - 1
        elif score[i][j] == score[i - 1][j] - 0.5:
            i -= 1
        else:
            j -= 1
    return found
