"""The voice that comes with Troupe. Importing this loads torch."""

from pathlib import Path

from inference.checkpoints.errors import CheckpointMissing
from inference.models.packed import Precision
from inference.worker.phone_checkpoint import phone_mouth
from inference.worker.phone_mouth import PhoneMouth
from inference.worker.voice_model import CODEC_FOLDER, VoiceModelFiles, load_engine

BUNDLED = Path(__file__).parents[1] / "checkpoints" / "bundled"
"""Its checkpoint."""


def open_mouth(folder: Path = BUNDLED, *, slots: int = 8, packed: Precision | None = None) -> PhoneMouth:
    """The checkpoint in `folder`, which reads phones, loaded for the CPU; nothing is ever downloaded.

    Raises a `CheckpointError` naming what is wrong, `ModelFault` when the pronouncing dictionary is not there.
    """
    if not folder.is_dir():
        raise CheckpointMissing(f"{folder} is no folder")
    files = VoiceModelFiles(model=str(folder), codec=str(folder / CODEC_FOLDER), packed=packed, slots=slots)
    return phone_mouth(load_engine(files), folder)
