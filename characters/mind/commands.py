"""What every character understands besides its own script."""

from enum import StrEnum


def split_cues(text: str) -> tuple[str, ...]:
    """Cues written as one string with bars between them."""
    return tuple(cue.strip() for cue in text.split("|"))


class Command(StrEnum):
    GO_ON = "go_on"
    STOP = "stop"
    WAIT = "wait"
    AGAIN = "again"
    START_OVER = "start_over"
    SKIP = "skip"
    DOING = "doing"
    LOST = "lost"
    ABILITIES = "abilities"
    HELP = "help"
    GOODBYE = "goodbye"
    OWN_SELF = "own_self"
    HONEST = "honest"
    THANKS = "thanks"
    HELLO = "hello"
    YES = "yes"
    NO = "no"
    STORIES = "stories"
    SONGS = "songs"
    LESSONS = "lessons"
    SCENES = "scenes"


IN_ACTIVITIES = frozenset(
    {Command.GO_ON, Command.STOP, Command.WAIT, Command.AGAIN, Command.START_OVER, Command.SKIP, Command.DOING}
)
"""Understood first while an activity runs."""

LISTS = {
    Command.STORIES: "story",
    Command.SONGS: "song",
    Command.LESSONS: "lesson",
    Command.SCENES: "scene",
}

CUES: dict[Command, tuple[str, ...]] = {
    Command.GO_ON: split_cues(
        "go on | continue | keep going | carry on | go ahead | please continue | and then | "
        "what happened next | what happens next | go on with the story | keep reading | keep singing | 继续 | "
        "接着讲 | 接着说 | 然后呢"
    ),
    Command.STOP: split_cues(
        "stop | stop it | please stop | enough | that's enough | stop the story | stop telling | stop singing | "
        "stop the lesson | stop the song | cancel | be quiet | no more | 停 | 停下 | 别说了 | 够了 | 不听了"
    ),
    Command.WAIT: split_cues(
        "wait | hold on | one moment | just a moment | wait a minute | pause | 等一下 | 等等 | 暂停"
    ),
    Command.AGAIN: split_cues(
        "again | what | say that again | repeat that | can you repeat that | once more | say it again | "
        "what did you say | come again | pardon | i didn't hear you | sing it again | repeat the question | "
        "再说一遍 | 再来一遍 | 你说什么 | 没听清"
    ),
    Command.START_OVER: split_cues(
        "start over | start again | from the beginning | begin again | restart | 从头开始 | 重新开始 | 从头来"
    ),
    Command.SKIP: split_cues("skip | skip this | skip it | next | next one | next question | 跳过 | 下一个 | 下一题"),
    Command.DOING: split_cues("what are you doing | what are we doing | where are we | 你在做什么 | 我们在做什么"),
    Command.LOST: split_cues(
        "i don't know | no idea | i have no idea | i can't | help me | give me a hint | hint please | "
        "tell me the answer | i'm not sure | 不知道 | 我不会 | 提示一下"
    ),
    Command.ABILITIES: split_cues(
        "what can you do | what can we do | what else can you do | what do you do | what can i ask you | "
        "what can i say | 你会什么 | 你能做什么"
    ),
    Command.HELP: split_cues("help | how does this work | what should i do | how do i use this | 帮助 | 怎么用"),
    Command.GOODBYE: split_cues(
        "goodbye | bye bye | see you | see you later | see you tomorrow | good night | i have to go | "
        "i must go now | talk to you later | hang up | end the call | that's all for today | 再见 | 拜拜 | "
        "晚安 | 我要走了 | 挂了吧"
    ),
    Command.OWN_SELF: split_cues(
        "be yourself | be yourself again | stop pretending | who are you really | drop the act | "
        "back to normal you | leave the role | 做回你自己 | 别演了"
    ),
    Command.HONEST: split_cues(
        "are you real | are you a real person | are you human | are you a human being | are you a person | "
        "are you a robot | are you a computer | are you a machine | are you an ai | are you artificial | "
        "are you a bot | am i talking to a real person | am i talking to a machine | "
        "am i talking to a computer | 你是真人吗 | 你是机器人吗 | 你是人吗 | 你是人工智能吗"
    ),
    Command.THANKS: split_cues("thank you | thanks | thanks a lot | thank you very much | 谢谢 | 多谢"),
    Command.HELLO: split_cues("hello | hello there | good morning | good evening | good afternoon | 你好 | 您好"),
    Command.YES: split_cues(
        "yes | yes please | sure | of course | please do | go ahead | okay | all right | why not | gladly | "
        "do it | i would love to | 好 | 好的 | 好啊 | 可以 | 是 | 对 | 行"
    ),
    Command.NO: split_cues(
        "no | no thanks | no thank you | not now | later | maybe later | never mind | rather not | "
        "i don't want to | 不 | 不要 | 不用 | 不了 | 算了"
    ),
    Command.STORIES: split_cues("what stories do you know | what stories do you have | which stories | 你有什么故事"),
    Command.SONGS: split_cues("what songs do you know | what can you sing | which songs do you have | 你会唱什么歌"),
    Command.LESSONS: split_cues("what lessons do you have | what can you teach me | which lessons | 你有什么课"),
    Command.SCENES: split_cues("what scenes do you have | what can we play | which scenes | 有什么戏"),
}
