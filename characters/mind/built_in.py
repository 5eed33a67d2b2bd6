"""What every character can say whatever its script lacks, in English and Chinese."""

from collections.abc import Mapping
from dataclasses import dataclass

_ENGLISH: dict[str, tuple[str, ...]] = {
    "resume": ("Let's go on.", "Where were we. Here."),
    "back_to_lesson": ("Back to our lesson.", "Let's go on with the lesson."),
    "back_to_chat": ("Back to what we were talking about.",),
    "praise": ("That's right.", "Good, just so.", "Yes, well said."),
    "not_quite": ("Not quite.", "Almost.", "Not yet."),
    "try_again": ("Try it once more.", "Say it again, please."),
    "the_answer": ("Here is how I would say it.", "Listen, it goes like this."),
    "recap": ("That was the last one. You had {right} of {total} right.",),
    "practise": ("These are worth saying again tomorrow.",),
    "take_your_time": ("Take your time.", "No hurry."),
    "stop_lesson": ("We can stop here if you like. Say stop, or go on.",),
    "i_see": ("I see.", "Aha.", "I understand."),
    "go_on?": ("Shall I go on?", "Would you like me to go on?"),
    "nothing_to_go_on": ("There is nothing open between us. Tell me what you would like.",),
    "stopped": ("All right, we leave it there.", "Good, we stop here."),
    "waiting": ("I'm waiting. Say go on when you like.", "Of course. Tell me when to go on."),
    "doing": ("We are in the middle of {title}. Say go on, or stop.",),
    "doing_nothing": ("We are just talking, you and I.",),
    "repeat_nothing": ("I haven't said anything yet.",),
    "can_do": ("You can talk with me about anything I know.", "We can simply talk."),
    "can_offer": ("I also have {titles}.",),
    "can_style": ("And you can tell me to speak {styles}.",),
    "can_roles": ("I can also be {names}.",),
    "help": ("Just talk, and interrupt me whenever you like. Say stop, go on, or say that again.",),
    "have": ("I have {titles}. Which would you like?",),
    "have_none": ("I have none of those.",),
    "all_used": ("You know them all by now, so here is one again.",),
    "unknown_activity": ("I don't have that one any more.",),
    "offer": ("Shall I begin {title}?", "How about {title}? Just say yes."),
    "style_set": ("Like this?", "All right, like this.", "Better so?"),
    "style_normal": ("Back to my own way.", "As usual, then."),
    "style_missing": ("I can't do that one. I can speak {styles}.",),
    "name": ("Nice to meet you, {name}.", "{name}. I'll remember that while we talk."),
    "welcome": ("You're welcome.", "With pleasure."),
    "hello": ("Hello.", "Hello there."),
    "fine": ("All right.", "Good."),
    "declined": ("All right, then not.", "Another time, then."),
    "honest": (
        "Since you ask: I'm an AI character. No person is speaking, only a program that plays me.",
        "Honestly, I'm an AI character, a program with a voice. There is no person on this end.",
    ),
    "leave_role": ("And here I am again, myself.", "That was fun. It's me again."),
    "no_role": ("I am myself already.",),
    "crisis": (
        "I'm going to stop playing for a moment, because what you just said matters. [pause 0.4] I'm an AI, and I "
        "can't keep you safe, but people can, right now. If you might hurt yourself, please call your emergency "
        "number: one one two in Europe, nine one one in America, nine nine nine in Britain. [pause 0.4] You can also "
        "call or text nine eight eight in the United States and Canada, or call one one six, one two three in Britain "
        "and Ireland. Anywhere else, find a helpline dot com lists someone near you. [pause 0.4] Is there a person "
        "close by you can go to, or call, this minute? You don't have to find the right words.",
    ),
    "crisis_again": (
        "I hear you, and I'm not going to play a part now. [pause 0.3] Please talk to a person tonight: someone you "
        "trust, a doctor, or a crisis line such as nine eight eight. If you are in danger, call your emergency number "
        "first. [pause 0.3] I'm here while you do it.",
    ),
    "gentle": (
        "I'm listening. Take the time you need, and please let a person near you know as well.",
        "Thank you for telling me. Have you been able to reach someone?",
        "I'm still here. Someone who can sit with you would be better than me. Who could that be?",
    ),
}

_CHINESE: dict[str, tuple[str, ...]] = {
    "resume": ("我们接着来。", "刚才说到这里。"),
    "back_to_lesson": ("回到我们的课。",),
    "back_to_chat": ("回到刚才的话题。",),
    "praise": ("对了。", "很好，就是这样。", "说得好。"),
    "not_quite": ("还差一点。", "快对了。"),
    "try_again": ("再说一遍试试。",),
    "the_answer": ("我会这样说。", "听，是这样的。"),
    "recap": ("这是最后一题。一共{total}题，你答对了{right}题。",),
    "practise": ("这几句明天值得再说一遍。",),
    "take_your_time": ("慢慢来。", "不着急。"),
    "stop_lesson": ("想停就停。说停，或者继续。",),
    "i_see": ("原来如此。", "我明白了。"),
    "go_on?": ("要我继续吗？", "接着讲吗？"),
    "nothing_to_go_on": ("现在没有讲到一半的东西。你想要什么？",),
    "stopped": ("好，就到这里。",),
    "waiting": ("我等着。想听了就说继续。",),
    "doing": ("我们正在{title}。说继续，或者停。",),
    "doing_nothing": ("我们就是在聊天。",),
    "repeat_nothing": ("我还没说什么呢。",),
    "can_do": ("你可以随便和我聊。",),
    "can_offer": ("我还有{titles}。",),
    "can_style": ("你也可以让我换个说法：{styles}。",),
    "can_roles": ("我还能当{names}。",),
    "help": ("直接说话就行，随时可以打断我。可以说停、继续、再说一遍。",),
    "have": ("我有{titles}。你要哪一个？",),
    "have_none": ("这个我没有。",),
    "all_used": ("都听过啦，那就再来一个。",),
    "unknown_activity": ("这个我已经没有了。",),
    "offer": ("要不要来{title}？", "{title}怎么样？说好就行。"),
    "style_set": ("这样呢？", "好，这样。"),
    "style_normal": ("恢复平常的样子。",),
    "style_missing": ("这个我不会。我会{styles}。",),
    "name": ("很高兴认识你，{name}。", "{name}，我记住了。"),
    "welcome": ("不客气。",),
    "hello": ("你好。",),
    "fine": ("好的。",),
    "declined": ("好，那就算了。",),
    "honest": ("你认真问，我就认真答：我是一个人工智能角色，这头没有真人。",),
    "leave_role": ("好，我又是我了。",),
    "no_role": ("我本来就是我呀。",),
    "crisis": (
        "我先不演了，因为你刚才说的话很重要。[pause 0.4] 我是人工智能，没办法保护你，但是现在就有人可以。"
        "如果你可能伤害自己，请马上拨打幺二零或者幺幺零。[pause 0.4] 在中国也可以拨打心理援助热线，幺二三五六。"
        "[pause 0.4] 你身边有没有人，可以现在就去找他，或者打个电话？不需要想好怎么说。",
    ),
    "crisis_again": (
        "我听见了，我现在不演任何角色。[pause 0.3] 请今晚就和一个人说说：你信任的人、医生，或者心理援助热线幺二三五六。"
        "如果有危险，请先打幺二零。[pause 0.3] 我在这里。",
    ),
    "gentle": ("我在听。慢慢说，也请让身边的人知道。", "谢谢你告诉我。你联系到谁了吗？"),
}


@dataclass(frozen=True, slots=True)
class Phrases:
    """The built-in lines of one language."""

    language: str
    table: Mapping[str, tuple[str, ...]]

    def lines(self, key: str) -> tuple[str, ...]:
        return self.table[key]

    def join(self, items: list[str]) -> str:
        """`a, b and c` as this language says it."""
        if self.table is _CHINESE:
            return "\u3001".join(items)
        return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def phrases_for(language: str) -> Phrases:
    """The lines for a language tag; English for any but Chinese."""
    chinese = language.lower().startswith(("zh", "cmn"))
    return Phrases(language, _CHINESE if chinese else _ENGLISH)
