"""Where a checkpoint lies: a local folder, or a hub repository pulled before. Only `pull` goes to the network."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from inference.checkpoints.errors import CheckpointMissing

PATTERNS = ["*.safetensors", "*.json", "LICENSE*", "README*"]
"""What is fetched: weights as safetensors, configuration, licence. Never a pickle, never code."""


def locate(source: str | Path, revision: str | None = None) -> Path:
    """The folder of a checkpoint: `source` itself, or the pulled copy of the hub id `source` at `revision`.

    Raises `CheckpointMissing`, saying how to pull it.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    if folder.is_absolute() or str(source).startswith((".", "~")):
        raise CheckpointMissing(f"{folder} is no folder")
    try:
        found = snapshot_download(str(source), revision=revision, local_files_only=True, allow_patterns=PATTERNS)
    except (LocalEntryNotFoundError, HFValidationError) as error:
        at = f" --revision {revision}" if revision else ""
        raise CheckpointMissing(
            f"{source!r} is no folder and was not pulled; run: python -m inference.checkpoints pull {source}{at}"
        ) from error
    return Path(found)


def pull(repository: str, revision: str | None = None) -> Path:
    """Downloads a hub repository, honouring `HF_HOME` and `HF_HUB_OFFLINE`; answers its folder.

    Raises `CheckpointMissing` when there is no such repository, revision or network.
    """
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=PATTERNS))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise CheckpointMissing(f"{repository!r} could not be pulled: {error}") from error
