"""A session whose process died goes on from its rows: what was said stands, and who was cut off goes on."""

from characters.mind.base import GoOn, HeardSpeech, UserTurn
from sessions.live.dialogue import Dialogue
from sessions.live.memory import LEAP, Past
from sessions.live.stage import Stage
from sessions.realtime import troupe
from sessions.realtime.conversation import Conversation, Item


def conversation_of(past: Past) -> Conversation:
    """The items as far as they were heard, under the ids that the client knows."""
    conversation = Conversation()
    for turn in past.turns:
        if turn.by_listener:
            part = {"type": "input_text", "text": turn.text} if turn.typed else _heard("input_audio", turn.text)
            item = Item(id=turn.item_id, role="user", parts=[part], answered=True, typed=turn.typed)
        else:
            item = Item(id=turn.item_id, role="assistant", parts=[_heard("output_audio", turn.text)])
            item.status = "incomplete" if turn.interrupted else "completed"
        conversation.append(item)
    return conversation


def count_on(past: Past, stage: Stage, dialogue: Dialogue) -> None:
    """Numbers go on beyond those the client has seen."""
    stage.downlink.count_on_from(past.after)
    dialogue.user.spoken_ms = round(past.user_s * 1000)
    memory = past.memory
    num_responses, epoch = (memory.num_responses, memory.epoch) if memory is not None else (0, 0)
    dialogue.answers.go_on_from(num_responses + LEAP, epoch + LEAP, past.heard_s * 1000)


def take_up(past: Past, stage: Stage, dialogue: Dialogue) -> None:
    """Goes on with what was cut short, answers what was not answered, or just listens."""
    cut, waiting = past.cut_short, past.unanswered
    if cut is not None and past.memory is not None:
        stage.mind.heard(HeardSpeech(past.memory.speaking, cut.text, cut.full_text, interrupted=True))
        stage.downlink.emit(troupe.caption_cut(item_id=cut.item_id, text=cut.text))
        dialogue.take_up(GoOn(cut.full_text[len(cut.text) :]))
    elif waiting is not None:
        dialogue.take_up(UserTurn(waiting.text, typed=waiting.typed, instructions=dialogue.config.instructions))
    elif not past.turns:
        dialogue.open()


def _heard(kind: str, text: str) -> dict[str, str]:
    return {"type": kind, "transcript": text}
