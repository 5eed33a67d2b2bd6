"""The web side's door to a worker: open a stream, send audio and commands, read events.

`WorkerClient` and `VoiceStream` are the whole interface. In the embedded default the serve process attaches its
worker thread with `attach`; in a deployment a `Ticket` says which worker to go to and `client_at` gives its client.
Nothing here imports torch or the worker.
"""

from inference.client.door import attach, client_at, connect
from inference.client.interface import AttachedWorker, VoiceStream, WorkerClient
from inference.client.ticket import EMBEDDED_URL, Ticket

__all__ = [
    "EMBEDDED_URL",
    "AttachedWorker",
    "Ticket",
    "VoiceStream",
    "WorkerClient",
    "attach",
    "client_at",
    "connect",
]
