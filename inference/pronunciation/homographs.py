"""Words spelled alike and said differently, as far as their neighbours decide it."""

from collections.abc import Sequence

_DETERMINERS = frozenset(
    "a an the my your his its our their this that these those no some any every each another one two three first last "
    "next good bad big little small old new same other whole own what which in of with for at on by from into".split()
)
_BEFORE_VERBS = frozenset(
    "to i you we they who me him them us will would can could shall should may might must do did then don't "
    "didn't can't won't couldn't shouldn't wouldn't doesn't does not never always let's please i'll you'll we'll "
    "they'll he'll she'll it'll i'd you'd we'd they'd he'd she'd".split()
)
_OBJECTS = frozenset(
    "the a an my your his her its our their this that these those it me him them us everything".split()
)
_PERFECT = frozenset(
    "have has had having i've you've we've they've he's she's i'd was were been be being is are".split()
)
_THIRD_PERSON = frozenset("he she it nobody everybody someone everyone somebody".split())
_PARTICLES = frozenset("up down off out apart away around back".split())

_NEXT = {
    "live": {"j": frozenset("music show shows band audience concert concerts performance performances broadcast tv "
                            "television stream streaming recording wire wires on from version album".split())},
    "lead": {"j": frozenset("pipe pipes paint pencil pencils bullet bullets poisoning weight weights box".split())},
    "close": {"n": frozenset("to by enough together friend friends call up range".split())},
    "bow": {"j": frozenset("tie ties and string strings".split())},
    "tear": {"v": _PARTICLES},
    "tears": {"v": _PARTICLES},
    "wind": {"v": frozenset(("it", "up", "down", "me"))},
}  # fmt: skip
_BEFORE = {
    "live": {"j": frozenset(("a", "the", "is", "are", "was", "were", "went", "go", "going"))},
    "lead": {"j": frozenset(("molten", "heavy", "like"))},
    "close": {"n": frozenset("so very too is are was were that's it's how as come came stay stays stood sit".split())},
    "content": {"v": frozenset("am is are was were be i'm you're he's she's we're they're perfectly very so".split())},
    "lives": {"n": frozenset("my your our their his her the these those many several human nine people's daily private "
                             "save saved double past whose own".split())},
}  # fmt: skip
_NEVER_VERBS = frozenset("minute house mouth excuse attribute deliberate content perfect".split())
_VERBS = frozenset("live lives lead does".split())
"""Usually verbs: what is no clear noun or adjective is one."""


def part_of_speech(words: Sequence[str], breaks: Sequence[str], index: int) -> str:
    """`n`, `v`, `j`, or empty when the neighbours say nothing. Unknown words take no harm from it."""
    word = words[index]
    before = words[index - 1] if index and not breaks[index - 1] else ""
    after = words[index + 1] if index + 1 < len(words) and not breaks[index] else ""
    if word == "read":
        return _read(words, breaks, index)
    for part, following in _NEXT.get(word, {}).items():
        if after in following and not (part == "v" and before in _DETERMINERS):
            return part
    for part, preceding in _BEFORE.get(word, {}).items():
        if before in preceding:
            return part
    return _general(word, before, after)


def _general(word: str, before: str, after: str) -> str:
    if word in _VERBS:
        return "v"
    if before in _DETERMINERS or (before == "her" and after not in _OBJECTS):
        return "n"
    if word in _NEVER_VERBS:
        return "v" if before == "to" or (word == "excuse" and after in _OBJECTS) else "n"
    if before in _BEFORE_VERBS:
        return "v"
    return "v" if after in _OBJECTS else "n"


def _read(words: Sequence[str], breaks: Sequence[str], index: int) -> str:
    """Past after have, be and the third person; present otherwise."""
    for back in range(index - 1, max(-1, index - 3), -1):
        if breaks[back]:
            break
        if words[back] in _PERFECT or words[back] in _THIRD_PERSON:
            return "past"
        if words[back] in _BEFORE_VERBS and words[back] not in ("i", "you", "we", "they", "never", "always"):
            break
    return ""
