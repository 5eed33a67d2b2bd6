"""The programs of other packages that a cluster needs, and what they are called in Debian."""

import os
import shutil
from pathlib import Path

PACKAGES = {
    "postgres": "postgresql",
    "initdb": "postgresql",
    "redis-server": "redis-server",
    "faketime": "faketime",
    "setpriv": "util-linux",
}
_POSTGRES_HOME = Path("/usr/lib/postgresql")


class MissingProgram(RuntimeError):
    """A program is not installed; the message names it and its Debian package."""


def program(name: str) -> str:
    """Its path. Raises `MissingProgram`."""
    found = shutil.which(name) or _newest_postgres(name)
    if found is None:
        raise MissingProgram(f"{name} is not installed; on Debian: apt-get install {PACKAGES[name]}")
    return found


def missing(*names: str) -> str:
    """Why a cluster cannot run here; empty when everything is there."""
    for name in names or ("postgres", "initdb", "redis-server"):
        try:
            program(name)
        except MissingProgram as error:
            return str(error)
    return ""


def _newest_postgres(name: str) -> str | None:
    """Debian keeps the server's programs out of PATH, one folder for each major version."""
    if PACKAGES[name] != "postgresql":
        return None
    found = [path for path in _POSTGRES_HOME.glob(f"*/bin/{name}") if os.access(path, os.X_OK)]
    return str(max(found, key=lambda path: float(path.parent.parent.name))) if found else None
