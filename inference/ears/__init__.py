"""What the user says, as words: voice activity and recognisers.

`inference.ears.base` is the interface. `default_ears` is loaded on first use, so that naming the interface costs no
recogniser.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.ears.default import default_ears

__all__ = ["default_ears"]


def __getattr__(name: str) -> Any:
    if name == "default_ears":
        return import_module("inference.ears.default").default_ears
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
