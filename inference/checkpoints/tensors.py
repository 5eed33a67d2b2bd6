"""The tensors of a checkpoint folder, safetensors only, one file or sharded."""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from inference.checkpoints.errors import (
    BrokenFile,
    CheckpointMissing,
    TensorMissing,
    TensorShape,
    TensorUnknown,
    TensorValues,
    UnsafeFile,
)

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises `CheckpointMissing` or `BrokenFile`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointMissing(f"{path.parent} has no {path.name}") from error
    except (OSError, ValueError) as error:
        raise BrokenFile(f"{path.name}: {error}") from error
    if not isinstance(value, dict):
        raise BrokenFile(f"{path.name}: an object is wanted, not {type(value).__name__}")
    return value


class TensorFolder:
    """Reads each tensor once and remembers which were read, so that `finish` can name what nobody took."""

    def __init__(self, folder: Path, *, dtype: torch.dtype | None = None, device: torch.device | str = "cpu") -> None:
        self.folder = folder
        self._dtype = dtype
        self._device = torch.device(device)
        self._files: dict[str, Any] = {}
        self._where = self._index()
        self._taken: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._files.clear()

    @property
    def names(self) -> set[str]:
        return set(self._where)

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def shape(self, name: str) -> tuple[int, ...]:
        """Without reading its values. Raises `TensorMissing`."""
        return tuple(self._file(name).get_slice(name).get_shape())

    def take(self, name: str, *shape: int | None) -> Tensor:
        """The tensor in the wanted dtype on the wanted device.

        `shape` states what it must be; None leaves a dimension free. Raises `TensorMissing`, `TensorShape`,
        `TensorValues`.
        """
        file = self._file(name)
        found = tuple(file.get_slice(name).get_shape())
        if shape and (len(found) != len(shape) or any(w not in (None, f) for w, f in zip(shape, found, strict=True))):
            wanted = " x ".join("?" if size is None else str(size) for size in shape)
            raise TensorShape(f"{name} is {' x '.join(map(str, found)) or 'a scalar'}, but {wanted} is wanted")
        try:
            tensor: Tensor = file.get_tensor(name)
        except SafetensorError as error:
            raise BrokenFile(f"{self._where[name].name}: {name}: {error}") from error
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise TensorValues(f"{name} holds NaN or infinity")
        self._taken.add(name)
        dtype = self._dtype if self._dtype is not None and tensor.is_floating_point() else tensor.dtype
        return tensor.to(device=self._device, dtype=dtype)

    def ignore(self, *names: str) -> None:
        """These may be there and are not needed."""
        self._taken.update(names)

    def finish(self) -> None:
        """Raises `TensorUnknown` naming tensors that nobody took."""
        left = sorted(self.names - self._taken)
        if left:
            shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
            raise TensorUnknown(f"{self.folder.name} holds tensors that this model does not know: {shown}")

    def _index(self) -> dict[str, Path]:
        single, index = self.folder / SINGLE, self.folder / INDEX
        if single.exists():
            return dict.fromkeys(self._open(single).keys(), single)
        if not index.exists():
            pickles = sorted(path.name for pattern in PICKLES for path in self.folder.glob(pattern))
            if pickles:
                raise UnsafeFile(f"{pickles[0]} is a pickle and is never read; convert it to {SINGLE}")
            raise CheckpointMissing(f"{self.folder} has neither {SINGLE} nor {INDEX}")
        weights = read_json(index).get("weight_map")
        if not isinstance(weights, dict) or not weights:
            raise BrokenFile(f"{INDEX}: it has no weight_map")
        where = {name: self._shard(file) for name, file in weights.items()}
        for name, path in where.items():
            if name not in self._open(path).keys():  # noqa: SIM118  (a safetensors handle is no mapping)
                raise TensorMissing(f"{name} is not in {path.name}, where {INDEX} puts it")
        return where

    def _shard(self, file: object) -> Path:
        if not isinstance(file, str) or Path(file).name != file or not file.endswith(".safetensors"):
            raise UnsafeFile(f"{INDEX}: {file!r} is no safetensors file of this folder")
        return self.folder / file

    def _open(self, path: Path) -> Any:
        if path.name not in self._files:
            try:
                self._files[path.name] = safe_open(path, framework="pt")
            except FileNotFoundError as error:
                raise CheckpointMissing(f"{path.parent} has no {path.name}") from error
            except (SafetensorError, OSError) as error:
                raise BrokenFile(f"{path.name}: {error}") from error
        return self._files[path.name]

    def _file(self, name: str) -> Any:
        if name not in self._where:
            raise TensorMissing(f"{self.folder.name} has no tensor {name}")
        return self._open(self._where[name])
