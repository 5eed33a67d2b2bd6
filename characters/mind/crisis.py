"""Hearing that a listener may harm themselves. Being wrong the other way costs far more than an awkward moment."""

import re

from characters.mind.matching import Hearing

_HARMING = "kill|killing|hurt|hurting|harm|harming|cut|cutting|hang|hanging|shoot|shooting|drown|drowning"
_SAID = re.compile(
    r"\b(?:"
    rf"(?:{_HARMING}) (?:myself|my self)"
    r"|(?:end|ending|take|taking) my (?:own )?life"
    r"|end(?:ing)? it all"
    r"|(?:want|wish|plan|planning|decided|ready) to (?:die|be dead|not exist)"
    r"|wish i (?:was|were) (?:dead|never born)|feel like dying"
    r"|(?:not|never) (?:want|wish) to (?:be alive|exist|wake up|go on living|be here any ?more)"
    r"|(?:not|never) want to live(?! (?:in|at|on|with|near|there|here|alone|like))"
    r"|suicid(?:e|al)|self harm(?:ing)?"
    r"|better off (?:dead|without me)"
    r"|(?:no|any) (?:reason|point) (?:to|in) (?:live|living|be alive|being alive)"
    r"|overdos(?:e|ing)"
    r"|nobody would (?:miss|notice) me"
    r")\b"
)
_NOT_MEANT = re.compile(
    r"\b(?:not (?:want|wish) to die"
    r"|want to die (?:of )?(?:laughing|laughter|boredom|embarrassment)"
    r"|(?:kill|hurt) myself (?:laughing|with laughter)"
    r"|cut myself (?:a|some|off|shaving)"
    r"|(?:the|a|your|his|her|that) \w+ (?:want|wish|decided|plan) to die"
    r"|(?:you|he|she|they|everyone|who|it|that) (?:want|wish|decided|plan) to die"
    r")\b"
)
_CHINESE = re.compile(r"自杀|不想活|想死(?!你|了你)|活不下去|结束(?:我的)?生命|伤害自己|割腕|轻生|自残")


def is_crisis(hearing: Hearing) -> bool:
    """Whether any of the two best readings says that the listener thinks of self-harm."""
    return any(_speaks_of_it(words) for words in hearing.readings[:2])


def _speaks_of_it(words: tuple[str, ...]) -> bool:
    if _CHINESE.search("".join(words)):
        return True
    text = " ".join(words)
    return bool(_SAID.search(_NOT_MEANT.sub(" ", text)))
