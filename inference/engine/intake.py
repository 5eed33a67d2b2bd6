"""What people and plans give a stream, put in order: prompts to prime, turns, frames of the user."""

import torch
from torch import Tensor

from inference.engine.answers import DuplexAnswer
from inference.engine.lockstep import Lockstep
from inference.engine.plans import EngineSettings
from inference.engine.prefix_cache import PrefixCache, PrimedPrefix
from inference.engine.prompt_queue import PromptQueue
from inference.engine.stream import Stream
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
        """The system prompt, from the primed ones where it is known, and the turns before."""
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
            stream.waiting.extend(self.prompts.chunks(turn, begins_turn=True))

    def keep_prompt(self, stream: Stream) -> None:
        """The system prompt is computed: it stays, and may serve others."""
        stream.prompt_length = stream.length
        key, vectors, stream.prompt_vectors = stream.plan.prefix_key, stream.prompt_vectors, None
        if key is not None and vectors is not None:
            kv = self._lockstep.cache.prefix(stream.slot, stream.length)
            self.prefixes.keep(key, PrimedPrefix(vectors, kv, self._lockstep.hidden[stream.slot].clone()))

    def codes(self, stream: Stream, codes: Tensor) -> None:
        """[K, T]: frames as they come, or a whole utterance to be computed like a prompt."""
        if stream.plan.mode == "duplex" or codes.shape[1] == 1:
            stream.user_codes.extend(codes.T.cpu().long().clone())
            self.bound(stream)
            return
        self._open_turn(stream)
        stream.waiting.extend(self.prompts.chunks(self.prompts.audio(codes)))

    def text(self, stream: Stream, text: str) -> None:
        if stream.plan.mode == "duplex":
            raise InvalidSpec("a duplex stream hears audio only")
        self._open_turn(stream)
        stream.waiting.extend(self.prompts.chunks(self.prompts.text(text)))

    def heard(self, stream: Stream) -> None:
        """Frames that came while listening enter the context; a duplex stream keeps them for its own frames."""
        while stream.user_codes and stream.plan.mode != "duplex":
            self._open_turn(stream)
            stream.waiting.append(self.prompts.frame(stream.user_codes.popleft(), None))

    def close_turn(self, stream: Stream) -> None:
        """The assistant's turn begins."""
        stream.turn_open = False
        stream.waiting.append(self.prompts.control("<|VOILA|>"))

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
            stream.waiting.append(self.prompts.control("<|HUMAN|>", begins_turn=True))


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
