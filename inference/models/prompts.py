"""A conversation as the grid of ids a checkpoint was trained on (fact sheet of the format, section 5)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import torch
from torch import Tensor

from inference.errors import InvalidSpec
from inference.models.tokenizer import VoilaTokenizer

SPEAKER_POSITION = 4
"""Where the speaker embedding is added, whatever token stands there."""


class Task(StrEnum):
    ASR = "chat_asr"
    TTS = "chat_tts"
    TEXT_CHAT = "chat_tito"
    AUDIO_CHAT = "chat_aiao"
    DUPLEX = "chat_aiao_auto"


@dataclass(frozen=True, slots=True)
class _Head:
    opening: tuple[str, ...]
    speaker_slot: str = ""
    user: Literal["text", "audio", ""] = "text"
    assistant: Literal["text", "audio", ""] = "text"

    @property
    def tokens(self) -> tuple[str, ...]:
        slot = self.speaker_slot
        return (*self.opening, *((f"<{slot}_start>", f"<{slot}>", f"<{slot}_end>") if slot else ()))


_HEADS = {
    Task.ASR: _Head(("<SYSTEM>", "<asr>", "<asr_text_output>"), user="audio"),
    Task.TTS: _Head(("<SYSTEM>", "<tts>", "<tts_audio_output>"), "au_tts_ref", assistant="audio"),
    Task.TEXT_CHAT: _Head(("<SYSTEM>", "<chat>", "<chat_text_output>")),
    Task.AUDIO_CHAT: _Head(
        ("<SYSTEM>", "<chat>", "<chat_audio_output>"), "au_chat_ref", user="audio", assistant="audio"
    ),
    Task.DUPLEX: _Head(("<SYSTEM>", "<stream_chat>", "<chat_audio_output>"), "au_chat_ref", user="", assistant=""),
}


@dataclass(frozen=True, slots=True)
class PromptTurn:
    """One turn. `codes` is [K, T]; the assistant's turn to be generated has neither text nor codes."""

    role: Literal["user", "assistant"]
    text: str | None = None
    codes: Tensor | None = None


def speaks(task: Task) -> bool:
    """Whether the task's prompt has a speaker slot."""
    return bool(_HEADS[task].speaker_slot)


def audio_rows(codes: Tensor, tokenizer: VoilaTokenizer) -> Tensor:
    """Codes [K, T] as rows of vocabulary ids [T, K]."""
    offsets = torch.arange(codes.shape[0], dtype=torch.long)[:, None] * tokenizer.codebook_size
    return (codes.long().cpu() + offsets + tokenizer.audio_first_id).T.contiguous()


def text_rows(ids: list[int], tokenizer: VoilaTokenizer) -> Tensor:
    """Ids of text or control tokens as rows [L, K]: the same id in every column."""
    return torch.tensor(ids, dtype=torch.long)[:, None].expand(-1, tokenizer.num_codebooks)


def head_rows(task: Task, instruction: str, tokenizer: VoilaTokenizer) -> Tensor:
    """The system segment [L, K]: the shareable beginning of every prompt of one character."""
    ids = [tokenizer.control[token] for token in _HEADS[task].tokens]
    ids += [*tokenizer.encode(instruction), tokenizer.control["</SYSTEM>"]]
    return text_rows(ids, tokenizer)


def turn_rows(turn: PromptTurn, task: Task, tokenizer: VoilaTokenizer) -> Tensor:
    """One turn [L, K], its marker first. Raises `InvalidSpec` when the task does not take this kind of turn."""
    head = _HEADS[task]
    control = tokenizer.control
    if turn.role == "user":
        return torch.cat([text_rows([control["<|HUMAN|>"]], tokenizer), _content(turn, head.user, task, tokenizer)])
    marker = text_rows([control["<|VOILA|>"]], tokenizer)
    if turn.text is None and turn.codes is None:
        return marker
    content = _content(turn, head.assistant, task, tokenizer)
    return torch.cat([marker, content, text_rows([tokenizer.eos_id], tokenizer)])


def _content(turn: PromptTurn, wanted: str, task: Task, tokenizer: VoilaTokenizer) -> Tensor:
    if wanted == "text" and turn.text is not None:
        return text_rows(tokenizer.encode(turn.text.strip()), tokenizer)
    if wanted == "audio" and turn.codes is not None:
        return audio_rows(turn.codes, tokenizer)
    raise InvalidSpec(f"in {task.value} a turn of the {turn.role} is {wanted or 'streamed'}, not what was given")


def prompt_rows(
    task: Task, instruction: str, turns: list[PromptTurn], tokenizer: VoilaTokenizer, max_length: int | None = None
) -> Tensor:
    """The whole prompt [L, K]. Turns after the head are dropped oldest first until it fits `max_length`.

    The reference cuts from the right instead, which removes the marker that asks for the answer. Raises `InvalidSpec`
    when head and last turn alone are too long.
    """
    head = head_rows(task, instruction, tokenizer)
    if task is Task.DUPLEX:
        return torch.cat([head, text_rows([tokenizer.control["<|HUMAN|>"]], tokenizer)])
    parts = [turn_rows(turn, task, tokenizer) for turn in turns]
    # The last exchange, question and marker, must stay whole.
    while max_length and len(parts) > 2 and len(head) + sum(map(len, parts)) > max_length:
        parts.pop(0)
    rows = torch.cat([head, *parts])
    if max_length and len(rows) > max_length:
        raise InvalidSpec(f"the prompt has {len(rows)} positions, {max_length} fit, and no old turn is left to drop")
    return rows
