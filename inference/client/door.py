"""Which client speaks for which worker."""

import asyncio
from weakref import WeakKeyDictionary

from inference.client.interface import AttachedWorker, WorkerClient
from inference.client.ticket import EMBEDDED_URL
from inference.errors import WorkerUnavailable

_attached: AttachedWorker | None = None
_elsewhere: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, WorkerClient]] = WeakKeyDictionary()


def attach(client: AttachedWorker | None) -> None:
    """Make `client` the one `connect` returns; None detaches."""
    global _attached
    _attached = client


def connect() -> AttachedWorker:
    """The attached worker's client. Raises `WorkerUnavailable` when there is none."""
    if _attached is None:
        raise WorkerUnavailable("no inference worker is attached to this process")
    return _attached


def client_at(url: str) -> WorkerClient:
    """The client for a ticket's url, one for each url and event loop. Call it in the loop that will use the stream.

    Raises `WorkerUnavailable` for `EMBEDDED_URL` when no worker is attached, and for an url that is none.
    """
    if url == EMBEDDED_URL:
        return connect()
    clients = _elsewhere.setdefault(asyncio.get_running_loop(), {})
    if url not in clients:
        # Only here: a process with its worker inside needs no sockets.
        from inference.client.remote import RemoteClient

        clients[url] = RemoteClient(url)
    return clients[url]
