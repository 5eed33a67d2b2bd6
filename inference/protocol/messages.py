"""What travels on an open stream. Commands go to the worker, events come back; audio in is plain bytes.

Every speech of the character is a *response* with an id chosen by the web side. A stream has one current epoch,
raised by the worker whenever speech is cut short; a response belongs to the epoch it started in, and nothing of an
older epoch leaves the worker after the `SpeechFinished` that ended it. Commands for a response that is no longer
current are ignored: the mind that produced them has simply not heard the news yet.

Times: `*_ms` on the input side count from the first sample the stream received; on the output side from the first
sample of the response.
"""

from dataclasses import dataclass, field
from typing import Literal

from inference.protocol.specs import StyleSpec, TurnTaking, VoiceSpec
from inference.protocol.speech import SpeechPart

# --- commands: web side to worker -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartSpeech:
    """Opens a response. A response still running is cancelled first, as by `CancelSpeech`."""

    response_id: str
    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class SpeakPart:
    """The next piece of the open response."""

    response_id: str
    part: SpeechPart


@dataclass(frozen=True, slots=True)
class EndSpeech:
    """No more parts: finish saying what there is."""

    response_id: str


@dataclass(frozen=True, slots=True)
class CancelSpeech:
    """Stop now. `response_id` None means whatever is being said."""

    response_id: str | None = None
    reason: str = "client_cancelled"


@dataclass(frozen=True, slots=True)
class PlaybackAck:
    """The player has played so many samples of this response in all."""

    response_id: str
    played_samples: int


@dataclass(frozen=True, slots=True)
class CommitInput:
    """End the user's turn now, whatever the turn rules think."""


@dataclass(frozen=True, slots=True)
class ClearInput:
    """Forget the audio of the turn in progress."""


@dataclass(frozen=True, slots=True)
class UserActive:
    """The user did something that is not speech (typed, pressed a chip): the silence clock starts again."""


@dataclass(frozen=True, slots=True)
class SetStyle:
    """From now on, also in the middle of a response."""

    style: StyleSpec


@dataclass(frozen=True, slots=True)
class SetVoice:
    """From the next words on. Answered, in order, by one `VoiceChanged` or `VoiceRefused` each."""

    voice: VoiceSpec


@dataclass(frozen=True, slots=True)
class UserText:
    """The user's turn as text, for a model that answers by itself. Other lanes ignore it: there the mind is asked."""

    response_id: str
    """Of the answer."""

    text: str
    speaks: bool = True
    """False: the answer is text only (`TextWritten`)."""


@dataclass(frozen=True, slots=True)
class SetOutput:
    """Whether a model that answers by itself speaks or writes (`TextWritten`), from its next answer on."""

    speaks: bool


@dataclass(frozen=True, slots=True)
class SetTurnTaking:
    profile: TurnTaking
    detects_turns: bool = True


Command = (
    StartSpeech
    | SpeakPart
    | EndSpeech
    | CancelSpeech
    | PlaybackAck
    | CommitInput
    | ClearInput
    | UserActive
    | SetStyle
    | SetVoice
    | SetTurnTaking
    | UserText
    | SetOutput
)

# --- events: worker to web side -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ready:
    """The slot is primed: ears and mouth are loaded. Commands and audio sent before are kept, not lost."""

    slot: int


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """The user began to speak; `utterance_id` names the turn in the making."""

    utterance_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """The user's turn ended at `at_ms` (where the voice ended, not where this was decided)."""

    utterance_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class PartialHeard:
    """The words so far, whole each time: a recogniser may change its mind."""

    utterance_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Heard:
    """A finished turn of the user. Empty `text`: voice, but no words the ears trust."""

    utterance_id: str
    text: str
    start_ms: int
    end_ms: int
    words: tuple[tuple[str, int, int], ...] = ()
    """Each word with its start and end in ms of the input."""

    confidence: float = 1.0
    """0..1, of the whole."""

    alternatives: tuple[str, ...] = ()
    """Other readings, best first."""

    interrupted_response_id: str | None = None
    """The response this turn cut short, if it did."""

    replaces: str | None = None
    """The utterance id of an earlier `Heard` that this one continues and stands for (speech resumed too soon)."""


@dataclass(frozen=True, slots=True)
class InputCleared:
    pass


@dataclass(frozen=True, slots=True)
class Overlap:
    """What was made of the user's voice during the character's speech."""

    response_id: str
    decision: Literal["duck", "resume", "cancel", "backchannel", "echo"]
    text: str = ""


@dataclass(frozen=True, slots=True)
class OutputGain:
    """The player should bring its output to this gain within `ramp_ms`. Only when the spec says `client_ducks`."""

    gain_db: float
    ramp_ms: int


@dataclass(frozen=True, slots=True)
class SilenceElapsed:
    """Nobody has spoken for a while: time to speak up (`count` from 1), or to say farewell."""

    kind: Literal["prompt", "farewell"]
    count: int


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The first audio of a response is about to leave."""

    response_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class AudioOut:
    """Speech: PCM16 at `AUDIO_RATE_HZ`, whole frames."""

    response_id: str
    epoch: int
    position: int
    """Sample of the response where this audio begins."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class WordSpoken:
    """A word whose audio has just been sent, with its place in the response's audio and text."""

    response_id: str
    epoch: int
    text: str
    """As written, punctuation included."""

    start_ms: int
    end_ms: int
    char_start: int
    char_end: int
    """Its place in the response's whole text: all `Words` parts and song lyrics joined as written."""


@dataclass(frozen=True, slots=True)
class TextWritten:
    """The next piece of an answer that is not spoken. It has no `SpeechStarted`; `SpeechFinished` ends it."""

    response_id: str
    text: str


@dataclass(frozen=True, slots=True)
class VoiceChanged:
    """`SetVoice` is granted: this voice speaks from the next words on."""

    voice: str
    """Its slug."""


@dataclass(frozen=True, slots=True)
class VoiceRefused:
    """`SetVoice` cannot be granted; the voice stays as it was."""

    voice: str
    """The slug of the one asked for."""

    message: str


@dataclass(frozen=True, slots=True)
class SpeechFinished:
    """A response is over: said in full, or cut short."""

    response_id: str
    epoch: int
    status: Literal["completed", "cancelled", "failed"]
    reason: str = ""
    """`turn_detected`, `client_cancelled`, or an error's code."""

    sent_ms: int = 0
    heard_ms: int = 0
    """How much of it was played, by acknowledgement or, without any, by the clock."""

    heard_text: str = ""
    """The words that were heard, up to the last one begun before `heard_ms`."""

    heard_chars: int = 0
    """Length of what was heard in the response's whole text."""


@dataclass(frozen=True, slots=True)
class LatencyMarks:
    """Where the time of one answer went, in milliseconds after the end of the user's voice."""

    response_id: str
    stages: dict[str, float] = field(default_factory=dict)
    """`turn_decided`, `transcript_ready`, `first_words` (from the mind), `first_audio` (leaving the worker)."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Audio that could not be handled in time, counted since the stream began."""

    uplink_packets: int
    downlink_frames: int


@dataclass(frozen=True, slots=True)
class Draining:
    """The worker is going to stop: move to another one when it suits, in `deadline_s` seconds at the latest."""

    deadline_s: float


@dataclass(frozen=True, slots=True)
class Fault:
    """Something failed. A fatal fault is the stream's last event."""

    code: str
    message: str
    fatal: bool = False


Event = (
    Ready
    | VoiceStarted
    | VoiceStopped
    | PartialHeard
    | Heard
    | InputCleared
    | Overlap
    | OutputGain
    | SilenceElapsed
    | SpeechStarted
    | AudioOut
    | WordSpoken
    | TextWritten
    | VoiceChanged
    | VoiceRefused
    | SpeechFinished
    | LatencyMarks
    | Dropped
    | Draining
    | Fault
)
