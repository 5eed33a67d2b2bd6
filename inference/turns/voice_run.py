"""One stretch of the user's voice, with the gaps inside it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VoiceChunk:
    """A piece of input as the voice detector judged it."""

    start_s: float
    end_s: float
    """Position in the input."""

    probability: float
    """Of voice, 0..1."""

    echo: bool = False
    """It moves as the character's own audio does (`EchoMeter`)."""


ECHO_MEMORY = 0.1
"""Weight of the newest chunk in `echo_share`."""


@dataclass(slots=True)
class VoiceRun:
    start_s: float
    began_at: float
    """On the clock."""

    last_voice_s: float
    last_voice_at: float
    heard_s: float
    """End of the last chunk, voice or not."""

    voiced_s: float = 0.0
    overlap_s: float = 0.0
    """Voice during the character's speech, after the guard at its start and without what looks like echo."""

    echo_s: float = 0.0
    echo_share: float = 0.0
    """Share of echo in the last third of a second of voice."""

    text: str = ""
    """The latest reading."""

    steady_text: str = ""
    """Its words that stood in the reading before it too: a recogniser's first guess at a sound is often wrong."""

    is_turn: bool = False
    continues: bool = False
    overlapped: bool = False
    """Some of it fell into the character's speech before it was a turn."""

    ducked: bool = False
    is_echo: bool = False

    @classmethod
    def begin(cls, now: float, chunk: VoiceChunk) -> "VoiceRun":
        return cls(chunk.start_s, now, chunk.start_s, now, chunk.start_s)

    def add(self, now: float, chunk: VoiceChunk) -> None:
        """A chunk of voice."""
        self.voiced_s += chunk.end_s - chunk.start_s
        self.echo_s += chunk.end_s - chunk.start_s if chunk.echo else 0.0
        self.echo_share += ECHO_MEMORY * (float(chunk.echo) - self.echo_share)
        self.last_voice_s = chunk.end_s
        self.last_voice_at = now

    def read(self, text: str) -> None:
        """The latest reading, which may yet change."""
        before = self.text.split()
        self.steady_text = " ".join(word for word in text.split() if word in before)
        self.text = text

    def read_finally(self, text: str) -> None:
        """The reading that will not change."""
        self.text = self.steady_text = text

    @property
    def mostly_echo(self) -> bool:
        """By its level it is, at present, the character's own voice rather than the user's."""
        return self.echo_share > 0.5
