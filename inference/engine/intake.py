"""What people and plans give a stream, put in order: prompts to prime, turns, frames of the user."""

import torch
from torch import Tensor

from inference.engine.answers import DuplexAnswer
from inference.engine.lockstep import Lockstep
from inference.engine.plans import EngineSettings
from inference.engine.prefix_cache import PrefixCache, PrimedPrefix
from inference.engine.prompt_queue import PromptQueue
from inference.engine.stream import Row, Stream
from inference.errors import InvalidSpec


class Intake:
    """Fills `Stream.waiting`; computes nothing but embeddings."""

    def __init__(
        self, prompts: PromptQueue, lockstep: Lockstep, settings: EngineSettings, silence: Tensor | None
    ) -> None:
        self.prompts, self.silence = prompts, silence
        self.prefixes = PrefixCache(settings.prefix_cache_entries)
        self._lockstep, self._settings = lockstep, settings

    def prompt(self, stream: Stream, vectors: Tensor, history: list[Tensor]) -> None:
        """The system prompt, from the primed ones where it is known, and the turns before as rows [T, columns]."""
        key = stream.plan.prefix_key
        primed = self.prefixes.find(key, vectors) if key is not None else None
        if primed is not None:
            self._lockstep.cache.copy_prefix(stream.slot, primed.kv)
            self._lockstep.hidden[stream.slot] = primed.hidden
            stream.advanced(len(vectors), begins_turn=False)
            stream.prompt_length = stream.length
        else:
            stream.prompt_vectors = vectors
            stream.waiting.extend(self.prompts.chunks(vectors, ends_prompt=True))
        for turn in history:
            self._give(stream, turn, begins_turn=True)

    def keep_prompt(self, stream: Stream) -> None:
        """The system prompt is computed: it stays, and may serve others."""
        stream.prompt_length = stream.length
        key, vectors, stream.prompt_vectors = stream.plan.prefix_key, stream.prompt_vectors, None
        if key is not None and vectors is not None:
            kv = self._lockstep.cache.prefix(stream.slot, stream.length)
            self.prefixes.keep(key, PrimedPrefix(vectors, kv, self._lockstep.hidden[stream.slot].clone()))

    def codes(self, stream: Stream, codes: Tensor) -> None:
        """[K, T]: frames as they come, or a whole utterance to be computed like a prompt."""
        if stream.told is not None:
            raise InvalidSpec("a checkpoint that hears raw audio is not given codes")
        if stream.plan.mode == "duplex" or codes.shape[1] == 1:
            stream.user_codes.extend(codes.T.cpu().long().clone())
            self.bound(stream)
            return
        self._open_turn(stream)
        self._give(stream, self.prompts.audio(codes))

    def sound(self, stream: Stream, pcm: Tensor) -> None:
        """A frame of raw audio, for a checkpoint that hears it."""
        if stream.told is None:
            raise InvalidSpec(f"{stream.plan.prompt_task.value} hears no audio")
        self._open_turn(stream)
        stream.tell(self.prompts.control("<au_token>"), pcm)

    def text(self, stream: Stream, text: str) -> None:
        if stream.plan.mode == "duplex":
            raise InvalidSpec("a duplex stream hears audio only")
        self._open_turn(stream)
        self._give(stream, self.prompts.text(text))

    def heard(self, stream: Stream) -> None:
        """Frames that came while listening enter the context; a duplex stream keeps them for its own frames."""
        while stream.user_codes and stream.plan.mode != "duplex":
            self._open_turn(stream)
            stream.waiting.append(self.prompts.frame(stream.user_codes.popleft(), None))

    def close_turn(self, stream: Stream) -> None:
        """The assistant's turn begins. Where raw audio is heard, all after the system prompt is computed anew: an
        answer then waits for a number of chunks that grows with what was said, and for the front end's work on each.
        """
        stream.turn_open = False
        self._enter(stream, self.prompts.control("<|VOILA|>"))
        if stream.told is not None:
            stream.begin_anew()
            self._lockstep.cache.lengths[:, stream.slot] = stream.length
            stream.waiting.extend(stream.told.chunks())

    def bound(self, stream: Stream) -> None:
        """Delay must not grow: of what waits too long the oldest goes."""
        for queue in (stream.user_pcm, stream.user_codes):
            while len(queue) > self._settings.max_queued_frames:
                queue.popleft()
                stream.dropped_frames += 1

    def user_frame_there(self, stream: Stream) -> bool:
        answer = stream.answer
        silent = stream.plan.missing_user == "silence" and isinstance(answer, DuplexAnswer) and not answer.user_ended
        return bool(stream.user_codes) or silent

    def user_frame(self, stream: Stream) -> Tensor | None:
        """Of a duplex stream: the next, or silence in its place."""
        return stream.user_codes.popleft() if stream.user_codes else self.silence

    def _open_turn(self, stream: Stream) -> None:
        if not stream.turn_open:
            stream.turn_open = True
            self._enter(stream, self.prompts.control("<|HUMAN|>", begins_turn=True))

    def _enter(self, stream: Stream, row: Row) -> None:
        """A position of the user's side."""
        if stream.told is not None:
            stream.tell(row)
        else:
            stream.waiting.append(row)

    def _give(self, stream: Stream, rows: Tensor, *, begins_turn: bool = False) -> None:
        """Positions that are there at once, rows of ids [T, columns]."""
        if stream.told is None:
            stream.waiting.extend(self.prompts.chunks(self.prompts.embed(rows), begins_turn=begins_turn))
            return
        for number, ids in enumerate(rows):
            stream.tell(Row(ids, begins_turn and number == 0))


def check_codes(codes: Tensor, num_codebooks: int, codebook_size: int) -> None:
    """Raises `InvalidSpec` unless these are codes [K, T], T at least 1."""
    if codes.dim() != 2 or len(codes) != num_codebooks or codes.shape[1] == 0 or codes.is_floating_point():
        raise InvalidSpec(f"codes are whole numbers [{num_codebooks}, T], not {codes.dtype} {list(codes.shape)}")
    if codes.min() < 0 or codes.max() >= codebook_size:
        raise InvalidSpec(f"codes are from 0 to {codebook_size - 1}")


def check_pcm(pcm: Tensor, samples_per_frame: int) -> None:
    """Raises `InvalidSpec` unless this is one frame of finite numbers."""
    if pcm.shape != (samples_per_frame,) or not bool(torch.isfinite(pcm).all()):
        raise InvalidSpec(f"a frame of audio is {samples_per_frame} finite samples, not {list(pcm.shape)}")
