"""What a stream is before it opens: who speaks, how, and when they yield."""

import math
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Self

from inference.errors import InvalidSpec

AUDIO_RATE_HZ = 24_000
"""Rate of every PCM stream on the wire, both ways: mono, signed 16 bit, little endian (OpenAI's `audio/pcm`)."""

SAMPLE_BYTES = 2
FRAME_MS = 40
FRAME_SAMPLES = AUDIO_RATE_HZ * FRAME_MS // 1000
"""Samples of one 40 ms frame at the wire's rate. A mouth yields whole frames; a tick advances by one."""


class Lane(StrEnum):
    """How a stream is answered (docs/architecture.md, "Two lanes")."""

    COMPOSED = "composed"
    """Ears, a mind on the web side, a mouth."""

    DUPLEX = "duplex"
    """A native full-duplex checkpoint: it hears and speaks at once, and decides itself when."""

    TURN = "turn"
    """An end-to-end checkpoint that answers turn by turn; the turn rules say when a turn is over."""

    ECHO = "echo"
    """Input comes straight back. For measuring the platform without a model."""

    @property
    def answers_itself(self) -> bool:
        """What is said is decided in the worker; the mind on the web side is not asked."""
        return self in (Lane.DUPLEX, Lane.TURN)


class _Checked:
    """A frozen dataclass whose numeric fields carry `low`, `high` in their metadata and are checked once, here."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            low, high = item.metadata.get("low"), item.metadata.get("high")
            if low is None or high is None:
                continue
            value = getattr(self, item.name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
                raise InvalidSpec(f"{type(self).__name__}.{item.name} must be a finite number, not {value!r}")
            if not low <= value <= high:
                raise InvalidSpec(f"{type(self).__name__}.{item.name} must lie in {low}..{high}, not {value}")

    def with_(self, **changes: Any) -> Self:
        """A copy with these fields changed and checked again. Raises `InvalidSpec` on an unknown field."""
        known = {item.name for item in fields(self)}  # type: ignore[arg-type]
        unknown = sorted(set(changes) - known)
        if unknown:
            raise InvalidSpec(f"{type(self).__name__} has no field {', '.join(unknown)}")
        return replace(self, **changes)  # type: ignore[type-var]


def _between(low: float, high: float, default: float) -> Any:
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True, slots=True)
class VoiceSpec(_Checked):
    """How someone sounds, whatever mouth speaks. A mouth uses the fields it understands."""

    slug: str = "default"
    language: str = "en-us"
    """BCP 47-like tag as eSpeak NG names it: `en-us`, `en-gb`, `cmn`."""

    variant: str = ""
    """Timbre for a formant mouth: an eSpeak NG voice variant such as `f3` or `m2`; empty for the plain voice."""

    pitch_hz: float = _between(50.0, 500.0, 120.0)
    """Median F0 of neutral speech."""

    pitch_range: float = _between(0.0, 3.0, 1.0)
    """Movement of F0 around its median; 1 is the mouth's own, 0 a monotone."""

    words_per_minute: float = _between(60.0, 400.0, 165.0)

    formant_ratio: float = _between(0.7, 1.4, 1.0)
    """Scale of the formants: above 1 a smaller speaker."""

    timbre: str = ""
    """Speakers of the bundled voice model and their shares, such as `slt` or `slt:2 alto:1`; empty picks by pitch."""

    embedding: tuple[float, ...] = ()
    """Speaker embedding (256 numbers) for mouths that take one; empty when the voice has none."""


@dataclass(frozen=True, slots=True)
class StyleSpec(_Checked):
    """How it is delivered now. Compiled into what the model is told and into an effect chain."""

    slug: str = "neutral"
    rate: float = _between(0.5, 2.0, 1.0)
    """Speaking rate relative to the voice's own; 2 is twice as fast."""

    pitch_semitones: float = _between(-12.0, 12.0, 0.0)
    pitch_range: float = _between(0.0, 3.0, 1.0)
    """Multiplies the voice's own F0 movement: drama above 1, sadness below."""

    level_db: float = _between(-30.0, 9.0, 0.0)
    whisper: float = _between(0.0, 1.0, 0.0)
    """Share of the voicing replaced by breath: 0 voiced, 1 a whisper."""

    pause_scale: float = _between(0.25, 4.0, 1.0)
    """Multiplies the pauses between clauses and those the text asks for."""

    instruction: str = ""
    """What a language model is told about this delivery."""


@dataclass(frozen=True, slots=True)
class TurnTaking(_Checked):
    """A character's manners: when it answers, when it yields, when it speaks first. Times in seconds.

    Patience is given twice because a listener who breaks in is judged differently: `*_speaking` fields apply
    while the character speaks, the others while it listens, `thinking_patience_s` between the two.
    """

    patience_s: float = _between(0.15, 5.0, 0.55)
    """Silence after which an utterance with no sign of being finished or unfinished ends."""

    finished_patience_s: float = _between(0.1, 5.0, 0.26)
    """The same when the words so far are something the character knows how to answer."""

    unfinished_patience_s: float = _between(0.2, 10.0, 1.4)
    """The same when the words so far plainly go on ("and", "because", "I want to")."""

    thinking_patience_s: float = _between(0.0, 5.0, 0.6)
    """Speech resumed within this time of its end, before any answer is heard, joins the same turn."""

    interruptibility: float = _between(0.0, 1.0, 1.0)
    """0: speaks on whatever happens; 1: yields as the next three fields say; between: needs proportionally more."""

    duck_after_s: float = _between(0.02, 2.0, 0.1)
    """Voice heard for so long while speaking lowers the output at once."""

    min_interruption_s: float = _between(0.1, 5.0, 0.7)
    """Voice heard for so long while speaking is a real interruption even before any word is recognised."""

    min_interruption_words: int = _between(0, 10, 2)
    """So many recognised words that are no back-channel are a real interruption."""

    duck_gain_db: float = _between(-40.0, 0.0, -15.0)
    resume_after_s: float = _between(0.1, 3.0, 0.35)
    """Silence after which a ducked output that was not interrupted comes back."""

    guard_start_s: float = _between(0.0, 3.0, 0.4)
    """At the start of each answer only words interrupt: echo cancellation is still adapting."""

    silence_prompt_s: float = _between(0.0, 300.0, 12.0)
    """Silence of both sides after which the character speaks up; 0 never."""

    silence_prompts: int = _between(0, 10, 2)
    """How many times it speaks up before it says farewell."""

    farewell_s: float = _between(0.0, 600.0, 25.0)
    """Silence after the last prompt before farewell; 0 never."""

    backchannels: tuple[str, ...] = (
        "mhm",
        "mm",
        "mm hmm",
        "uh huh",
        "yeah",
        "yes",
        "right",
        "okay",
        "ok",
        "sure",
        "i see",
        "wow",
        "oh",
        "ah",
        "really",
        "great",
        "nice",
        "嗯",
        "对",
        "好",
    )
    """Short sounds of listening that never interrupt."""

    stop_words: tuple[str, ...] = ("stop", "wait", "hold on", "pause", "be quiet", "enough", "停", "等一下")
    """Words that interrupt at once, whatever `interruptibility` says."""


@dataclass(frozen=True, slots=True)
class EarsSpec:
    """What the recogniser should expect."""

    language: str = "en"
    phrases: tuple[str, ...] = ()
    """What this character's listeners are likely to say: its cues, expected answers, titles, names."""

    script: tuple[str, ...] = ()
    """What the character itself says: listeners repeat its words."""

    general_weight: float = 0.35
    """Share of the general language model in the interpolation, 0..1."""


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """Everything a worker needs to know to hold one call; it has no database."""

    session_id: str
    character: str
    """`slug@version` of who is played: the key for anything a worker caches about them."""

    lane: Lane = Lane.COMPOSED
    instructions: str = ""
    voice: VoiceSpec = field(default_factory=VoiceSpec)
    style: StyleSpec = field(default_factory=StyleSpec)
    turn_taking: TurnTaking = field(default_factory=TurnTaking)
    ears: EarsSpec = field(default_factory=EarsSpec)
    listens: bool = True
    """False: nobody will be heard (a clip is rendered), so no ears are prepared."""

    detects_turns: bool = True
    """False: turns end only by `CommitInput`, and nothing interrupts but `CancelSpeech`."""

    paced: bool = True
    """True: audio leaves at most `lead_s` ahead of real time. False: as fast as it is made, for rendering files."""

    lead_s: float = 0.4
    client_ducks: bool = False
    """True: the player lowers its own output on `OutputGain`. False: the worker does it on audio not yet sent."""

    speaks: bool = True
    """False: a model that answers by itself writes its answers, until `SetOutput` says otherwise."""

    acknowledges: bool = False
    """True: the client sends `PlaybackAck`. False: what was heard is reckoned from the clock."""

    history: tuple[tuple[str, str], ...] = ()
    """What was said before in this conversation, oldest first: (`user` or `character`, text). A model that answers by
    itself goes on from there; other lanes need none of it."""
