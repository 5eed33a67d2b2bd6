"""A small character with one activity of each kind, and a listener who talks with its mind."""

from dataclasses import dataclass, field

from characters.cast_file import CastFile, parse_cast_text, review
from characters.mind.base import (
    ActivityChanged,
    ChangeStyle,
    HangUp,
    HeardSpeech,
    Occasion,
    Opening,
    Silence,
    Thought,
    UserTurn,
)
from characters.mind.script_mind import ScriptMind
from characters.mind.stage import Stage
from inference.protocol import Deliver, Song, StyleSpec, VoiceSpec, Words

CAST_YAML = """
slug: lamp
name: {en: Lamp, zh: 小灯}
tagline: A lamp that talks.
about: A lamp that talks and never burns out.
portrait: lamp.svg
accent: "#b4552d"
tags: [calm]
order: 2
language: en
voice: hearth
style: warm
styles: [warm, whisper, slower, cheerful]
sample: Come closer.
turn_taking: {patience_s: 0.7, silence_prompts: 3, backchannels: [mhm, wow, i see]}
persona: You are Lamp.
examples:
  - {user: "Do you sleep?", character: "Only by day."}
lorebook:
  - {keys: [keeper, 守灯人], text: The keeper is called Anselm.}
  - {keys: [gull], text: The gulls steal buttons.}
script:
  greeting: ["Good evening, {name}, sit down.", "Hello there. I was just glowing."]
  returning: ["Back again, {name}."]
  silence: ["Still there?", "I will glow on."]
  farewell: [Good night. Mind the step.]
  fallback: [That went over my shade., My bulb flickered. Say it another way., I only got the light of it.]
  unheard: [The wind ate that.]
  replies:
    - cues: [how are you, how do you feel]
      say: [Bright enough., Warm to the touch., Steady.]
    - cues: [tell me a story, a story please]
      say: [I have one.]
      start: any story
    - cues: [who are you, what's your name]
      say: [I am Lamp.]
      ask: ["Shall I tell you a secret?"]
      follow:
        - cues: [yes please, tell me]
          say: [I am afraid of moths.]
        - cues: ["no", not now]
          say: [Then it stays with me.]
    - cues: [are you a computer, are you real]
      say: [I am brass and longing.]
    - cues: [讲讲你自己]
      say: ["I am a lamp, in any language."]
roles:
  - slug: pirate
    name: Captain Bree
    cues: [be a pirate, the captain]
    voice: salt
    style: gruff
    enter: ["Arr. Who goes there?"]
    fallback: ["Speak up, landlubber."]
    silence: ["Has the sea got you?"]
    replies:
      - cues: [where is the treasure]
        say: [Under the third palm.]
      - cues: [how are you]
        say: [Salty.]
activities:
  - kind: story
    slug: lighthouse
    title: {en: The Lighthouse That Was Afraid, zh: 怕黑的灯塔}
    cues: [the lighthouse, story about the sea]
    intro: [Listen.]
    paragraphs:
      - Once there stood a lighthouse. He was afraid of the dark. [pause 0.6] Nobody knew.
      - "[style whisper]Every night he shook.[/style] Mr. Anselm heard it. He came up with a lantern."
      - Then they were two. And the dark was only dark.
    resume: [Where were we.]
    outro: [That was the lighthouse.]
  - kind: song
    slug: grace
    title: Amazing Grace
    cues: [amazing grace, sing me a song]
    tempo_bpm: 60
    phrases:
      - "A- G3 1 | ma- C4 2 | zing E4 .5 | _ C4 .5 | grace, E4 2 | - 1"
      - "how G3 1 | sweet C4 2 | the E4 1/2 | sound F#4 2"
    outro: [Thank you.]
    credit: John Newton, 1779. Public domain.
  - kind: lesson
    slug: since
    title: Since and For
    cues: [since and for, start a lesson]
    level: beginner
    intro: [Here we go.]
    steps:
      - prompt: Say that you have not eaten since this morning.
        expect: [i have not eaten since this morning, i haven't eaten since this morning]
        praise: [Perfect.]
        mistakes:
          - heard: [i did not eat since this morning, i don't eat since this morning]
            say: With since we use have not eaten.
        hint: Try, I have not eaten.
        answer: I have not eaten since this morning.
      - prompt: Say that you have lived here for three years.
        expect: [i have lived here for three years, i've been living here for three years]
        answer: I have lived here for three years.
    recap: ["{right} of {total} right."]
  - kind: scene
    slug: letter
    title: The Letter
    cues: [the letter, play a scene]
    intro: [The curtain rises.]
    beats:
      - name: letter
        say: "[style dramatic]You read my letter![/style] Did you, or did you not?"
        answers:
          - {cues: ["yes", i did], goto: confession}
          - {cues: ["no", i didn't], goto: denial}
        otherwise: denial
      - name: confession
        say: So you confess.
        otherwise: verdict
      - name: denial
        say: You deny it! Why would you?
        wait: true
        answers:
          - {cues: [i was afraid, fear], goto: verdict}
        otherwise: verdict
      - name: verdict
        say: I forgive you.
    outro: [The curtain falls.]
  - kind: chat
    slug: weekend
    title: Your Weekend
    cues: [let's talk about the weekend]
    questions:
      - ask: What did you do last weekend?
        replies:
          - cues: [nothing, i stayed home]
            say: [Home is a good place.]
            ask: ["Was it warm there?"]
            follow:
              - cues: ["yes", very warm]
                say: [Then we have that in common.]
          - cues: [i worked]
            say: [Poor you.]
        otherwise: [Aha.]
      - ask: And next weekend?
        otherwise: [Good plan.]
    outro: [Thanks for telling me.]
"""


def sample_cast() -> CastFile:
    return parse_cast_text(CAST_YAML, "lamp.yaml")


def stage_of(cast: CastFile) -> Stage:
    """Presets that differ in their slug only."""
    found = review(cast)
    return Stage(
        cast,
        {slug: StyleSpec(slug=slug, instruction=f"speak {slug}") for slug in found.styles},
        {slug: VoiceSpec(slug=slug) for slug in found.voices},
    )


@dataclass
class Said:
    """One answer of the mind, taken apart."""

    thoughts: list[Thought] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(
            part.text if isinstance(part, Words) else part.lyrics if isinstance(part, Song) else ""
            for part in self.thoughts
        )

    @property
    def deliveries(self) -> list[Deliver]:
        return [part for part in self.thoughts if isinstance(part, Deliver)]

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(part.slug, part.state) for part in self.thoughts if isinstance(part, ActivityChanged)]

    @property
    def styles(self) -> list[str]:
        return [part.preset for part in self.thoughts if isinstance(part, ChangeStyle)]

    @property
    def hangs_up(self) -> bool:
        return any(isinstance(part, HangUp) for part in self.thoughts)


class Listener:
    """Talks with a script mind and reports what was heard, as a session does."""

    def __init__(self, mind: ScriptMind | None = None, seed: int = 1) -> None:
        self.mind = mind or ScriptMind(stage_of(sample_cast()), seed=seed)
        self._responses = 0

    def opens(self, **how: object) -> Said:
        return self.meets(Opening(**how))  # type: ignore[arg-type]

    def says(self, text: str, hears_until: str = "", **how: object) -> Said:
        """`hears_until`: interrupts once these words were heard."""
        return self.meets(UserTurn(text, **how), hears_until)  # type: ignore[arg-type]

    def waits(self, count: int = 1, hears_until: str = "") -> Said:
        return self.meets(Silence(count), hears_until)

    def meets(self, occasion: Occasion, hears_until: str = "") -> Said:
        self._responses += 1
        response_id = f"r{self._responses}"
        said = Said(list(self.mind.thoughts(occasion, response_id)))
        heard = said.text
        if hears_until:
            assert hears_until in heard, f"{hears_until!r} was never said: {heard!r}"
            heard = heard[: heard.index(hears_until) + len(hears_until)]
        self.mind.heard(HeardSpeech(response_id, heard.strip(), said.text, interrupted=bool(hears_until)))
        return said
