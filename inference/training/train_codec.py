"""Stage 2, `python -m inference.training.train_codec --work DIR`: envelopes to three codebooks, pitch and voicing to
one.

Writes DIR/codec/last.pt while it runs, and goes on from it; at the end DIR/codec/checkpoint, which stage 3 codes with.
"""

import argparse
import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from inference.codec.source_filter.grid import NUM_BANDS, SUBFRAMES
from inference.codec.source_filter.network import DECODER_DELAY, LATENT, WIDTH, EnvelopeNetwork
from inference.training.corpus import HELD_OUT, CorpusMissing, Utterance, load_all
from inference.training.export import export_codec
from inference.training.quantiser import ResidualLearner
from inference.training.variation import FLOOR, said_by
from inference.training.voices import random_speaker, random_style

CROP_FRAMES = 64
_START_CROPS = 160
"""That mean, deviation and the first codebook entries are taken from."""

PHONES = (
    "pau aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
).split()


@dataclass(frozen=True, slots=True)
class CodecShape:
    """Of the network and its codebooks; the codebook of pitch and voicing has as many entries."""

    width: int = WIDTH
    latent: int = LATENT
    envelope_books: int = 3
    codebook_size: int = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """T frames."""

    envelope: Tensor
    """[T, 4, bands]"""

    voiced: Tensor
    """[T, 4]"""

    phones: Tensor
    """[T], index of the phone in the frame's middle."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6000, help="all sittings together")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    try:
        corpus = {name: utterances[HELD_OUT:] for name, utterances in load_all(options.work).items()}
    except CorpusMissing as error:
        sys.exit(str(error))
    folder = options.work / "codec"
    CodecTraining(corpus, folder, options.steps, options.batch, options.seed, device=options.device).run()
    export_codec(options.work, options.work / "codec" / "checkpoint")


class CodecTraining:
    """`steps` of all sittings; what `folder` holds of earlier ones is gone on from."""

    def __init__(
        self,
        corpus: dict[str, list[Utterance]],
        folder: Path,
        steps: int,
        batch: int,
        seed: int,
        shape: CodecShape | None = None,
        device: str = "cpu",
    ) -> None:
        self._corpus, self._folder, self._steps, self._batch, self._device = corpus, folder, steps, batch, device
        self._draw = random.Random(seed)
        shape = shape or CodecShape()
        self._books = shape.envelope_books
        self.network = EnvelopeNetwork(shape.width, shape.latent).to(device)
        self.quantiser = ResidualLearner(shape.envelope_books, shape.codebook_size, shape.latent).to(device)
        self.phones = nn.Linear(shape.latent, len(PHONES)).to(device)
        self._parameters = [*self.network.parameters(), *self.phones.parameters()]
        self._optimiser = torch.optim.AdamW(self._parameters, lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-4)
        self._step = 0

    def run(self) -> None:
        """Until all steps are done."""
        self._folder.mkdir(parents=True, exist_ok=True)
        last = self._folder / "last.pt"
        if last.exists():
            self._restore(last)
        else:
            self._start()
        bar = tqdm(total=self._steps, initial=self._step, unit="step")
        begun = time.monotonic()
        while self._step < self._steps:
            figures = self.step()
            bar.update()
            if self._step % 50 == 0:
                bar.set_postfix({name: f"{value:.3f}" for name, value in figures.items()})
                self._note({"step": self._step, "s": round(time.monotonic() - begun, 1), **figures})
            if self._step % 250 == 0 or self._step == self._steps:
                self._keep(last)

    def step(self) -> dict[str, float]:
        """One batch learnt from; its losses by name."""
        for group in self._optimiser.param_groups:
            group["lr"] = 1e-3 * min(1.0, self._step / 100) * max(0.02, 1 - self._step / self._steps)
        envelope, voiced, wanted = self._batch_of(self._crops(self._batch))
        with torch.autocast(self._device, dtype=torch.bfloat16):
            latent = self.network.encode(envelope, voiced)
        latent = latent.float()
        books = self._books if self._draw.random() < 0.8 else self._draw.randint(1, self._books - 1)
        quantised, first, commitment = self.quantiser(latent.flatten(0, 1), books)
        with torch.autocast(self._device, dtype=torch.bfloat16):
            made = self.network.decode(quantised.unflatten(0, latent.shape[:2]), voiced)
        distance, movement = losses(made.float()[:, DECODER_DELAY:], envelope[:, :-DECODER_DELAY])
        named = nn.functional.cross_entropy(self.phones(first), wanted.flatten())
        loss = distance + 0.5 * movement + 0.25 * commitment + 0.1 * named
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimiser.step()
        self._step += 1
        return {"distance": distance.item(), "movement": movement.item(), "phones": named.item(), "books": float(books)}

    def _crops(self, count: int) -> list[Crop]:
        names = list(self._corpus)
        weights = [sum(len(u.f0_hz) for u in self._corpus[name]) for name in names]
        made: list[Crop] = []
        while len(made) < count:
            teacher = self._draw.choices(names, weights)[0]
            utterance = self._draw.choice(self._corpus[teacher])
            moved = said_by(utterance, random_speaker(teacher, self._draw), random_style(self._draw)[1])
            made.append(crop(moved, CROP_FRAMES, self._draw))
        return made

    def _batch_of(self, crops: list[Crop]) -> tuple[Tensor, Tensor, Tensor]:
        """Envelopes [B, T, 4, bands], voicing [B, T, 4] and phones [B, T] where the network is."""
        fields = ([getattr(crop, name) for crop in crops] for name in ("envelope", "voiced", "phones"))
        envelope, voiced, phones = (torch.stack(tensors).to(self._device) for tensors in fields)
        return envelope, voiced, phones

    @torch.no_grad()
    def _start(self) -> None:
        envelope, voiced, _ = self._batch_of(self._crops(_START_CROPS))
        heard = envelope.flatten(0, 2)
        self.network.mean.copy_(heard.mean(dim=0))
        self.network.deviation.copy_(heard.std(dim=0))
        self.quantiser.start(self.network.encode(envelope, voiced).flatten(0, 1))

    def _note(self, figures: dict[str, float]) -> None:
        with (self._folder / "curve.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")

    def _keep(self, path: Path) -> None:
        state: dict[str, Any] = {"network": self.network.state_dict(), "quantiser": self.quantiser.state_dict()}
        state |= {"phones": self.phones.state_dict(), "optimiser": self._optimiser.state_dict(), "step": self._step}
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)

    def _restore(self, path: Path) -> None:
        state = torch.load(path, weights_only=True, map_location=self._device)
        self.network.load_state_dict(state["network"])
        self.quantiser.load_state_dict(state["quantiser"])
        self.phones.load_state_dict(state["phones"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._step = state["step"]


def losses(made: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted squared error of the envelope [B, T, 4, bands] and of its movement; loud moments and low bands count
    most.
    """
    loudness = torch.sigmoid((wanted.mean(dim=3, keepdim=True) + 11.0) / 1.5) + 0.15
    bands = torch.linspace(1.3, 0.7, NUM_BANDS, device=made.device)
    error = (made - wanted).square() * bands
    distance = (error * loudness).mean() / loudness.mean()
    flat, truth = made.flatten(1, 2), wanted.flatten(1, 2)
    movement = (flat.diff(dim=1) - truth.diff(dim=1)).square() * loudness.flatten(1, 2)[:, 1:]
    return distance, movement.mean() / loudness.mean()


def crop(utterance: Utterance, frames: int, draw: random.Random) -> Crop:
    """`frames` frames from anywhere in the sentence, silence after a short one."""
    total = len(utterance.f0_hz) // SUBFRAMES
    start = draw.randint(0, max(0, total - frames)) * SUBFRAMES
    here = slice(start, start + frames * SUBFRAMES)
    envelope = _padded(utterance.envelope[here].astype(np.float32), frames * SUBFRAMES, FLOOR)
    voiced = _padded((utterance.f0_hz[here] > 0).astype(np.float32), frames * SUBFRAMES, 0.0)
    middles = start + np.arange(frames) * SUBFRAMES + SUBFRAMES // 2
    names = [_bare(name) for name in utterance.phones]
    which = np.minimum(np.searchsorted(utterance.ends, middles, side="right"), len(names) - 1)
    return Crop(
        torch.from_numpy(envelope).unflatten(0, (frames, SUBFRAMES)),
        torch.from_numpy(voiced).unflatten(0, (frames, SUBFRAMES)),
        torch.tensor([PHONES.index(names[i]) for i in which]),
    )


def _bare(name: str) -> str:
    return name.lstrip("|").rstrip("1")


def _padded(values: NDArray[np.float32], length: int, filler: float) -> NDArray[np.float32]:
    missing = length - len(values)
    return np.pad(values, [(0, missing), *[(0, 0)] * (values.ndim - 1)], constant_values=filler) if missing else values


if __name__ == "__main__":
    main()
