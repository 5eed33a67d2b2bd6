"""The step engine. One thread owns it: open, push, tick, close.

A tick advances every stream by at most one frame (40 ms). Inside it text may run on, because text costs no time; new
prompts are computed in chunks beside it, within a budget, so that nobody's frame waits for somebody else's prompt.
"""

from collections.abc import Hashable, Iterable
from dataclasses import replace

import torch
from torch import Tensor

from inference.codec.base import Codec
from inference.codec.source_filter.steering import Steering
from inference.engine.answers import Action, Decision, DuplexAnswer, FreeAnswer, MouthAnswer
from inference.engine.intake import Intake, check_codes, check_pcm
from inference.engine.lockstep import Lockstep
from inference.engine.plans import EngineSettings, Finish, StreamOutput, StreamPlan
from inference.engine.prefix_cache import PrefixCache
from inference.engine.prompt_queue import PromptQueue, check_codec, check_plan
from inference.engine.sound import SlotSound
from inference.engine.stream import Chunk, Row, Stream
from inference.engine.text_head import TextHead
from inference.engine.voice_change import VoiceChanges
from inference.engine.window import SlidingWindow
from inference.engine.words import ForcedWords
from inference.engine.written_text import WrittenText
from inference.errors import AtCapacity, InvalidSpec, StreamClosed
from inference.models.packed import pack
from inference.models.tokenizer import VoilaTokenizer
from inference.models.voila import VoilaModel
from inference.models.waveform import SAMPLES_PER_POSITION

_LISTENING_ROWS = 4
"""Positions of a tick that are not text of an answer: an eos, a marker, the user's frame, one to spare."""


class StepEngine:
    """Fixed slots on one checkpoint. Numbers of streams are never used twice."""

    def __init__(
        self,
        model: VoilaModel,
        tokenizer: VoilaTokenizer,
        codec: Codec | None = None,
        settings: EngineSettings | None = None,
    ) -> None:
        """Raises `InvalidSpec` for a codec whose codes are not the model's."""
        check_codec(codec, model)
        self.settings = settings or EngineSettings()
        self.model, self.tokenizer, self.codec = model, tokenizer, codec
        self._num_positions = min(self.settings.num_positions, model.config.max_positions)
        slots = self.settings.num_slots
        precision = self.settings.packed
        if precision is not None:
            pack(model, precision, slots)
        self.lockstep = Lockstep(
            model,
            TextHead(model, tokenizer, precision, slots),
            num_slots=slots,
            num_positions=self._num_positions,
            top_k_bound=self.settings.top_k_bound,
        )
        self._window = SlidingWindow(model.backbone, self.lockstep.cache, self.settings.dropped_block)
        self._prompts = PromptQueue(model, tokenizer, self.settings.prefill_chunk)
        self._sound = SlotSound(codec, slots, model.embeddings.device) if codec is not None else None
        self._intake = Intake(self._prompts, self.lockstep, self.settings, self._silence_codes())
        self._voices = VoiceChanges(model, self._prompts, self.prefixes, self.settings.prefill_chunk)
        self._streams: dict[int, Stream] = {}
        self._free = list(range(slots - 1, -1, -1))
        self._next_number = 1
        self._rows = torch.zeros((slots, model.num_columns), dtype=torch.long)
        self._next_prefill = 0

    # --- streams ---

    @torch.inference_mode()
    def open(self, plan: StreamPlan) -> int:
        """The number of a new stream, whose prompt is computed over the next ticks.

        Raises `InvalidSpec` for a plan this checkpoint or engine cannot honour, `AtCapacity` when no slot is free.
        """
        check_plan(plan, self.model, self.settings.top_k_bound)
        if plan.mode == "duplex" and plan.missing_user == "silence" and self._intake.silence is None:
            raise InvalidSpec("silence for a missing frame needs a codec or settings.silence_codes")
        if not self._free:
            raise AtCapacity(f"all {self.settings.num_slots} slots are taken")
        most = self._num_positions - self._reserve(plan)
        prompt, history = self._prompts.read(plan, most)
        stream = Stream(self._next_number, self._free.pop(), plan, WrittenText(self.tokenizer))
        self._next_number += 1
        self._streams[stream.number] = stream
        self.lockstep.open(stream.slot, plan.seed, plan.text, plan.audio, plan.gives_audio)
        if self._sound is not None:
            self._sound.reset(stream.slot)
        if self.model.kind == "waveform" and plan.gives_audio:
            stream.told = self._prompts.conversation(len(prompt), max(most - len(prompt), self.settings.dropped_block))
        self._intake.prompt(stream, prompt, history)
        if plan.mode == "duplex":
            stream.answer = DuplexAnswer(self.tokenizer, plan.limits)
        return stream.number

    def close(self, number: int) -> None:
        """The slot is free at once. Raises `StreamClosed` for a number that is not open."""
        stream = self._stream(number)
        self._voices.forget(number)
        del self._streams[number]
        self._free.append(stream.slot)

    @torch.inference_mode()
    def change_voice(self, number: int, speaker: Tensor | None, prefix_key: Hashable = None) -> None:
        """Another speaker embedding [256] for an open stream, heard a few ticks later: see `voice_change`.

        Raises `InvalidSpec` for an embedding that is none or a task without a voice.
        """
        stream = self._stream(number)
        plan = replace(stream.plan, speaker=speaker, prefix_key=prefix_key)
        check_plan(plan, self.model, self.settings.top_k_bound)
        self._voices.ask(stream, plan, self.lockstep.cache)

    def changing_voice(self, number: int) -> bool:
        """Whether a change asked for is still being computed."""
        return self._voices.waits(number)

    @property
    def prefixes(self) -> PrefixCache:
        """Primed system prompts."""
        return self._intake.prefixes

    @property
    def open_streams(self) -> list[int]:
        return list(self._streams)

    def stream(self, number: int) -> Stream:
        """What the host knows of a stream, to look at only."""
        return self._stream(number)

    def steering(self, number: int) -> tuple[Steering, int]:
        """The codec's steering and the stream's row in it. Raises `InvalidSpec` where pitch cannot be given."""
        steering = self._sound.steering if self._sound is not None else None
        if steering is None:
            raise InvalidSpec("this checkpoint's codec keeps its pitch and voicing to itself")
        return steering, self._stream(number).slot

    def ready(self, number: int) -> bool:
        """Whether the prompt and all that was given at once are computed: no tick is spent on the past any more.

        What is left to feed, such as the last frame of a stream that runs, enters with the next tick.
        """
        stream = self._stream(number)
        return stream.prompt_length > 0 and not any(isinstance(piece, Chunk) for piece in stream.waiting)

    # --- what users and minds give ---

    def push_pcm(self, number: int, pcm: Tensor) -> None:
        """One frame [samples_per_frame] of the user's audio, heard next tick; 640 samples at 16 kHz where the model
        hears raw audio, which it does when the answer begins.
        """
        stream = self._hearing(number)
        if self.model.kind == "waveform":
            check_pcm(pcm, SAMPLES_PER_POSITION)
            self._intake.sound(stream, pcm.to("cpu", torch.float32).clone())
            return
        if self.codec is None:
            raise InvalidSpec("this engine has no codec: it takes codes")
        check_pcm(pcm, self.codec.samples_per_frame)
        stream.user_pcm.append(pcm.to(torch.float32).clone())
        self._intake.bound(stream)

    @torch.inference_mode()
    def push_codes(self, number: int, codes: Tensor) -> None:
        """The user's audio as codes [K, T]. In turns and ears more than one frame at once is computed like a prompt."""
        stream = self._hearing(number)
        check_codes(codes, self.model.config.num_codebooks, self.model.config.codebook_size)
        self._intake.codes(stream, codes)

    @torch.inference_mode()
    def push_text(self, number: int, text: str) -> None:
        """The user's words as text, in a turn of theirs."""
        self._intake.text(self._hearing(number), text)

    def end_audio(self, number: int) -> None:
        """A duplex stream ends when the frames it was given are used up."""
        stream = self._stream(number)
        if stream.plan.mode != "duplex":
            raise InvalidSpec("only a duplex stream has an audio that ends it")
        if isinstance(stream.answer, DuplexAnswer):
            stream.answer.user_ended = True

    @torch.inference_mode()
    def begin_answer(self, number: int) -> None:
        """The assistant's turn: a free answer, what ears heard, or, for a mouth, the words to come."""
        stream = self._stream(number)
        if stream.plan.mode == "duplex" or stream.answer is not None:
            raise InvalidSpec("an answer is going on; interrupt it first")
        self._hear_the_rest(stream)
        limits = stream.plan.limits
        if stream.plan.mode == "mouth":
            stream.words = ForcedWords(self.tokenizer, self.settings.max_queued_words)
            stream.answer = MouthAnswer(self.tokenizer, limits, stream.words)
        else:
            stream.answer = FreeAnswer(self.tokenizer, limits, stream.plan.gives_audio)
        self._intake.close_turn(stream)
        stream.draining, stream.drain_left = None, 0
        if self._sound is not None:
            self._sound.begin_answer(stream.slot)

    def push_words(self, number: int, words: Iterable[str]) -> None:
        """More to say, each piece as it is to be read, white space included.

        Raises `SlowConsumer` when too many wait, and takes none.
        """
        self._words(number).push(tuple(words))

    def end_words(self, number: int) -> None:
        self._words(number).ended = True

    def interrupt(self, number: int) -> None:
        """Ends an answer where it stands; what was fed of it stays in the history, closed by eos."""
        stream = self._stream(number)
        if stream.plan.mode == "duplex":
            raise InvalidSpec("a duplex stream is interrupted by speaking to it; close it to end it")
        if stream.answer is not None:
            self._finish(stream, "interrupted")

    # --- the tick ---

    @torch.inference_mode()
    def tick(self) -> list[StreamOutput]:
        """One frame of time for everybody; outputs of the streams that have any."""
        self._hear()
        self._prefill()
        for stream in self._streams.values():
            stream.rows_left = stream.plan.limits.max_text_run + _LISTENING_ROWS
            if stream.held is not None:
                self._decide(stream, *stream.held)
        while self._micro_step():
            pass
        self._frames()
        self._speak()
        return [output for stream in self._streams.values() if (output := stream.take_output()) is not None]

    def _hear(self) -> None:
        pcm = {stream.slot: stream.user_pcm.popleft() for stream in self._streams.values() if stream.user_pcm}
        codes = self._sound.encode(pcm) if self._sound is not None else {}
        for stream in self._streams.values():
            if stream.slot in codes:
                stream.user_codes.append(codes[stream.slot].cpu())
            if stream.answer is None:
                self._intake.heard(stream)

    def _hear_the_rest(self, stream: Stream) -> None:
        """Before an answer begins, all that was said is heard, to what a codec that looks ahead owes."""
        if self._sound is not None:
            while stream.user_pcm:
                codes = self._sound.encode({stream.slot: stream.user_pcm.popleft()})
                stream.user_codes.extend(frame.cpu() for frame in codes.values())
            stream.user_codes.extend(frame.cpu() for frame in self._sound.encode_rest(stream.slot))
        self._intake.heard(stream)

    def _prefill(self) -> None:
        """Chunks of prompts, one stream after another, until the budget is spent."""
        left = self.settings.prefill_per_tick
        preparing = [s for s in self._streams.values() if s.waiting and isinstance(s.waiting[0], Chunk)]
        # Whoever came last in the previous tick does not come last again.
        preparing.sort(key=lambda stream: (stream.number < self._next_prefill, stream.number))
        for stream in preparing:
            while left > 0 and stream.waiting and isinstance(chunk := stream.waiting[0], Chunk):
                stream.waiting.popleft()
                self._window.make_room(stream, len(chunk.vectors))
                starts = self._window.starts(stream)
                hidden = self.model.prefill(chunk.complete(), self.lockstep.cache, stream.slot, starts)
                self.lockstep.hidden[stream.slot] = hidden[-1]
                stream.advanced(len(chunk.vectors), chunk.begins_turn)
                left -= len(chunk.vectors)
                if chunk.ends_prompt:
                    self._intake.keep_prompt(stream)
                self._next_prefill = stream.number + 1
        self._voices.advance(self.lockstep.cache, left)

    def _micro_step(self) -> bool:
        """One position for whoever has one to feed, a draw for whoever needs one. False when nobody does."""
        feeding = [stream for stream in self._streams.values() if stream.needs_step]
        if feeding:
            self._feed(feeding)
        drawing = [stream for stream in self._streams.values() if stream.needs_draw]
        if drawing:
            tokens, wishes = self.lockstep.draw(self._mask(drawing))
            for stream in drawing:
                stream.undrawn = False
                self._decide(stream, tokens[stream.slot], wishes[stream.slot])
        return bool(feeding or drawing)

    def _feed(self, feeding: list[Stream]) -> None:
        for stream in feeding:
            self._window.make_room(stream, 1)
            row = stream.waiting.popleft()
            assert isinstance(row, Row)
            self._rows[stream.slot] = row.ids
            stream.advanced(1, row.begins_turn)
            stream.rows_left -= 1
        step = self.settings.span_step
        span = -(-max(stream.length for stream in feeding) // step) * step
        self.lockstep.feed(self._rows, self._mask(feeding), min(span, self._num_positions))

    def _decide(self, stream: Stream, token: int, wants_to_speak: bool) -> None:
        assert stream.answer is not None
        stream.held = None
        decision = stream.answer.decide(token, wants_to_speak, self._intake.user_frame_there(stream))
        if decision.word is not None:
            stream.notes.words.append(decision.word)
        if decision.action is Action.HOLD:
            stream.held = (token, wants_to_speak)
        elif decision.action is Action.FRAME:
            stream.wants_frame = True
        elif decision.action is Action.FINISH:
            self._finish(stream, decision.reason)
        else:
            self._take_text(stream, decision)

    def _take_text(self, stream: Stream, decision: Decision) -> None:
        stream.notes.token_ids.append(decision.token)
        stream.notes.text += stream.written.write(decision.token)
        if decision.reason != "eos":
            stream.answer_with(self._prompts.row([decision.token]))
        self._count(stream, Action.TEXT, decision.reason)

    def _frames(self) -> None:
        wanting = [stream for stream in self._streams.values() if stream.wants_frame]
        if not wanting:
            return
        codes = self.lockstep.frames(self._mask(wanting)).cpu()
        for stream in wanting:
            assert stream.answer is not None
            stream.wants_frame = False
            own = codes[stream.slot].clone()
            user = self._intake.user_frame(stream) if stream.plan.mode == "duplex" else None
            stream.answer_with(self._prompts.frame(own, user))
            stream.notes.codes, stream.notes.frame = own, stream.answer.progress.frames
            self._count(stream, Action.FRAME, "")

    def _speak(self) -> None:
        """Audio of this tick's frames, and what a codec that looks ahead still owes of ended answers."""
        if self._sound is None:
            return
        codes: dict[int, Tensor] = {}
        for stream in self._streams.values():
            if stream.notes.codes is not None:
                codes[stream.slot] = stream.draining = stream.notes.codes
                stream.drain_left = self._sound.codec.decoder_delay_frames
            elif stream.answer is None and stream.draining is not None and stream.drain_left > 0:
                codes[stream.slot] = stream.draining
                stream.drain_left -= 1
        pcm = self._sound.decode(codes)
        for stream in self._streams.values():
            stream.notes.pcm = pcm.get(stream.slot)

    # --- details ---

    def _stream(self, number: int) -> Stream:
        if number not in self._streams:
            raise StreamClosed(f"stream {number} is not open")
        return self._streams[number]

    def _hearing(self, number: int) -> Stream:
        stream = self._stream(number)
        if stream.answer is not None and stream.plan.mode != "duplex":
            raise InvalidSpec("an answer is going on; interrupt it first")
        return stream

    def _words(self, number: int) -> ForcedWords:
        stream = self._stream(number)
        if stream.words is None or stream.answer is None:
            raise InvalidSpec("words are for a mouth whose answer has begun")
        return stream.words

    def _count(self, stream: Stream, action: Action, reason: Finish) -> None:
        assert stream.answer is not None
        progress, most = stream.answer.progress, stream.plan.limits.max_new_positions
        progress.count(action)
        if reason:
            self._finish(stream, reason)
        elif most is not None and progress.positions >= most:
            self._finish(stream, "max_new_positions")

    def _finish(self, stream: Stream, reason: Finish) -> None:
        stream.notes.text += stream.written.flush()
        stream.notes.finished = reason
        stream.answer, stream.words, stream.held, stream.wants_frame = None, None, None, False
        if stream.plan.mode != "duplex":
            stream.answer_with(self._prompts.row([self.tokenizer.eos_id]))

    def _mask(self, streams: list[Stream]) -> Tensor:
        mask = torch.zeros(self.settings.num_slots, dtype=torch.bool)
        mask[[stream.slot for stream in streams]] = True
        return mask

    def _reserve(self, plan: StreamPlan) -> int:
        """Positions beside the prompt without which no conversation fits."""
        conversation = max(self.settings.dropped_block, self.settings.prefill_chunk)
        return conversation + self._window.moving_positions + plan.limits.max_text_run + _LISTENING_ROWS

    def _silence_codes(self) -> Tensor | None:
        if self.settings.silence_codes is not None:
            return torch.tensor(self.settings.silence_codes)
        with torch.inference_mode():
            return self._sound.silence().cpu() if self._sound is not None else None
