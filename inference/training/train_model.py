"""Stage 3, `python -m inference.training.train_model --work DIR`: phones and codes to a model in the Voila layout.

Writes DIR/model/last.pt while it runs, and goes on from it.
"""

import argparse
import json
import math
import random
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from inference.checkpoints.errors import CheckpointError
from inference.codec.source_filter.codec import SourceFilterCodec
from inference.models.tokenizer import VoilaTokenizer
from inference.training.corpus import HELD_OUT, CorpusMissing, Utterance, load_all
from inference.training.dataset import FRAME, IGNORED, Batch, Example, Examples, batch_of
from inference.training.phone_tokens import text_choices, write_tokenizer
from inference.training.speaker_pool import SpeakerPool
from inference.training.voila_network import Shape, VoilaNetwork

PEAK_RATE, WARM_STEPS = 1.5e-3, 60
CODE_NOISE = 0.08
"""Share of the frames heard back that are of another sentence: the model must not trust its past blindly."""

FRAME_SHARE = 0.6
"""Of the frames of a batch, how many the audio transformer is taught with: neighbours teach it much the same."""

TEXT_WEIGHT = 0.3
_BUCKET = 6
"""Batches drawn together and sorted by length, so that little is padding."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=120.0, help="of training, all sittings together")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    try:
        corpus = load_all(options.work)
        training = ModelTraining(
            corpus, options.work, options.minutes * 60, options.batch, options.seed, options.device
        )
    except CorpusMissing as error:
        sys.exit(str(error))
    except CheckpointError as error:
        sys.exit(f"{error}; `python -m inference.training.train_codec --work {options.work}` makes the codec")
    training.run()


class ModelTraining:
    """`seconds` of all sittings; what `work` holds of earlier ones is gone on from."""

    def __init__(
        self,
        corpus: dict[str, list[Utterance]],
        work: Path,
        seconds: float,
        batch: int,
        seed: int,
        device: str = "cpu",
        shape: Shape | None = None,
    ) -> None:
        """Vocabulary and codebooks are the codec's, whatever `shape` says. Raises a `CheckpointError` for the codec."""
        self._folder, self._seconds, self._batch, self._device = work / "model", seconds, batch, device
        self._codec = SourceFilterCodec.load(work / "codec" / "checkpoint")
        write_tokenizer(self._folder, self._codec.num_codebooks, self._codec.codebook_size)
        self._tokenizer = VoilaTokenizer(self._folder, self._codec.num_codebooks, self._codec.codebook_size)
        self._seed, self._draw = seed, random.Random(seed)
        self.speakers = SpeakerPool(corpus, seed)
        self._examples = Examples(self._codec, self._tokenizer, self.speakers, self._draw)
        self._train = [(name, u) for name, all_ in corpus.items() for u in all_[HELD_OUT:]]
        fixed = Examples(self._codec, self._tokenizer, self.speakers, random.Random(0))
        self._held_out = [fixed.random(name, u) for name, all_ in corpus.items() for u in all_[:HELD_OUT]]
        vocab = -(-len(self._tokenizer) // 64) * 64
        books, size = self._codec.num_codebooks, self._codec.codebook_size
        self.shape = replace(shape or Shape(vocab), vocab=vocab, codebooks=books, codebook_size=size)
        self.network = VoilaNetwork(self.shape).to(device)
        self._choices = torch.tensor(text_choices(self._tokenizer), device=device)
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        self._waiting: list[Batch] = []
        self._step, self._spent = 0, 0.0

    @property
    def steps_done(self) -> int:
        """In all sittings."""
        return self._step

    def run(self, most_steps: int | None = None) -> None:
        """Until the time is used up, or for `most_steps` of this sitting."""
        last = self._folder / "last.pt"
        if last.exists():
            self._restore(last)
        end = math.inf if most_steps is None else self._step + most_steps
        bar = tqdm(total=round(self._seconds), initial=round(self._spent), unit="s")
        while self._spent < self._seconds and self._step < end:
            begun = time.monotonic()
            figures = self.step()
            self._spent += time.monotonic() - begun
            bar.update(int(self._spent) - bar.n)
            if self._step % 25 == 0:
                bar.set_postfix({name: f"{value:.2f}" for name, value in figures.items()})
                self._note(figures)
            if self._step % 200 == 0:
                self._keep(last)
        self._keep(last)

    def step(self) -> dict[str, float]:
        """One batch learnt from; its losses in nats by name."""
        batch = self._next_batch()
        share = self._spent / self._seconds
        rate = PEAK_RATE * min(1.0, (self._step + 1) / WARM_STEPS) * max(0.01, min(1.0, 1.15 * (1 - share)))
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        text, codes = self.losses(batch, CODE_NOISE, FRAME_SHARE)
        self._optimiser.zero_grad(set_to_none=True)
        (codes.mean() + TEXT_WEIGHT * text).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self._optimiser.step()
        self._step += 1
        return {"text": text.item(), **{f"c{number}": value.item() for number, value in enumerate(codes)}}

    def losses(self, batch: Batch, noise: float, frame_share: float) -> tuple[Tensor, Tensor]:
        """Cross-entropy of what comes next, and per codebook [K], in nats."""
        rows, following = batch.rows.to(self._device), batch.following.to(self._device)
        with torch.autocast(self._device, dtype=torch.bfloat16):
            hidden = self.network.hidden(self._noisy(rows, noise), batch.speakers.to(self._device))
            logits = self.network.text_logits(hidden, self._choices).float()
            text = F.cross_entropy(logits.flatten(0, 1), following.flatten(), ignore_index=IGNORED)
            where = (following == FRAME) & (torch.rand(following.shape, device=self._device) < frame_share)
            wanted = batch.codes.to(self._device)[where]
            codes = self.network.audio_transformer(hidden[where], wanted).float()
        return text, F.cross_entropy(codes.transpose(1, 2), wanted, reduction="none").mean(dim=0)

    def _noisy(self, rows: Tensor, share: float) -> Tensor:
        """Some frames heard back are replaced by other frames of the batch."""
        first = self._tokenizer.audio_first_id
        frames = (rows[..., 0] >= first) & (rows[..., 0] < self._tokenizer.audio_end_id)
        if share == 0 or not frames.any():
            return rows
        found = rows[frames]
        replaced = torch.rand(found.shape, device=rows.device) < share
        shuffled = found[torch.randperm(len(found), device=rows.device)]
        noisy = rows.clone()
        noisy[frames] = torch.where(replaced, shuffled, found)
        return noisy

    def _next_batch(self) -> Batch:
        if not self._waiting:
            # Always made anew: learning from kept ones again, three times each, was learnt by heart within minutes.
            chosen = self._draw.choices(self._train, k=self._batch * _BUCKET)
            examples = sorted((self._examples.random(name, u) for name, u in chosen), key=lambda e: len(e.rows))
            groups = [examples[start : start + self._batch] for start in range(0, len(examples), self._batch)]
            self._waiting = [batch_of(group, self._tokenizer.pad_id) for group in groups]
            self._draw.shuffle(self._waiting)
        return self._waiting.pop()

    @torch.no_grad()
    def held_out(self) -> dict[str, float]:
        """The losses on sentences that are not trained on."""
        self.network.eval()
        groups: list[list[Example]] = [self._held_out[i : i + 20] for i in range(0, len(self._held_out), 20)]
        found = [self.losses(batch_of(group, self._tokenizer.pad_id), 0.0, 1.0) for group in groups]
        codes = torch.stack([codes for _, codes in found]).mean(dim=0)
        text = torch.stack([text for text, _ in found]).mean()
        return {"text": text.item(), **{f"c{number}": value.item() for number, value in enumerate(codes)}}

    def _note(self, figures: dict[str, float]) -> None:
        line: dict[str, Any] = {"step": self._step, "s": round(self._spent, 1), **figures}
        if self._step % 200 == 0:
            line["held_out"] = self.held_out()
        with (self._folder / "curve.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _keep(self, path: Path) -> None:
        state: dict[str, Any] = {"network": self.network.state_dict(), "optimiser": self._optimiser.state_dict()}
        state |= {
            "step": self._step,
            "spent": self._spent,
            "shape": self.shape.as_dict(),
            "voices": self.speakers.voices(),
            "pitches": self.speakers.pitches(),
            "space": self.speakers.space.as_tensors(),
        }
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)

    def _restore(self, path: Path) -> None:
        state = torch.load(path, weights_only=True, map_location=self._device)
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._step, self._spent = state["step"], state["spent"]
        # Other sentences than those of the sitting before.
        self._draw.seed(self._seed + self._step)
        torch.manual_seed(self._seed + self._step)


if __name__ == "__main__":
    main()
