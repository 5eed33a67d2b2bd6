"""Who this web process is to the others."""

import os
import socket
import uuid
from dataclasses import dataclass
from functools import cache

from django.conf import settings


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    id: str
    """Never used by another process, also not by a later one with the same process number."""

    url: str
    """Where other web processes reach it; empty when there are none."""

    @property
    def embedded_worker(self) -> str:
        """The id of the worker inside this process."""
        return f"embedded-{self.id}"


def this_process() -> ProcessIdentity:
    return _identity(os.getpid())


@cache
def _identity(pid: int) -> ProcessIdentity:
    return ProcessIdentity(f"{socket.gethostname()[:60]}-{pid}-{uuid.uuid4().hex[:8]}", settings.PROCESS_URL)
