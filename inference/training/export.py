"""Stage 4, `python -m inference.training.export --work DIR --to DIR`: what was trained as a checkpoint folder.

Model and tokenizer in the Voila layout, the codec beside it, the voices' speaker embeddings; bfloat16 for the model.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from inference.codec.source_filter.codec import MODEL_TYPE
from inference.models.tokenizer import VoilaTokenizer
from inference.training.corpus import HELD_OUT, load_all
from inference.training.phone_tokens import text_choices, write_tokenizer
from inference.training.prosody_book import learn_table
from inference.training.variation import STYLES
from inference.training.voices import SHIPPED
from inference.training.voila_network import Shape


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    export_model(options.work / "model" / "last.pt", options.to)
    # The very codec the model was taught with, even where its training has gone on since.
    shutil.copytree(options.work / "codec" / "checkpoint", options.to / "codec", dirs_exist_ok=True)


def export_codec(work: Path, to: Path, seed: int = 1) -> None:
    """Network and codebooks of `work/codec/last.pt`; the prosody codebook is learnt once and kept beside it."""
    state = torch.load(work / "codec" / "last.pt", weights_only=True, map_location="cpu")
    table = work / "codec" / "prosody.pt"
    if not table.exists():
        corpus = {name: utterances[HELD_OUT:] for name, utterances in load_all(work).items()}
        torch.save(learn_table(corpus, state["quantiser"]["codebooks"].shape[1], seed), table)
    tensors: dict[str, Tensor] = dict(state["network"])
    tensors["codebooks"] = state["quantiser"]["codebooks"]
    tensors["prosody"] = torch.load(table, weights_only=True)
    to.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, to / "model.safetensors")
    width, latent = (len(state["network"][f"encoder.{name}.bias"]) for name in ("enter", "leave"))
    _write_json(to / "config.json", {"model_type": MODEL_TYPE, "width": width, "latent": latent})


def made_styles() -> dict[str, dict[str, float]]:
    """What the model does in each style, for the mouth that adds what is missing."""
    return {
        name: {
            "rate": manner.rate,
            "pitch_semitones": manner.pitch_semitones,
            "pitch_range": manner.pitch_range,
            "level_db": manner.level_db,
        }
        for name, manner in STYLES.items()
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def export_model(trained: Path, to: Path) -> None:
    """`config.json`, tokenizer, weights and `voices.safetensors` of a training run's `last.pt`."""
    state = torch.load(trained, weights_only=True, map_location="cpu")
    shape = Shape(**state["shape"])
    write_tokenizer(to, shape.codebooks, shape.codebook_size)
    tokenizer = VoilaTokenizer(to, shape.codebooks, shape.codebook_size)
    config = shape.config() | {"tie_word_embeddings": False, "speech": {"reads": "phones", "styles": made_styles()}}
    _write_json(to / "config.json", config)
    shipped = [name for name in SHIPPED if name in state["voices"]]
    _write_json(to / "voices.json", {name: round(state["pitches"][name], 1) for name in shipped})
    weights: dict[str, Tensor] = dict(state["network"])
    weights["lm_head.weight"] = text_head(weights["model.embed_tokens.weight"], text_choices(tokenizer))
    save_file({name: tensor.to(torch.bfloat16).contiguous() for name, tensor in weights.items()},
              to / "model.safetensors")  # fmt: skip
    voices = {name: state["voices"][name] for name in shipped}
    for file, tensors in (("voices", voices), ("space", state["space"])):
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, to / f"{file}.safetensors")


def text_head(embeddings: Tensor, choices: list[int]) -> Tensor:
    """[V, D]: the rows of the tokens that were taught; the end's, `choices[-1]`, for all others.

    Training looks at the logits of `choices` only. The others' would be anything, and win; a mouth takes a drawn token
    that is no frame for the next item, as it does the end's.
    """
    head = embeddings[choices[-1]].expand_as(embeddings).clone()
    head[choices] = embeddings[choices]
    return head


if __name__ == "__main__":
    main()
