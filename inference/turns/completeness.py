"""Do the words so far sound finished? A few rules that cost nothing and are right often enough to save time."""

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from inference.turns.wording import PhraseSet, spelled_out, tokens


class Completeness(Enum):
    FINISHED = "finished"
    OPEN = "open"
    """No sign either way."""

    UNFINISHED = "unfinished"


_FILLERS = {"um", "uh", "er", "erm", "uhm", "hmm", "嗯", "呃", "额"}

_NEVER_LAST = set(
    "a an the my your our their every and or but because if when while although unless until since than as "
    "i i'm i'd i'll i've we're you're they're he's she's it's there's what's who's "
    "和 跟 与 但 把 被 给 从 在 向 让 因 很 太 更 最 又 还 也 都 我 的 想 要 这 那".split()
)
"""A turn does not end in these, except in the short forms below."""

_SELDOM_LAST = set(
    "this that these those his her its some any each so then like of to in on at for with from by about into onto "
    "over under between without we they he she is are was were am be been being do does did have has had "
    "can could will would shall should may might must want need very really just also not gonna wanna".split()
)
"""Nor in these, unless it is a question: "who are you with", "what do you like"."""

_GOES_ON_PHRASES = PhraseSet(
    "i want to;i would like;i'd like;would you;could you;can you;tell me about;let me;how about;what about;"
    "going to;a lot of;kind of;sort of;因为;所以;然后;但是;如果;或者;就是;那个;的话;比如;而且;还有".split(";")
)

_SHORT_ANSWERS = PhraseSet(
    "yes;no;yeah;yep;nope;ok;okay;sure;yes please;no thanks;no thank you;thank you;thanks;of course;"
    "go on;go ahead;please do;continue;stop;again;never mind;hello;hi;goodbye;bye;good night;i do;i did;i don't;"
    "i am;i'm not;i have;i can;i can't;i will;it is;it was;i would;that's it;that's all;not really;maybe;"
    "i don't know;so do i;me too;are you;do you;can you;is it;"
    "是;是的;好;好的;不;不是;没有;不要;对;谢谢;再见;你好;继续;停;可以;不可以;我也是;知道了;不知道".split(";")
)

_ASKS = set(
    "what where when who whose whom which why how is are was were do does did can could will would should "
    "have has".split()
)
_CHINESE_ENDINGS = set("吗呢吧啊呀了啦嘛")


class CompletenessRules:
    """Rules with the phrases this character knows how to answer."""

    def __init__(self, phrases: Iterable[str] = ()) -> None:
        self._known = PhraseSet(" ".join(spelled_out(phrase)) for phrase in phrases)

    def judge(self, text: str) -> Completeness:
        """What `text`, a partial reading of one turn, looks like."""
        words = tokens(text)
        if not words or words[-1] in _FILLERS:
            return Completeness.UNFINISHED if words else Completeness.OPEN
        in_full = spelled_out(text)
        if in_full in self._known or words in _SHORT_ANSWERS or self._known.ends(in_full, least=3):
            return Completeness.FINISHED
        if words[-1] in _NEVER_LAST or _GOES_ON_PHRASES.ends(words, least=2):
            return Completeness.UNFINISHED
        asks = words[0] in _ASKS and len(words) >= 4
        if asks or (words[-1] in _CHINESE_ENDINGS and len(words) >= 3):
            return Completeness.FINISHED
        return Completeness.UNFINISHED if words[-1] in _SELDOM_LAST else Completeness.OPEN


@lru_cache(maxsize=64)
def rules_for(phrases: tuple[str, ...]) -> CompletenessRules:
    """Rules that all calls with these phrases share: making them takes some ten ms for a thousand phrases."""
    return CompletenessRules(phrases)
