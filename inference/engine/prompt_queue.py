"""From plans, words and codes to what a slot is fed: vectors in fixed chunks, or rows of ids."""

import torch
from torch import Tensor

from inference.codec.base import Codec
from inference.engine.conversation import Conversation
from inference.engine.plans import StreamPlan
from inference.engine.stream import Chunk, Row
from inference.errors import InvalidSpec
from inference.models.config import SPEAKER_DIM
from inference.models.prompts import Task, audio_rows, head_rows, speaks, text_rows, turn_rows
from inference.models.sampling import Sampling
from inference.models.tokenizer import VoilaTokenizer
from inference.models.voila import VoilaModel
from inference.models.waveform import SAMPLE_RATE_HZ, SAMPLES_PER_POSITION

_WAVEFORM_FRAME = (SAMPLES_PER_POSITION, SAMPLE_RATE_HZ)
_MAX_SEED = 2**63


def check_plan(plan: StreamPlan, model: VoilaModel, top_k_bound: int) -> None:
    """Raises `InvalidSpec` saying what of the plan cannot be honoured."""
    modes = {"autonomous": ("duplex",), "waveform": ("turn",), "token": ("turn", "mouth", "ears")}[model.kind]
    if plan.mode not in modes:
        raise InvalidSpec(f"a {model.kind} checkpoint cannot run a stream in {plan.mode} mode")
    if model.kind == "waveform":
        _check_waveform(plan)
    for sampling in (plan.text, plan.audio):
        _check_sampling(sampling, top_k_bound)
    if not 0 <= plan.seed < _MAX_SEED:
        raise InvalidSpec("a seed is a whole number from 0 to 2**63 - 1")
    if plan.mode == "mouth" and not plan.gives_audio:
        raise InvalidSpec(f"a mouth cannot speak in {plan.prompt_task.value}")
    limits = plan.limits
    if min(limits.max_text_run, limits.max_frames_per_word, limits.max_trailing_frames) < 1:
        raise InvalidSpec("limits are at least 1")
    if plan.speaker is not None:
        if plan.speaker.shape != (SPEAKER_DIM,) or not bool(torch.isfinite(plan.speaker).all()):
            raise InvalidSpec(f"a speaker embedding is {SPEAKER_DIM} finite numbers")
        if not speaks(plan.prompt_task):
            raise InvalidSpec(f"{plan.prompt_task.value} has no place for a speaker")


def check_codec(codec: Codec | None, model: VoilaModel) -> None:
    """Raises `InvalidSpec` when there is one and it speaks in other codes than the model."""
    wanted = (model.config.num_codebooks, model.config.codebook_size)
    if codec is None:
        return
    if model.kind == "waveform" and (codec.samples_per_frame, codec.sample_rate_hz) != _WAVEFORM_FRAME:
        raise InvalidSpec(
            f"the model hears {_WAVEFORM_FRAME[0]} samples of raw audio at {_WAVEFORM_FRAME[1]} Hz per frame, the "
            f"codec's frames have {codec.samples_per_frame} at {codec.sample_rate_hz} Hz"
        )
    found = (codec.num_codebooks, codec.codebook_size)
    if found != wanted:
        raise InvalidSpec(f"the codec has {found[0]} codebooks of {found[1]}, the model {wanted[0]} of {wanted[1]}")


def _check_waveform(plan: StreamPlan) -> None:
    if plan.prompt_task not in (Task.AUDIO_CHAT, Task.TEXT_CHAT):
        raise InvalidSpec(f"a checkpoint that hears raw audio does not know {plan.prompt_task.value}")
    if any(turn.role == "user" and turn.codes is not None for turn in plan.history):
        raise InvalidSpec("a checkpoint that hears raw audio cannot be told earlier turns of the user as codes")


def _check_sampling(sampling: Sampling, top_k_bound: int) -> None:
    if not 0 <= sampling.top_k <= top_k_bound:
        raise InvalidSpec(
            f"this engine draws with a top-k from 1 to {top_k_bound}, or 0 for no limit, not {sampling.top_k}"
        )
    if not 0 <= sampling.temperature < float("inf"):
        raise InvalidSpec("a temperature is 0 or positive")


class PromptQueue:
    """Text from people never becomes control tokens: the tokenizer sees to that."""

    def __init__(self, model: VoilaModel, tokenizer: VoilaTokenizer, chunk: int) -> None:
        self._model, self._tokenizer, self._chunk = model, tokenizer, chunk
        self._channels = model.num_columns // model.config.num_codebooks

    def read(self, plan: StreamPlan, most: int) -> tuple[Tensor, list[Tensor]]:
        """The system prompt as vectors [L, D], which stays, and earlier turns as rows of ids [T, columns], of which the
        oldest are left out beyond `most`.

        Raises `InvalidSpec` when the system prompt alone is too long.
        """
        task, tokenizer = plan.prompt_task, self._tokenizer
        head = head_rows(task, plan.instruction, tokenizer)
        if task is Task.DUPLEX:
            head = torch.cat([head, text_rows([tokenizer.control["<|HUMAN|>"]], tokenizer)])
        if len(head) > most:
            raise InvalidSpec(f"the instruction fills {len(head)} positions, and {most} are there for it")
        turns = [turn_rows(turn, task, tokenizer) for turn in plan.history]
        while turns and len(head) + sum(map(len, turns)) > most:
            turns.pop(0)
        prompt = self._model.embed_prompt(self._wide(head), plan.speaker)
        return prompt, [turn.repeat(1, self._channels) for turn in turns]

    def text(self, text: str) -> Tensor:
        """Rows of ids [T, columns]."""
        rows = text_rows(self._tokenizer.encode(text.strip()), self._tokenizer)
        return rows.repeat(1, self._channels)

    def embed(self, rows: Tensor) -> Tensor:
        return self._model.embed(rows.to(self._model.embeddings.device))

    def conversation(self, prompt_length: int, most: int) -> Conversation:
        """For a model that hears raw audio."""
        return Conversation(self._model, prompt_length, most, self._chunk)

    def audio(self, codes: Tensor) -> Tensor:
        """Rows of ids [T, K] of the user's codes [K, T]."""
        return audio_rows(codes, self._tokenizer)

    def chunks(self, vectors: Tensor, *, ends_prompt: bool = False, begins_turn: bool = False) -> list[Chunk]:
        """Where the cuts are depends on these vectors alone."""
        pieces = vectors.split(self._chunk) if len(vectors) else ()
        last = len(pieces) - 1
        return [Chunk(x, ends_prompt, ends_prompt and i == last, begins_turn and i == 0) for i, x in enumerate(pieces)]

    def row(self, ids: list[int], *, begins_turn: bool = False) -> Row:
        """A text or control token in every column."""
        return Row(text_rows(ids, self._tokenizer)[0].repeat(self._channels), begins_turn)

    def control(self, token: str, *, begins_turn: bool = False) -> Row:
        return self.row([self._tokenizer.control[token]], begins_turn=begins_turn)

    def frame(self, codes: Tensor, user: Tensor | None) -> Row:
        """The model's codes [K], beside the user's [K] in a model of two channels."""
        channels = [codes] if user is None else [user, codes]
        return Row(torch.cat([audio_rows(channel[:, None], self._tokenizer)[0] for channel in channels]))

    def _wide(self, rows: Tensor) -> Tensor:
        return rows.repeat(1, self._channels).to(self._model.embeddings.device)
